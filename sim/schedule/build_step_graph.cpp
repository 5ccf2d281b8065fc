#include "sim/schedule/build_step_graph.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/host_work.hpp"
#include "sim/schedule/layer_work.hpp"
#include "sim/schedule/pipeline_order.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace moesim {

namespace {

constexpr std::int64_t bf16_bytes = 2;

/// A segment whose work is in the graph's lists.
struct PlacedSegment {
  OpKind kind = OpKind::compute;
  std::uint32_t work = 0;
  bool beside_previous = false;
  bool detached = false;
  int mark = 0;
  int awaits = 0;
  bool joins_all = false;
};

/// A pass through a chunk: its segments, and what the host launches for it.
struct PlacedPass {
  std::vector<PlacedSegment> segments;
  std::optional<std::uint32_t> host; ///< index of StepGraph::computes
};
/// The passes of a chunk, by Pass.
using ChunkWork = std::array<PlacedPass, pass_count>;

/// What a stage does with one of its chunks.
struct ChunkPasses {
  ChunkWork regular;
  ChunkWork edge;   ///< the first forward and the last backward pass, where they differ
  ChunkWork beside; ///< passes beside the data-parallel communication of other chunks
};

/// One stage while the graph is built.
struct Stage {
  std::vector<DeviceId> devices;
  std::map<GroupKind, std::vector<std::uint32_t>> groups; ///< indices of StepGraph::groups
  std::vector<ChunkPasses> chunks;
  std::vector<PlacedSegment> start; ///< of the step
  std::vector<PlacedSegment> end;
};

/// Where a device is while the graph is built.
struct DeviceEnd {
  std::vector<OpId> last;        ///< what its next operation waits for
  std::vector<OpId> before_last; ///< what those waited for
  std::optional<OpId> detached;  ///< the last detached operation that nothing waits for yet
  std::map<int, OpId> marked;    ///< the latest detached operation of each mark
  std::optional<OpId> host;      ///< the last launches
};

Stream stream_of(const CollectiveWork& work) {
  switch (work.group) {
  case GroupKind::expert:
  case GroupKind::expert_tensor:
    return Stream::expert_parallel;
  case GroupKind::tensor:
  case GroupKind::context:
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
    ends_.resize(layout.devices.size());
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      place_groups(stages_[stage], layout);
      place_work(stages_[stage], static_cast<std::int64_t>(stage));
    }
    const TransferWork activation = activation_transfer(workload);
    graph_.transfers = {activation, {"ActivationGradient", activation.bytes}};
  }

