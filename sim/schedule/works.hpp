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
#include <vector>

namespace moesim {

/// The purpose of a collective in a training step.
enum class Role : std::uint8_t {
  dispatch, ///< tokens to their experts, or gradients of the experts' results
  combine,  ///< results back, or gradients of the experts' inputs
  expert_tensor_gather,
  expert_tensor_reduce,
  tensor_gather,
  tensor_reduce,
  context_gather,
  weight_gather,
  gradient_reduce,
  replica_gradients, ///< of copies of experts, to the first of them
  replica_weights    ///< from the first of them
};

/// The direction of the pass that a collective belongs to.
enum class Direction : std::uint8_t { forward, backward };

/// An amount of communication within one group of ranks.
struct CollectiveWork {
  Collective kind = Collective::all_to_all;
  GroupKind group = GroupKind::expert;
  Role role = Role::dispatch;
  Direction direction = Direction::forward;
  /// All-to-all, dispatch and combine: what a rank holds for all ranks, itself included, a token as
  /// often as it has experts. All-gather: what a rank has received in the end, its own part
  /// included; reduce-scatter and all-reduce: what a rank holds at the start. As nccl-tests defines
  /// its size column.
  Bytes bytes = {};
  /// All-reduce: the fastest algorithm, not just rings.
  bool any_algorithm = true;
  TokenFanOut fan_out = {}; ///< dispatch and combine
  /// Uneven loads by position in the group; none where all pairs carry the same.
  std::shared_ptr<const LoadMatrix> loads = nullptr;
  /// The load of the experts that a dispatch or combine serves.
  std::shared_ptr<const ExpertLoad> expert_load = nullptr;
  /// Computes of another micro-batch run beside it: a fused dispatch or combine is slower for it.
  bool beside_compute = false;
  /// CommunicationSpec::wait_for_ranks, before it moves bytes; holds its SMs too.
  Seconds wait_for_ranks = {};
  /// Tokens of one rank, each counted once, whose messages to other domains the host posts for the
  /// GPU: of a dispatch or combine.
  std::optional<std::int64_t> host_posted_tokens = std::nullopt;

  auto operator<=>(const CollectiveWork&) const = default;
};

/// The host's part before kernels run, on its own stream; not what it replays as a CUDA graph.
struct HostWork {
  std::int64_t operators = 0; ///< calls of the framework: Python, its dispatch, its bookkeeping
  std::int64_t launches = 0;  ///< further kernels that such a call launches itself

  HostWork& operator+=(const HostWork& other) {
    operators += other.operators;
    launches += other.launches;
    return *this;
  }
  bool operator==(const HostWork&) const = default;
};

using KernelList = std::vector<Kernel>;
/// Indices of Works::kernel_lists: lists that run one after the other.
using KernelLists = std::vector<std::uint32_t>;

/// An amount of compute: kernels that run back to back.
struct ComputeWork {
  KernelLists kernels;
  /// The communication that runs beside it, whose kernels take part of the GPU: an index of
  /// Works::collectives.
  std::optional<std::uint32_t> beside = std::nullopt;
  HostWork host = {}; ///< of an operation on the host's stream
  /// Where ranks of the expert-parallel group differ and are devices: the kernels of each.
  std::vector<KernelLists> by_expert_rank = {};

  /// The kernels of a rank of the expert-parallel group.
  const KernelLists& kernels_of(std::size_t expert_rank) const {
    return by_expert_rank.empty() ? kernels : by_expert_rank[expert_rank];
  }
  bool operator==(const ComputeWork&) const = default;
};

/// The bytes of one rank that pass between two pipeline stages.
struct TransferWork {
  Bytes bytes;
};

/// The distinct amounts of work of a step: equal layers, stages and micro-batches share theirs.
struct Works {
  std::vector<KernelList> kernel_lists = {};
  std::vector<ComputeWork> computes = {};
  std::vector<CollectiveWork> collectives = {};
  std::vector<TransferWork> transfers = {};
  std::vector<Label> labels = {};
};

/// Adds works to those of a step, equal ones once.
class WorkTable {
public:
  /// `works` must live as long.
  explicit WorkTable(Works& works);

  /// An index of Works::kernel_lists, computes, collectives.
  std::uint32_t add(KernelList kernels);
  std::uint32_t add(ComputeWork work);
  std::uint32_t add(const CollectiveWork& work);
  /// Labels differ by layer: each is a new one.
  std::uint32_t add(const Label& label);
  const Works& works() const { return works_; }

private:
  /// Indices of works with an equal hash.
  using Buckets = std::vector<std::vector<std::uint32_t>>;
  template <typename Work>
  static std::uint32_t intern(Work&& work, std::size_t hash,
                              std::vector<std::remove_cvref_t<Work>>& works, Buckets& buckets);

  Works& works_;
  Buckets kernel_lists_;
  Buckets computes_;
  Buckets collectives_;
};

} // namespace moesim
