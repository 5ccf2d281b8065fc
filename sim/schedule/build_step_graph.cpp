#include "sim/schedule/build_step_graph.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/layer_work.hpp"
#include "sim/schedule/paired_passes.hpp"
#include "sim/schedule/pipeline_order.hpp"
#include "sim/schedule/stage_parameters.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace moesim {

namespace {

constexpr std::int64_t bf16_bytes = 2;

/// What a stage does with one of its chunks, by Pass.
using ChunkWork = std::array<std::vector<PlacedSegment>, pass_count>;

/// One stage while the graph is built.
struct Stage {
  std::vector<DeviceId> devices;
  std::map<GroupKind, std::vector<std::uint32_t>> groups; ///< indices of StepGraph::groups
  std::vector<ChunkWork> chunks;
  /// The backward pass of each chunk where it runs beside a forward pass.
  std::vector<std::vector<PlacedSegment>> paired_backward;
  std::vector<PlacedSegment> end;
};

/// What one device has done last in a pass; of two passes side by side, each has its own.
struct Lane {
  std::vector<OpId> last;        ///< what its next operation waits for
  std::vector<OpId> before_last; ///< what those waited for
  std::optional<OpId> first;     ///< of the pass

  /// An operation that ran behind the last, or beside it.
  void add(OpId op, bool beside) {
    if (!beside)
      before_last = std::exchange(last, {});
    last.push_back(op);
    if (!first)
      first = op;
  }
};
/// By device.
using Lanes = std::vector<Lane>;

/// The last operation of each stream of a device, while passes run side by side: those of one
/// stream follow each other.
using StreamEnds = std::array<std::optional<OpId>, stream_count>;

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
  Builder(const Workload& workload, const DeviceLayout& layout)
      : workload_(workload), pairing_(graph_) {
    graph_.devices = layout.devices;
    stages_.resize(static_cast<std::size_t>(workload.plan.pipeline));
    for (std::uint32_t device = 0; device < layout.devices.size(); ++device)
      stages_[static_cast<std::size_t>(layout.devices[device].stage)].devices.push_back(
          DeviceId(device));
    lanes_.resize(layout.devices.size());
    backward_lanes_.resize(layout.devices.size());
    stream_ends_.resize(layout.devices.size());
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
      const StageOrder order = pipeline_order(workload_.plan, stage, micro_batches);
      for (std::size_t place = 0; place < order.size(); ++place)
        if (place + 1 < order.size() && order[place + 1].beside_previous) {
          add_pair(stage, order[place], order[place + 1]);
          ++place;
        } else {
          add_pass(stage, order[place]);
        }
      if (workload_.plan.copies() == 1)
        add_segments(stages_[static_cast<std::size_t>(stage)],
                     stages_[static_cast<std::size_t>(stage)].end, 0);
    }
    if (workload_.plan.copies() == 2)
      add_ends_of_copies();
    connect_transfers();
    graph_.seal();
    return std::move(graph_);
  }

