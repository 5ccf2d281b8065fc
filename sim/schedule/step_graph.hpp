#pragma once

#include "sim/base/ids.hpp"
#include "sim/schedule/segment.hpp"

#include <cstdint>
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

/// The queue of a collective: that of the parallelism of its group.
Stream stream_of(const CollectiveWork& work);

/// One operation: an amount of work at a location. It has no time.
struct Op {
  OpKind kind = OpKind::compute;
  Stream stream = Stream::compute;
  std::uint32_t work = 0; ///< index into the graph's works of that kind; run: into `runs`
  /// Index of the graph's devices (compute), groups (collective and run) or pairs (transfer).
  std::uint32_t location = 0;
  std::uint32_t micro_batch = 0; ///< counts from 0; 0 also for work that runs once a step
  std::uint32_t label = 0;       ///< index into the graph's labels
};

/// A device of the replay: one rank, which in a folded replay represents its class.
struct Device {
  RankId rank{};
  std::int64_t stage = 0;
  std::int64_t expert_rank = 0; ///< index of the rank in its expert-parallel group
};

/// The devices of the ranks of a collective. In a folded replay the group represents all groups
/// whose ranks have the same classes.
struct DeviceGroup {
  GroupKind kind = GroupKind::expert;
  std::vector<DeviceId> devices;
};

/// The devices at the two ends of a pipeline transfer.
struct DevicePair {
  DeviceId source{};
  DeviceId sink{};
};

/// The devices that represent the ranks of a plan: in each stage one for each class of ranks. Ranks
/// at the same position in two stages have the same class.
struct DeviceLayout {
  std::vector<Device> devices; ///< ordered by stage, then by class
  /// Class of a rank, by its position in the stage.
  std::vector<std::uint32_t> class_of_position;

  DeviceId device_of(RankId rank) const;
};
/// One device for each class of ranks in each stage: the first rank of the class. Classes count
/// from 0, in the order of their first ranks.
DeviceLayout one_rank_per_class(const ParallelPlan& plan,
                                std::vector<std::uint32_t> class_of_position);
/// One device for each rank.
DeviceLayout every_rank(const ParallelPlan& plan);
/// One device for each pipeline stage: its first rank.
DeviceLayout one_rank_per_stage(const ParallelPlan& plan);

/// One optimizer step as a graph of operations and dependencies.
class StepGraph {
public:
  Works works;
  std::vector<Device> devices;
  std::vector<DeviceGroup> groups;
  std::vector<DevicePair> pairs;
  std::vector<Op> ops;
  /// The operations of each distinct run, in their order. A compute runs on all devices of its run
  /// for the same time; its place is one of them.
  std::vector<std::vector<Op>> runs;

  OpId add_op(const Op& op);
  /// Makes `after` start after the end of `before`.
  void add_dependency(OpId before, OpId after);
  /// Sorts the dependencies; call it once, after the last of them. Throws InternalError, with the
  /// names of the operations, if they form a cycle.
  void seal();

  std::span<const OpId> successors(OpId op) const;
  std::uint32_t predecessor_count(OpId op) const { return predecessor_count_[index(op)]; }
  /// Operations of the step, those of runs one by one.
  std::uint64_t operation_count() const;
  /// The devices that an operation keeps busy.
  std::vector<DeviceId> devices_of(const Op& op) const;
  /// Calls `visit` with each device that an operation keeps busy.
  template <typename Visit> void for_each_device(const Op& op, const Visit& visit) const {
    if (op.kind == OpKind::compute)
      visit(DeviceId(op.location));
    else if (op.kind == OpKind::transfer)
      visit(pairs[op.location].source);
    else
      for (const DeviceId device : groups[op.location].devices)
        visit(device);
  }
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
