#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/schedule/label.hpp"
#include "sim/workload/collective.hpp"
#include "sim/workload/kernel.hpp"
#include "sim/workload/load_matrix.hpp"
#include "sim/workload/parallel_plan.hpp"
#include "sim/workload/token_fan_out.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace moesim {

/// The purpose of a collective in a training step.
enum class Role : std::uint8_t {
  dispatch, ///< sends tokens to their experts, or gradients of the experts' results
  combine,  ///< returns results, or gradients of the experts' inputs
  expert_tensor_gather,
  expert_tensor_reduce,
  tensor_gather,
  tensor_reduce,
  context_gather,
  weight_gather,
  gradient_reduce,
  replica_gradients, ///< gradients of further replicas of experts, to the first replica
  replica_weights    ///< weights from the first replica
};

/// The direction of the pass that a collective belongs to.
enum class Direction : std::uint8_t { forward, backward };

/// An amount of communication within one group of ranks.
struct CollectiveWork {
  Collective kind = Collective::all_to_all;
  GroupKind group = GroupKind::expert;
  Role role = Role::dispatch;
  Direction direction = Direction::forward;
  /// Size of the buffer, as in the size column of nccl-tests. All-to-all, dispatch and combine:
  /// bytes that a rank holds for all ranks, itself included; a token counts once for each of its
  /// experts. All-gather: bytes that a rank has at the end, its own part included. Reduce-scatter
  /// and all-reduce: bytes that a rank holds at the start.
  Bytes bytes = {};
  /// Whether an all-reduce takes the fastest algorithm; else it takes rings.
  bool any_algorithm = true;
  TokenFanOut fan_out = {}; ///< for dispatch and combine
  /// Uneven loads by position in the group; null if all pairs of ranks carry the same.
  std::shared_ptr<const LoadMatrix> loads = nullptr;
  /// The load of the experts that a dispatch or combine serves.
  std::shared_ptr<const ExpertLoad> expert_load = nullptr;
  /// Whether computes of another micro-batch run beside it, which slow a fused dispatch or combine.
  bool beside_compute = false;
  /// CommunicationSpec::wait_for_ranks: the wait before it moves bytes, during which it holds its
  /// SMs.
  Seconds wait_for_ranks = {};
  /// Tokens of one rank, each counted once, of a dispatch or combine whose messages to other
  /// domains the host posts for the GPU. Nothing if the host posts none.
  std::optional<std::int64_t> host_posted_tokens = std::nullopt;

  auto operator<=>(const CollectiveWork&) const = default;
};

/// The host's work before kernels run, on its own stream, without CUDA graphs.
struct HostWork {
  std::int64_t operators = 0; ///< calls of the framework: Python, its dispatch, its bookkeeping
  std::int64_t launches = 0;  ///< further kernels that these calls launch

  HostWork& operator+=(const HostWork& other) {
    operators += other.operators;
    launches += other.launches;
    return *this;
  }
  bool operator==(const HostWork&) const = default;
};

using KernelList = std::vector<Kernel>;
/// Indices of Works::kernel_lists; the lists run one after the other.
using KernelLists = std::vector<std::uint32_t>;

/// An amount of compute: kernels that run back to back.
struct ComputeWork {
  KernelLists kernels;
  /// Index in Works::collectives of the communication beside it, whose kernels hold part of the
  /// GPU.
  std::optional<std::uint32_t> beside = std::nullopt;
  HostWork host = {}; ///< for an operation on the host's stream
  /// The kernels of each rank of the expert-parallel group, if ranks differ and are devices; else
  /// empty.
  std::vector<KernelLists> by_expert_rank = {};

  /// The kernels of a rank of the expert-parallel group.
  const KernelLists& kernels_of(std::size_t expert_rank) const {
    return by_expert_rank.empty() ? kernels : by_expert_rank[expert_rank];
  }
  bool operator==(const ComputeWork&) const = default;
};

/// Bytes that one rank sends to another pipeline stage.
struct TransferWork {
  Bytes bytes;
};

/// The distinct amounts of work of a step, shared by equal layers, stages and micro-batches.
struct Works {
  std::vector<KernelList> kernel_lists = {};
  std::vector<ComputeWork> computes = {};
  std::vector<CollectiveWork> collectives = {};
  std::vector<TransferWork> transfers = {};
  std::vector<Label> labels = {};
};

/// Whether works keep their labels: only a trace or an error shows them.
enum class Labels : std::uint8_t { kept, dropped };

/// Adds works to those of a step, each distinct one once.
class WorkTable {
public:
  /// `works` must outlive this object. If labels are dropped, all works share an empty one.
  explicit WorkTable(Works& works, Labels labels = Labels::kept);

  /// Returns the index in Works::kernel_lists, computes or collectives.
  std::uint32_t add(KernelList kernels);
  std::uint32_t add(ComputeWork work);
  std::uint32_t add(const CollectiveWork& work);
  /// Adds a label. Labels differ by layer, so that each is new.
  std::uint32_t add(const Label& label);
  const Works& works() const { return works_; }

private:
  /// Indices of works by their hash.
  using Known = std::unordered_multimap<std::size_t, std::uint32_t>;
  template <typename Work>
  static std::uint32_t intern(Work&& work, std::size_t hash,
                              std::vector<std::remove_cvref_t<Work>>& works, Known& known);

  Works& works_;
  Labels labels_;
  Known kernel_lists_;
  Known computes_;
  Known collectives_;
};

} // namespace moesim