private:
  /// A pass that a transfer feeds: forward or backward, through which virtual stage, with which
  /// micro-batch.
  struct PassKey {
    bool backward = false;
    std::int64_t virtual_stage = 0;
    std::int64_t micro_batch = 0;
  };
  /// The same on a device.
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
    for (std::int64_t chunk = 0; chunk < workload_.plan.chunks(); ++chunk) {
      const StageWork work = stage_work(workload_, workload_.plan.virtual_stage(number, chunk));
      ChunkWork placed;
      const auto place = [&](Pass pass, const std::vector<Segment>& segments) {
        if (!has_pass(workload_.plan.schedule, pass))
          return;
        placed[static_cast<std::size_t>(pass)] = place_segments(segments);
        INVARIANT(!segments.empty(), "stage {} chunk {} has no work", number, chunk);
      };
      place(Pass::forward, work.forward);
      place(Pass::backward, work.backward);
      place(Pass::backward_input, work.backward_input);
      place(Pass::backward_weight, work.backward_weight);
      if (workload_.plan.overlap_batches)
        stage.paired_backward.push_back(workload_.plan.schedule == Schedule::dual_pipe
                                            ? place_segments(work.backward_delayed)
                                            : placed[static_cast<std::size_t>(Pass::backward)]);
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

  const std::vector<PlacedSegment>& segments_of(std::int64_t number, const ChunkPass& pass) const {
    return stages_[static_cast<std::size_t>(number)]
        .chunks[static_cast<std::size_t>(pass.chunk)][static_cast<std::size_t>(pass.pass)];
  }

  void add_pass(std::int64_t number, const ChunkPass& pass) {
    const Stage& stage = stages_[static_cast<std::size_t>(number)];
    for (const DeviceId device : stage.devices)
      lanes_[index(device)].first.reset();
    add_segments(stage, segments_of(number, pass), pass.micro_batch);
    finish_pass(number, pass, lanes_);
  }

  /// Adds two passes that run side by side.
  void add_pair(std::int64_t number, const ChunkPass& forward, const ChunkPass& backward) {
    const Stage& stage = stages_[static_cast<std::size_t>(number)];
    std::vector<PairedSegment>& merged = pairs_[{number, forward.chunk, backward.chunk}];
    if (merged.empty())
      merged = pairing_.merge(segments_of(number, forward),
                              stage.paired_backward[static_cast<std::size_t>(backward.chunk)]);
    for (const DeviceId device : stage.devices) {
      lanes_[index(device)].first.reset();
      backward_lanes_[index(device)] = lanes_[index(device)];
      stream_ends_[index(device)] = {};
    }
    for (const auto& [segment, is_backward] : merged)
      add_segment(stage, segment,
                  static_cast<std::uint32_t>((is_backward ? backward : forward).micro_batch),
                  is_backward ? backward_lanes_ : lanes_, &stream_ends_);
    finish_pass(number, forward, lanes_);
    finish_pass(number, backward, backward_lanes_);
    graph_.concurrent = {Stream::expert_parallel, Stream::tensor_parallel};
    // What comes next waits for both, of computes for the last of both.
    for (const DeviceId device : stage.devices) {
      const std::vector<OpId>& other = backward_lanes_[index(device)].last;
      std::vector<OpId>& last = lanes_[index(device)].last;
      last.insert(last.end(), other.begin(), other.end());
      const auto last_compute =
          stream_ends_[index(device)][static_cast<std::size_t>(Stream::compute)];
      std::erase_if(last, [&](OpId op) {
        return graph_.ops[index(op)].stream == Stream::compute && op != last_compute;
      });
    }
  }

  /// What a pass waited for and what waits for it, on other stages.
  void finish_pass(std::int64_t number, const ChunkPass& pass, const Lanes& lanes) {
    if (pass.pass == Pass::backward_weight)
      return; // nothing waits for it but the end of the step
    const Stage& stage = stages_[static_cast<std::size_t>(number)];
    const bool backward = pass.pass != Pass::forward;
    const std::int64_t own = workload_.plan.virtual_stage(number, pass.chunk);
    for (const DeviceId device : stage.devices)
      first_ops_[{device, backward, own, pass.micro_batch}] = *lanes[index(device)].first;
    const std::int64_t next = backward ? own - 1 : own + 1;
    if (next < 0 || next >= workload_.plan.virtual_stage_count())
      return;
    // Virtual stages on one device need no transfer: their passes follow each other anyway.
    if (const std::int64_t holder = workload_.plan.holder(next, pass.chunk); holder != number)
      send(stage, stages_[static_cast<std::size_t>(holder)], {backward, next, pass.micro_batch},
           lanes);
  }

  /// Sends what a pass of `stage` has made to `other`, which feeds it to a pass.
  void send(const Stage& stage, const Stage& other, const PassKey& fed, const Lanes& lanes) {
    for (std::size_t i = 0; i < stage.devices.size(); ++i) {
      const OpId send = graph_.add_op({OpKind::transfer, Stream::pipeline, fed.backward ? 1U : 0U,
                                       pair_of(stage.devices[i], other.devices[i]),
                                       static_cast<std::uint32_t>(fed.micro_batch)});
      for (const OpId before : lanes[index(stage.devices[i])].last)
        graph_.add_dependency(before, send);
      arrivals_[{other.devices[i], fed.backward, fed.virtual_stage, fed.micro_batch}] = send;
    }
  }

  void connect_transfers() {
    for (const auto& [arrival, send] : arrivals_)
      graph_.add_dependency(send, first_ops_.at(arrival));
  }

  void add_segments(const Stage& stage, const std::vector<PlacedSegment>& segments,
                    std::int64_t micro_batch) {
    for (const PlacedSegment& segment : segments)
      add_segment(stage, segment, static_cast<std::uint32_t>(micro_batch), lanes_, nullptr);
  }

  /// The ends of the step where two stages hold the same parameters: rank i of one and rank i of
  /// the other sum their gradients up before the optimizer. If optimizer states are sharded, each
  /// gets the half of the shard that it updates, and the weights of the other half afterwards.
  void add_ends_of_copies() {
    constexpr std::int64_t gradient_bytes = 4;
    for (const Stage& stage : stages_)
      add_segments(stage, {stage.end.begin(), optimizer_of(stage)}, 0);
    exchange("GradientExchange", gradient_bytes);
    for (const Stage& stage : stages_)
      add_segments(stage, {*optimizer_of(stage)}, 0);
    if (workload_.plan.zero_stage >= 1)
      exchange("WeightExchange", bf16_bytes);
    for (const Stage& stage : stages_)
      add_segments(stage, {optimizer_of(stage) + 1, stage.end.end()}, 0);
  }

  /// The last compute of the step.
  static std::vector<PlacedSegment>::const_iterator optimizer_of(const Stage& stage) {
    const auto last =
        std::find_if(stage.end.rbegin(), stage.end.rend(),
                     [](const PlacedSegment& segment) { return segment.kind == OpKind::compute; });
    return last.base() - 1;
  }

  /// The ranks of the two stages that hold the same parameters send each other so many bytes for
  /// each parameter that one of them is to get.
  void exchange(const std::string& name, std::int64_t bytes_each) {
    const ParallelPlan& plan = workload_.plan;
    std::vector<std::vector<OpId>> ends(lanes_.size());
    for (std::size_t number = 0; number < stages_.size(); ++number) {
      const Stage& stage = stages_[number];
      const Stage& other = stages_[stages_.size() - 1 - number];
      const StageParameters p = stage_parameters(workload_, static_cast<std::int64_t>(number));
      const std::int64_t parameters =
          plan.zero_stage >= 1
              ? (p.dense_per_rank / plan.data() + p.expert_per_rank / plan.expert_data()) / 2
              : p.dense_per_rank + p.expert_per_rank;
      const auto work = static_cast<std::uint32_t>(graph_.transfers.size());
      graph_.transfers.push_back({name, Bytes{parameters * bytes_each}});
      for (std::size_t i = 0; i < stage.devices.size(); ++i) {
        const OpId send = graph_.add_op({OpKind::transfer, Stream::data_parallel, work,
                                         pair_of(stage.devices[i], other.devices[i]), 0});
        for (const OpId before : lanes_[index(stage.devices[i])].last)
          graph_.add_dependency(before, send);
        ends[index(stage.devices[i])].push_back(send);
        ends[index(other.devices[i])].push_back(send);
      }
    }
    for (std::size_t device = 0; device < lanes_.size(); ++device)
      lanes_[device].last = std::move(ends[device]);
  }

  void add_segment(const Stage& stage, const PlacedSegment& segment, std::uint32_t micro_batch,
                   Lanes& lanes, std::vector<StreamEnds>* streams) {
    Op op{segment.kind, Stream::compute, segment.work, 0, micro_batch};
    if (segment.kind == OpKind::compute) {
      for (const DeviceId device : stage.devices) {
        op.place = static_cast<std::uint32_t>(index(device));
        add_on(op, {device}, segment.beside_previous, lanes, streams);
      }
      return;
    }
    const CollectiveWork& work = graph_.collectives[segment.work];
    op.stream = stream_of(work);
    for (const std::uint32_t group : stage.groups.at(work.group)) {
      op.place = group;
      add_on(op, graph_.groups[group].devices, segment.beside_previous, lanes, streams);
    }
  }

  /// Adds an operation behind what its devices did last in their lanes, or beside it, and behind
  /// the last of its stream.
  void add_on(const Op& op, const std::vector<DeviceId>& devices, bool beside, Lanes& lanes,
              std::vector<StreamEnds>* streams) {
    const OpId id = graph_.add_op(op);
    for (const DeviceId device : devices) {
      Lane& lane = lanes[index(device)];
      std::optional<OpId> stream_end;
      if (streams)
        stream_end = std::exchange((*streams)[index(device)][static_cast<std::size_t>(op.stream)],
                                   std::optional(id));
      if (stream_end)
        graph_.add_dependency(*stream_end, id);
      // What runs in a pair of passes waits for all before it already.
      if (!stream_end || lane.first)
        for (const OpId before : beside ? lane.before_last : lane.last)
          graph_.add_dependency(before, id);
      lane.add(id, beside);
    }
  }

  const Workload& workload_;
  StepGraph graph_;
  std::vector<Stage> stages_;
  PassPairing pairing_;
  Lanes lanes_;
  Lanes backward_lanes_; ///< of the backward passes that run beside a forward pass
  std::vector<StreamEnds> stream_ends_;
  /// By stage and the chunks of the forward and of the backward pass.
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::vector<PairedSegment>> pairs_;
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