  StepGraph build() {
    for (std::int64_t stage = 0; stage < workload_.plan.pipeline; ++stage)
      add_stage(stage);
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
    for (const GroupKind kind : group_kinds) {
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

  /// Puts the work into the graph's lists. `contended`: its collectives may run beside others.
  std::vector<PlacedSegment> place_segments(const std::vector<Segment>& segments, bool contended) {
    std::vector<PlacedSegment> placed;
    for (const Segment& segment : segments) {
      PlacedSegment place{OpKind::compute,
                          0,
                          segment.beside_previous,
                          segment.detached,
                          segment.mark,
                          segment.awaits,
                          segment.joins_all};
      if (const auto* compute = std::get_if<ComputeWork>(&segment.work)) {
        place.work = static_cast<std::uint32_t>(graph_.computes.size());
        graph_.computes.push_back(*compute);
      } else {
        place.kind = OpKind::collective;
        place.work = static_cast<std::uint32_t>(graph_.collectives.size());
        graph_.collectives.push_back(std::get<CollectiveWork>(segment.work));
        graph_.collectives.back().contended = contended;
      }
      placed.push_back(place);
    }
    return placed;
  }

  PlacedPass place_pass(const std::vector<Segment>& segments, bool contended) {
    PlacedPass placed{place_segments(segments, contended), std::nullopt};
    if (const std::int64_t launches = host_launches(segments, workload_.graphs); launches > 0) {
      placed.host = static_cast<std::uint32_t>(graph_.computes.size());
      graph_.computes.push_back({"Launch", {}, std::nullopt, launches});
    }
    return placed;
  }

  /// The work of the passes that the plan's schedule has.
  void place_work(Stage& stage, std::int64_t number) {
    const bool split = workload_.plan.schedule == Schedule::zero_bubble;
    const DataParallelRule rule = data_parallel_rule(workload_);
    for (std::int64_t chunk = 0; chunk < workload_.plan.virtual_stages; ++chunk) {
      const StageWork work = stage_work(workload_, workload_.plan.virtual_stage(number, chunk));
      const auto place = [&](ChunkWork& into, Pass pass, const std::vector<Segment>& segments,
                             bool contended) {
        into[static_cast<std::size_t>(pass)] = place_pass(segments, contended);
        INVARIANT(!segments.empty(), "stage {} chunk {} has no work", number, chunk);
      };
      const auto place_all = [&](ChunkWork& into, bool contended) {
        place(into, Pass::forward, work.forward, contended);
        if (split) {
          place(into, Pass::backward_input, work.backward_input, contended);
          place(into, Pass::backward_weight, work.backward_weight, contended);
        } else {
          place(into, Pass::backward, work.backward, contended);
        }
      };
      ChunkPasses passes;
      place_all(passes.regular, rule.reduces_every_pass);
      if (rule.overlaps) {
        place_all(passes.beside, true);
        place(passes.edge, Pass::forward, work.first_forward, true);
        if (split)
          place(passes.edge, Pass::backward_weight, work.last_backward_weight, true);
        else
          place(passes.edge, Pass::backward, work.last_backward, true);
      }
      stage.chunks.push_back(std::move(passes));
    }
    stage.start = place_segments(step_start_work(workload_, number), true);
    stage.end = place_segments(step_end_work(workload_, number), false);
  }

  void add_stage(std::int64_t number) {
    Stage& stage = stages_[static_cast<std::size_t>(number)];
    const StageOrder order =
        pipeline_order(workload_.plan, number, workload_.plan.micro_batches(workload_.training));
    // The passes that data-parallel communication runs beside: the first of each chunk, and the
    // last that makes gradients of weights.
    std::map<std::int64_t, std::size_t> first;
    std::map<std::int64_t, std::size_t> last;
    for (std::size_t place = 0; place < order.size(); ++place) {
      first.try_emplace(order[place].chunk, place);
      if (order[place].pass == Pass::backward || order[place].pass == Pass::backward_weight)
        last[order[place].chunk] = place;
    }
    const bool overlaps = data_parallel_rule(workload_).overlaps;
    std::size_t gathered = 0; // by the first pass of the last chunk
    for (const auto& [chunk, place] : first)
      gathered = std::max(gathered, place);
    bool reducing = false;
    add_segments(stage, stage.start, 0);
    for (std::size_t place = 0; place < order.size(); ++place) {
      const ChunkPass& pass = order[place];
      const ChunkPasses& passes = stage.chunks[static_cast<std::size_t>(pass.chunk)];
      const bool reduces = overlaps && place == last.at(pass.chunk);
      const bool edge = reduces || (overlaps && place == first.at(pass.chunk));
      const bool beside = overlaps && (reducing || place < gathered);
      const ChunkWork& work = edge ? passes.edge : beside ? passes.beside : passes.regular;
      add_pass(number, pass, work[static_cast<std::size_t>(pass.pass)]);
      reducing |= reduces;
    }
    add_segments(stage, stage.end, 0);
  }

  /// Rank i of a stage talks to rank i of another.
  std::uint32_t pair_of(DeviceId source, DeviceId sink) {
    const auto [found, is_new] =
        pair_index_.try_emplace({source, sink}, static_cast<std::uint32_t>(graph_.pairs.size()));
    if (is_new)
      graph_.pairs.push_back({source, sink});
    return found->second;
  }

  void add_pass(std::int64_t number, const ChunkPass& pass, const PlacedPass& work) {
    const Stage& stage = stages_[static_cast<std::size_t>(number)];
    const auto first = OpId(static_cast<std::uint32_t>(graph_.ops.size()));
    add_segments(stage, work.segments, pass.micro_batch);
    if (work.host)
      add_launches(stage, *work.host, pass.micro_batch);
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
      for (const OpId before : ends_[index(stage.devices[i])].last)
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
          add_on(op, {device}, segment);
        }
        continue;
      }
      const CollectiveWork& work = graph_.collectives[segment.work];
      op.stream = stream_of(work);
      for (const std::uint32_t group : stage.groups.at(work.group)) {
        op.place = group;
        add_on(op, graph_.groups[group].devices, segment);
      }
    }
  }

  /// Adds an operation behind what its devices did last, or beside it.
  void add_on(const Op& op, const std::vector<DeviceId>& devices, const PlacedSegment& segment) {
    const OpId id = graph_.add_op(op);
    for (const DeviceId device : devices) {
      DeviceEnd& end = ends_[index(device)];
      for (const OpId before : segment.beside_previous ? end.before_last : end.last)
        graph_.add_dependency(before, id);
      if (const auto marked = end.marked.find(segment.awaits); marked != end.marked.end())
        graph_.add_dependency(marked->second, id);
      if (segment.joins_all && end.detached)
        graph_.add_dependency(*std::exchange(end.detached, std::nullopt), id);
      if (segment.detached) {
        if (end.detached)
          graph_.add_dependency(*end.detached, id);
        end.detached = id;
        if (segment.mark != 0)
          end.marked[segment.mark] = id;
      } else if (segment.beside_previous) {
        end.last.push_back(id);
      } else {
        end.before_last = std::exchange(end.last, {id});
      }
    }
  }

  /// The host launches a pass's kernels as soon as it has launched those before: what comes next
  /// waits for both.
  void add_launches(const Stage& stage, std::uint32_t work, std::int64_t micro_batch) {
    for (const DeviceId device : stage.devices) {
      DeviceEnd& end = ends_[index(device)];
      const OpId id = graph_.add_op({OpKind::compute, Stream::host, work,
                                     static_cast<std::uint32_t>(index(device)),
                                     static_cast<std::uint32_t>(micro_batch)});
      if (end.host)
        graph_.add_dependency(*end.host, id);
      end.host = id;
      end.last.push_back(id);
    }
  }

  const Workload& workload_;
  StepGraph graph_;
  std::vector<Stage> stages_;
  std::vector<DeviceEnd> ends_; ///< by DeviceId
  std::map<std::pair<DeviceId, DeviceId>, std::uint32_t> pair_index_;
  std::map<Arrival, OpId> arrivals_, first_ops_;
};

} // namespace

TransferWork activation_transfer(const Workload& workload) {
  const std::int64_t tokens = workload.training.micro_batch * workload.training.sequence_length /
                              (workload.plan.context * workload.plan.tensor);
  return {"Activation", Bytes{tokens * workload.model.hidden * bf16_bytes}};
}

StepGraph build_step_graph(const Workload& workload, const DeviceLayout& layout) {
  return Builder(workload, layout).build();
}

} // namespace moesim
