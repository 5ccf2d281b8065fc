#include "sim/schedule/build_step_graph.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/layer_work.hpp"
#include "sim/schedule/pipeline_order.hpp"

#include <array>
#include <map>
#include <set>

namespace moesim {

namespace {

constexpr std::int64_t bf16_bytes = 2;

/// A segment whose work is in the graph's lists.
struct PlacedSegment {
  OpKind kind = OpKind::compute;
  std::uint32_t work = 0;
  bool beside_previous = false;
};

/// What a stage does with one of its chunks, by Pass.
using ChunkWork = std::array<std::vector<PlacedSegment>, pass_count>;

/// One stage while the graph is built.
struct Stage {
  std::vector<DeviceId> devices;
  std::map<GroupKind, std::vector<std::uint32_t>> groups; ///< indices of StepGraph::groups
  std::vector<ChunkWork> chunks;
  std::vector<PlacedSegment> end;
};

Stream stream_of(const CollectiveWork& work) {
  switch (work.group) {
  case GroupKind::expert:
    return Stream::expert_parallel;
  case GroupKind::tensor:
    return Stream::tensor_parallel;
  case GroupKind::data:
  case GroupKind::expert_data:
    break;
  }
  return Stream::data_parallel;
}

class Builder {
public:
  Builder(const Workload& workload, const DeviceLayout& layout) : workload_(workload) {
    graph_.devices = layout.devices;
    stages_.resize(static_cast<std::size_t>(workload.plan.pipeline));
    for (std::uint32_t device = 0; device < layout.devices.size(); ++device)
      stages_[static_cast<std::size_t>(layout.devices[device].stage)].devices.push_back(
          DeviceId(device));
    last_.resize(layout.devices.size());
    before_last_.resize(layout.devices.size());
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      place_groups(stages_[stage], layout);
      place_work(stages_[stage], static_cast<std::int64_t>(stage));
    }
    const TransferWork activation = activation_transfer(workload);
    graph_.transfers = {activation, {"ActivationGradient", activation.bytes}};
  }

  StepGraph build() {
    const std::int64_t stages = workload_.plan.pipeline;
    const std::int64_t micro_batches = workload_.plan.micro_batches(workload_.training);
    for (std::int64_t stage = 0; stage < stages; ++stage) {
      for (const ChunkPass& pass : pipeline_order(workload_.plan, stage, micro_batches))
        add_pass(stage, pass);
      add_segments(stages_[static_cast<std::size_t>(stage)],
                   stages_[static_cast<std::size_t>(stage)].end, 0);
    }
    connect_transfers();
    graph_.seal();
    return std::move(graph_);
  }

private:
  /// Which pass a transfer feeds: of which device, forward or backward, through which virtual
  /// stage, with which micro-batch.
  using Arrival = std::tuple<DeviceId, bool, std::int64_t, std::int64_t>;

  void place_groups(Stage& stage, const DeviceLayout& layout) {
    std::map<RankId, DeviceId> device_of;
    for (const DeviceId device : stage.devices)
      device_of[layout.devices[index(device)].rank] = device;
    for (const GroupKind kind :
         {GroupKind::tensor, GroupKind::data, GroupKind::expert, GroupKind::expert_data}) {
      std::set<DeviceId> placed;
      for (const DeviceId device : stage.devices) {
        if (placed.contains(device))
          continue;
        DeviceGroup group{kind, {}};
        for (const RankId rank : group_of(workload_.plan, kind, layout.devices[index(device)].rank))
          if (const auto member = device_of.find(rank); member != device_of.end())
            group.devices.push_back(member->second);
        placed.insert(group.devices.begin(), group.devices.end());
        stage.groups[kind].push_back(static_cast<std::uint32_t>(graph_.groups.size()));
        graph_.groups.push_back(std::move(group));
      }
    }
  }

  std::vector<PlacedSegment> place_segments(const std::vector<Segment>& segments) {
    std::vector<PlacedSegment> placed;
    for (const Segment& segment : segments) {
      if (const auto* compute = std::get_if<ComputeWork>(&segment.work)) {
        placed.push_back({OpKind::compute, static_cast<std::uint32_t>(graph_.computes.size()),
                          segment.beside_previous});
        graph_.computes.push_back(*compute);
      } else {
        placed.push_back({OpKind::collective, static_cast<std::uint32_t>(graph_.collectives.size()),
                          segment.beside_previous});
        graph_.collectives.push_back(std::get<CollectiveWork>(segment.work));
      }
    }
    return placed;
  }

  /// The work of the passes that the plan's schedule has.
  void place_work(Stage& stage, std::int64_t number) {
    const bool split = workload_.plan.schedule == Schedule::zero_bubble;
    for (std::int64_t chunk = 0; chunk < workload_.plan.virtual_stages; ++chunk) {
      const StageWork work = stage_work(workload_, workload_.plan.virtual_stage(number, chunk));
      ChunkWork placed;
      const auto place = [&](Pass pass, const std::vector<Segment>& segments) {
        placed[static_cast<std::size_t>(pass)] = place_segments(segments);
        INVARIANT(!segments.empty(), "stage {} chunk {} has no work", number, chunk);
      };
      place(Pass::forward, work.forward);
      if (split) {
        place(Pass::backward_input, work.backward_input);
        place(Pass::backward_weight, work.backward_weight);
      } else {
        place(Pass::backward, work.backward);
      }
      stage.chunks.push_back(std::move(placed));
    }
    stage.end = place_segments(step_end_work(workload_, number));
  }

