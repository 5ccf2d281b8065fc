#pragma once

#include "sim/base/ids.hpp"
#include "sim/routing/expert_load.hpp"
#include "sim/workload/collective.hpp"
#include "sim/workload/dispatch_library.hpp"
#include "sim/workload/kernel.hpp"
#include "sim/workload/parallel_plan.hpp"
#include "sim/workload/token_fan_out.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace moesim {

/// The queues of a device. Operations of one stream run one after the other.
enum class Stream : std::uint8_t {
  compute,
  expert_parallel,
  tensor_parallel,
  pipeline,
  data_parallel,
  host ///< the processor that launches the device's kernels
};
constexpr std::size_t stream_count = 6;

/// The classes of CollectiveWork::contention: passes that run side by side, and passes beside which
/// data-parallel communication runs.
constexpr std::uint8_t contention_pairs = 1;
constexpr std::uint8_t contention_data_parallel = 2;
constexpr std::uint8_t contention_max = 2;

/// Tokens that the host sends for a GPU, by the messages of a library.
struct HostPosts {
  DispatchLibrary library = DispatchLibrary::deepep;
  std::int64_t tokens = 0; ///< of one rank, each counted once

  bool operator==(const HostPosts&) const = default;
};

/// An amount of communication within one group of ranks.
struct CollectiveWork {
  std::string name;
  Collective kind = Collective::all_to_all;
  GroupKind group = GroupKind::expert;
  /// All-to-all, dispatch and combine: what a rank holds for all ranks, itself included, a token as
  /// often as it has experts. All-gather: what a rank has received in the end, its own part
  /// included; reduce-scatter and all-reduce: what a rank holds at the start. As nccl-tests defines
  /// its size column.
  Bytes bytes;
  /// All-to-all in two phases: within the scale-up domain, then between domains (2D all-to-all).
  bool hierarchical = false;
  /// All-reduce: the fastest algorithm, not just rings.
  bool any_algorithm = true;
  TokenFanOut fan_out = {}; ///< dispatch and combine
  bool back = false;        ///< brings experts' results, or gradients, back to the tokens' ranks
  /// Uneven loads by position in the group; none where all pairs carry alike.
  std::shared_ptr<const LoadMatrix> loads = nullptr;
  /// Whose load that is, to the experts or back.
  std::shared_ptr<const ExpertLoad> expert_load = nullptr;
  /// Collectives of one device that may run side by side are of the same class; 0: of none.
  std::uint8_t contention = 0;
  /// Computes of another micro-batch run beside it: a fused dispatch or combine is slower for it.
  bool beside_compute = false;
  /// CommunicationSpec::wait_for_ranks, before it moves bytes; holds its SMs too.
  Seconds wait_for_ranks = {};
  /// Of a dispatch or combine whose messages to other domains the host posts.
  std::optional<HostPosts> host_posts = std::nullopt;

  bool operator==(const CollectiveWork&) const = default;
};

/// What the host does before kernels run, on its own stream; not what it replays as a CUDA graph.
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

/// An amount of compute: kernels that run back to back.
struct ComputeWork {
  std::string name;
  std::vector<Kernel> kernels;
  /// The communication that runs beside it, whose kernels take part of the GPU.
  std::optional<CollectiveWork> beside = std::nullopt;
  HostWork host = {}; ///< of an operation on the host's stream
  /// Where ranks of the expert-parallel group differ and are devices: the kernels of each.
  std::vector<std::vector<Kernel>> by_expert_rank = {};

  bool operator==(const ComputeWork&) const = default;
};

/// What passes between two pipeline stages for one micro-batch: the bytes of one rank.
struct TransferWork {
  std::string name;
  Bytes bytes;
};

enum class OpKind : std::uint8_t { compute, collective, transfer };

/// One operation: a piece of work at a place. Amounts only, no time.
struct Op {
  OpKind kind = OpKind::compute;
  Stream stream = Stream::compute;
  std::uint32_t work = 0;        ///< index into the graph's works of that kind
  std::uint32_t place = 0;       ///< compute: device; collective: group; transfer: index of `pairs`
  std::uint32_t micro_batch = 0; ///< counts from 0; 0 also for what runs once a step
};

/// A device of the replay: one rank, or in a folded replay the rank that stands for its class.
struct Device {
  RankId rank{};
  std::int64_t stage = 0;
  std::int64_t expert_rank = 0; ///< the place of the rank in its expert-parallel group
};

/// The devices that take part in a collective together: those of its ranks. In a folded replay they
/// stand for all groups whose ranks are of the same classes.
struct DeviceGroup {
  GroupKind kind = GroupKind::expert;
  std::vector<DeviceId> devices;
};

/// The devices at the two ends of a pipeline transfer.
struct DevicePair {
  DeviceId source{};
  DeviceId sink{};
};

/// Which devices stand for the ranks of a plan: in each stage one for each class of ranks. Ranks at
/// equal places of two stages are of the same class in both.
struct DeviceLayout {
  std::vector<Device> devices; ///< ordered by stage, then by class
  /// By place in the stage: the class of the rank there.
  std::vector<std::uint32_t> class_of_place;

  DeviceId device_of(RankId rank) const;
};
/// One device for each class of ranks in each stage: the first of them. Classes count from 0, in
/// the order of their first ranks.
DeviceLayout one_rank_per_class(const ParallelPlan& plan,
                                std::vector<std::uint32_t> class_of_place);
/// One device for each rank.
DeviceLayout every_rank(const ParallelPlan& plan);
/// One device for each pipeline stage: its first rank.
DeviceLayout one_rank_per_stage(const ParallelPlan& plan);

/// One optimizer step as a graph of operations and the order between them.
class StepGraph {
public:
  std::vector<ComputeWork> computes;
  std::vector<CollectiveWork> collectives;
  std::vector<TransferWork> transfers;
  std::vector<Device> devices;
  std::vector<DeviceGroup> groups;
  std::vector<DevicePair> pairs;
  std::vector<Op> ops;

  OpId add_op(const Op& op);
  /// `before` ends before `after` starts.
  void add_dependency(OpId before, OpId after);
  /// Sorts the dependencies; call once, after the last of them. Throws InternalError with the names
  /// of the operations if they form a cycle.
  void seal();

  std::span<const OpId> successors(OpId op) const;
  std::uint32_t predecessor_count(OpId op) const { return predecessor_count_[index(op)]; }
  /// The devices that an operation keeps busy.
  std::vector<DeviceId> devices_of(const Op& op) const;
  /// "Step.Stage[2].MicroBatch[7].Layer[3].Dispatch".
  std::string name_of(OpId op) const;

private:
  void check_acyclic() const;

  std::vector<std::pair<OpId, OpId>> dependencies_;
  std::vector<std::uint32_t> first_successor_;
  std::vector<OpId> successors_;
  std::vector<std::uint32_t> predecessor_count_;
};

} // namespace moesim