  /// Rank i of a stage talks to rank i of another.
  std::uint32_t pair_of(DeviceId source, DeviceId sink) {
    const auto [found, is_new] =
        pair_index_.try_emplace({source, sink}, static_cast<std::uint32_t>(graph_.pairs.size()));
    if (is_new)
      graph_.pairs.push_back({source, sink});
    return found->second;
  }

  void add_pass(std::int64_t number, const ChunkPass& pass) {
    const Stage& stage = stages_[static_cast<std::size_t>(number)];
    const auto first = OpId(static_cast<std::uint32_t>(graph_.ops.size()));
    add_segments(
        stage,
        stage.chunks[static_cast<std::size_t>(pass.chunk)][static_cast<std::size_t>(pass.pass)],
        pass.micro_batch);
    if (pass.pass == Pass::backward_weight)
      return; // nothing waits for it but the end of the step
    const bool backward = pass.pass != Pass::forward;
    const std::int64_t own = workload_.plan.virtual_stage(number, pass.chunk);
    remember_first_ops(stage, first, backward, own, pass.micro_batch);
    const std::int64_t next = backward ? own - 1 : own + 1;
    if (next < 0 || next >= workload_.plan.virtual_stage_count())
      return;
    send(stage, stages_[static_cast<std::size_t>(next % workload_.plan.pipeline)], backward, next,
         pass.micro_batch);
  }

  /// Sends what the last pass of `stage` has made to the virtual stage `next` on `other`.
  void send(const Stage& stage, const Stage& other, bool backward, std::int64_t next,
            std::int64_t micro_batch) {
    for (std::size_t i = 0; i < stage.devices.size(); ++i) {
      const OpId send = graph_.add_op({OpKind::transfer, Stream::pipeline, backward ? 1U : 0U,
                                       pair_of(stage.devices[i], other.devices[i]),
                                       static_cast<std::uint32_t>(micro_batch)});
      for (const OpId before : last_[index(stage.devices[i])])
        graph_.add_dependency(before, send);
      arrivals_[{other.devices[i], backward, next, micro_batch}] = send;
    }
  }

  /// The operations of a pass that a transfer must precede: the first on each device.
  void remember_first_ops(const Stage& stage, OpId first, bool backward, std::int64_t virtual_stage,
                          std::int64_t micro_batch) {
    std::set<DeviceId> open(stage.devices.begin(), stage.devices.end());
    for (std::uint32_t op = static_cast<std::uint32_t>(index(first)); !open.empty(); ++op)
      for (const DeviceId device : graph_.devices_of(graph_.ops[op]))
        if (open.erase(device) > 0)
          first_ops_[{device, backward, virtual_stage, micro_batch}] = OpId(op);
  }

  void connect_transfers() {
    for (const auto& [arrival, send] : arrivals_)
      graph_.add_dependency(send, first_ops_.at(arrival));
  }

  void add_segments(const Stage& stage, const std::vector<PlacedSegment>& segments,
                    std::int64_t micro_batch) {
    for (const PlacedSegment& segment : segments) {
      Op op{segment.kind, Stream::compute, segment.work, 0,
            static_cast<std::uint32_t>(micro_batch)};
      if (segment.kind == OpKind::compute) {
        for (const DeviceId device : stage.devices) {
          op.place = static_cast<std::uint32_t>(index(device));
          add_on(op, {device}, segment.beside_previous);
        }
        continue;
      }
      const CollectiveWork& work = graph_.collectives[segment.work];
      op.stream = stream_of(work);
      for (const std::uint32_t group : stage.groups.at(work.group)) {
        op.place = group;
        add_on(op, graph_.groups[group].devices, segment.beside_previous);
      }
    }
  }

  /// Adds an operation behind what its devices did last, or beside it.
  void add_on(const Op& op, const std::vector<DeviceId>& devices, bool beside) {
    const OpId id = graph_.add_op(op);
    for (const DeviceId device : devices) {
      auto& last = last_[index(device)];
      auto& before_last = before_last_[index(device)];
      for (const OpId before : beside ? before_last : last)
        graph_.add_dependency(before, id);
      if (beside) {
        last.push_back(id);
      } else {
        before_last = std::move(last);
        last = {id};
      }
    }
  }

  const Workload& workload_;
  StepGraph graph_;
  std::vector<Stage> stages_;
  /// For each device, the operations that its next one waits for, and those that they waited for.
  std::vector<std::vector<OpId>> last_, before_last_;
  std::map<std::pair<DeviceId, DeviceId>, std::uint32_t> pair_index_;
  std::map<Arrival, OpId> arrivals_, first_ops_;
};

} // namespace

TransferWork activation_transfer(const Workload& workload) {
  const std::int64_t tokens = workload.training.micro_batch * workload.training.sequence_length;
  return {"Activation", Bytes{tokens / workload.plan.tensor * workload.model.hidden * bf16_bytes}};
}

StepGraph build_step_graph(const Workload& workload, const DeviceLayout& layout) {
  return Builder(workload, layout).build();
}

} // namespace moesim
