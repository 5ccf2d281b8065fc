#include "sim/schedule/build_step_graph.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/lanes.hpp"
#include "sim/schedule/stage_parameters.hpp"
#include "sim/schedule/step_stages.hpp"
#include "sim/schedule/turns.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

namespace moesim {

namespace {

class Builder {
public:
  Builder(const Workload& workload, const DeviceLayout& layout, const ExpertLoads& loads)
      : workload_(workload), stages_(graph_, workload, layout, loads), runs_(graph_) {
    lanes_.resize(layout.devices.size());
    backward_lanes_.resize(layout.devices.size());
    stream_ends_.resize(layout.devices.size());
    background_.resize(layout.devices.size());
    graph_.works.transfers = {activation_transfer(workload)};
    activation_label_ = stages_.works().add(Label::of("Activation"));
    gradient_label_ = stages_.works().add(Label::of("ActivationGradient"));
  }

  StepGraph build(const FindContention& find_contention) {
    // Where virtual stages have two holders, most passes run side by side.
    if (find_contention && workload_.plan.holders() == 1) {
      const std::vector<Communication> communications = stages_.communications();
      runs_.allow(communications, find_contention(graph_, communications));
    }
    for (std::int64_t number = 0; number < workload_.plan.pipeline; ++number) {
      const PlacedStage& stage = stages_.at(number);
      add_segments(stage, stage.start, 0);
      StepStages::for_each_pass(
          stage, [&](const OrderedPass& pass) { add_pass(number, pass); },
          [&](const OrderedPass& forward, const OrderedPass& backward) {
            add_pair(number, forward, backward);
          });
      if (workload_.plan.holders() == 1)
        add_segments(stage, stage.end, 0);
    }
    if (workload_.plan.holders() == 2)
      add_ends_of_holders();
    connect_transfers();
    turns_.connect(graph_);
    graph_.seal();
    return std::move(graph_);
  }

private:
  /// An operation for a pass of a device: its first, or the transfer of what it has made.
  struct PassOp {
    OpId op{};
    DeviceId device{};
    std::optional<Turn> turn;
  };
  /// The same on a device.
  using Arrival = std::tuple<DeviceId, bool, std::int64_t, std::int64_t>;

  void add_pass(std::int64_t number, const OrderedPass& pass) {
    const PlacedStage& stage = stages_.at(number);
    for (const DeviceId device : stage.devices)
      lanes_[index(device)].start_pass();
    const auto micro_batch = static_cast<std::uint32_t>(pass.pass.micro_batch);
    const bool quiet = background_[index(stage.devices.front())].quiet;
    for (const PassPiece& piece : runs_.pieces(stage, *pass.segments, quiet))
      if (piece.runs.empty())
        add_segment(stage, (*pass.segments)[piece.segment], micro_batch, lanes_, nullptr);
      else
        for (const Op& run : piece.runs)
          add_run(run, micro_batch);
    finish_pass(number, pass.pass, lanes_);
    for (const DeviceId device : stage.devices)
      turns_.add(device, pass.pass.turn, {*lanes_[index(device)].first},
                 lanes_[index(device)].last);
  }

  void add_run(Op run, std::uint32_t micro_batch) {
    run.micro_batch = micro_batch;
    add_on(run, graph_.groups[run.location].devices, {}, lanes_, nullptr);
  }

  /// Adds two passes that run side by side.
  void add_pair(std::int64_t number, const OrderedPass& forward, const OrderedPass& backward) {
    const PlacedStage& stage = stages_.at(number);
    for (const DeviceId device : stage.devices) {
      lanes_[index(device)].start_pass();
      backward_lanes_[index(device)] = lanes_[index(device)];
      stream_ends_[index(device)] = {};
    }
    for (const auto& [segment, is_backward] : stages_.merged(forward, backward))
      add_segment(stage, segment,
                  static_cast<std::uint32_t>((is_backward ? backward : forward).pass.micro_batch),
                  is_backward ? backward_lanes_ : lanes_, &stream_ends_);
    finish_pass(number, forward.pass, lanes_);
    finish_pass(number, backward.pass, backward_lanes_);
    // The next operation waits for the pending communication of both passes and for the compute
    // issued last.
    for (const DeviceId device : stage.devices) {
      const std::vector<OpId>& other = backward_lanes_[index(device)].last;
      std::vector<OpId>& last = lanes_[index(device)].last;
      last.insert(last.end(), other.begin(), other.end());
      const auto last_compute = stream_ends_[index(device)][index(Stream::compute)];
      std::erase_if(last, [&](OpId op) {
        return graph_.ops[index(op)].stream == Stream::compute && op != last_compute;
      });
      turns_.add(device, forward.pass.turn,
                 {*lanes_[index(device)].first, *backward_lanes_[index(device)].first}, last);
    }
  }

  /// Notes the inputs of a pass from other stages and its results for them.
  void finish_pass(std::int64_t number, const ChunkPass& pass, const Lanes& lanes) {
    if (pass.pass == Pass::backward_weight)
      return; // no transfer feeds it
    const PlacedStage& stage = stages_.at(number);
    const bool backward = pass.pass != Pass::forward;
    const std::int64_t own = workload_.plan.virtual_stage(number, pass.chunk);
    for (const DeviceId device : stage.devices)
      fed_.push_back({{device, backward, own, pass.micro_batch},
                      {*lanes[index(device)].first, device, pass.turn}});
    if (const auto fed = stages_.fed_by(number, pass))
      send(stage, stages_.at(fed->second), fed->first, lanes, pass.turn);
  }

  /// Sends what a pass of `stage` has made to `other`, which feeds it to a pass.
  void send(const PlacedStage& stage, const PlacedStage& other, const FedPass& fed,
            const Lanes& lanes, const std::optional<Turn>& turn) {
    for (std::size_t i = 0; i < stage.devices.size(); ++i) {
      const OpId send = graph_.add_op({OpKind::transfer, Stream::pipeline, 0,
                                       stages_.pair_of(stage.devices[i], other.devices[i]),
                                       static_cast<std::uint32_t>(fed.micro_batch),
                                       fed.backward ? gradient_label_ : activation_label_});
      for (const OpId before : lanes[index(stage.devices[i])].made())
        graph_.add_dependency(before, send);
      arrivals_.push_back({{other.devices[i], fed.backward, fed.virtual_stage, fed.micro_batch},
                           {send, stage.devices[i], turn}});
    }
  }

  void connect_transfers() {
    const auto earlier = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::sort(fed_.begin(), fed_.end(), earlier);
    for (const auto& arrival : arrivals_) {
      const PassOp& sent = arrival.second;
      const auto found =
          std::lower_bound(fed_.begin(), fed_.end(), std::pair(arrival.first, PassOp{}), earlier);
      INVARIANT(found != fed_.end() && found->first == arrival.first, "{} feeds no pass",
                graph_.name_of(sent.op));
      const PassOp& fed = found->second;
      graph_.add_dependency(sent.op, fed.op);
      turns_.exchange(sent.op, sent.device, sent.turn, fed.device, fed.turn);
    }
  }

  void add_segments(const PlacedStage& stage, const std::vector<Segment>& segments,
                    std::int64_t micro_batch) {
    for (const Segment& segment : segments)
      add_segment(stage, segment, static_cast<std::uint32_t>(micro_batch), lanes_, nullptr);
  }

  /// The ends of the step where two stages hold the same parameters: rank i of one and rank i of
  /// the other sum their gradients up before the optimizer. If optimizer states are sharded, each
  /// gets the half of the shard that it updates, and the weights of the other half afterwards.
  void add_ends_of_holders() {
    const std::int64_t gradient_bytes = workload_.training.gradient_bytes();
    for (const PlacedStage& stage : stages_.all())
      add_segments(stage, {stage.end.begin(), optimizer_of(stage)}, 0);
    exchange("GradientExchange", gradient_bytes);
    for (const PlacedStage& stage : stages_.all())
      add_segments(stage, {*optimizer_of(stage)}, 0);
    if (workload_.plan.zero_stage >= 1)
      exchange("WeightExchange", bf16_bytes);
    for (const PlacedStage& stage : stages_.all())
      add_segments(stage, {optimizer_of(stage) + 1, stage.end.end()}, 0);
  }

  /// The last compute of the step.
  static std::vector<Segment>::const_iterator optimizer_of(const PlacedStage& stage) {
    const auto last =
        std::find_if(stage.end.rbegin(), stage.end.rend(),
                     [](const Segment& segment) { return segment.kind == OpKind::compute; });
    return last.base() - 1;
  }

  /// The ranks of the two stages that hold the same parameters send each other so many bytes for
  /// each parameter that one of them is to get.
  void exchange(std::string_view name, std::int64_t bytes_each) {
    const ParallelPlan& plan = workload_.plan;
    const std::uint32_t label = stages_.works().add(Label::of(name));
    std::vector<std::vector<OpId>> ends(lanes_.size());
    for (std::int64_t number = 0; number < plan.pipeline; ++number) {
      const PlacedStage& stage = stages_.at(number);
      const PlacedStage& other = stages_.at(plan.pipeline - 1 - number);
      const auto work = static_cast<std::uint32_t>(graph_.works.transfers.size());
      graph_.works.transfers.push_back(exchange_of_holders(workload_, number, bytes_each));
      for (std::size_t i = 0; i < stage.devices.size(); ++i) {
        const OpId send =
            graph_.add_op({OpKind::transfer, Stream::data_parallel, work,
                           stages_.pair_of(stage.devices[i], other.devices[i]), 0, label});
        for (const OpId before : lanes_[index(stage.devices[i])].last)
          graph_.add_dependency(before, send);
        if (const auto& detached = background_[index(stage.devices[i])].detached)
          graph_.add_dependency(*detached, send);
        ends[index(stage.devices[i])].push_back(send);
        ends[index(other.devices[i])].push_back(send);
      }
    }
    for (std::size_t device = 0; device < lanes_.size(); ++device)
      lanes_[device].last = std::move(ends[device]);
  }

  void add_segment(const PlacedStage& stage, const Segment& segment, std::uint32_t micro_batch,
                   Lanes& lanes, std::vector<StreamEnds>* streams) {
    if (segment.host) {
      add_launches(stage, segment, micro_batch, lanes);
      return;
    }
    Op op{segment.kind, Stream::compute, segment.work, 0, micro_batch, segment.label};
    if (segment.kind == OpKind::compute) {
      for (const DeviceId device : stage.devices) {
        op.location = static_cast<std::uint32_t>(index(device));
        add_on(op, std::span(&device, 1), segment, lanes, streams);
      }
      return;
    }
    const CollectiveWork& work = graph_.works.collectives[segment.work];
    op.stream = stream_of(work);
    for (const std::uint32_t group : stage.groups[static_cast<std::size_t>(work.group)]) {
      op.location = group;
      add_on(op, graph_.groups[group].devices, segment, lanes, streams);
    }
  }

  /// Adds an operation behind what its devices did last in their lanes, or beside it, and behind
  /// the last of its stream.
  void add_on(const Op& op, std::span<const DeviceId> devices, const Segment& segment, Lanes& lanes,
              std::vector<StreamEnds>* streams) {
    const OpId id = graph_.add_op(op);
    for (const DeviceId device : devices) {
      Lane& lane = lanes[index(device)];
      wait_for_background(id, segment, background_[index(device)]);
      if (segment.after_result && !lane.result)
        lane.result = lane.last;
      if (segment.detached) {
        for (const OpId before : lane.last)
          graph_.add_dependency(before, id);
        continue;
      }
      std::optional<OpId> stream_end;
      if (streams)
        stream_end = std::exchange((*streams)[index(device)][index(op.stream)], std::optional(id));
      if (stream_end)
        graph_.add_dependency(*stream_end, id);
      // An operation in a pair of passes already waits for all before it.
      if (!stream_end || lane.first)
        for (const OpId before : segment.beside_previous ? lane.before_last : lane.last)
          graph_.add_dependency(before, id);
      lane.add(id, segment.beside_previous);
    }
  }

  /// The detached operations that an operation waits for; detached ones follow each other.
  void wait_for_background(OpId id, const Segment& segment, Background& background) {
    if (const auto marked = background.marked.find(segment.awaits);
        marked != background.marked.end()) {
      graph_.add_dependency(marked->second, id);
      background.quiet |= marked->second == background.detached;
    }
    if (background.detached && (segment.detached || segment.joins_all))
      graph_.add_dependency(*background.detached, id);
    if (segment.joins_all) {
      background.detached.reset();
      background.quiet = true;
    }
    if (!segment.detached)
      return;
    background.detached = id;
    background.quiet = false;
    if (segment.mark != 0)
      background.marked[segment.mark] = id;
  }

  /// The host launches what is before a place as soon as it has launched all earlier, and waits for
  /// the device where it synchronises: what comes next waits for both.
  void add_launches(const PlacedStage& stage, const Segment& segment, std::uint32_t micro_batch,
                    Lanes& lanes) {
    for (const DeviceId device : stage.devices) {
      const OpId id =
          graph_.add_op({OpKind::compute, Stream::host, segment.work,
                         static_cast<std::uint32_t>(index(device)), micro_batch, segment.label});
      std::vector<OpId>& host = background_[index(device)].host;
      for (const OpId before : host)
        graph_.add_dependency(before, id);
      std::vector<OpId>& last = lanes[index(device)].last;
      host = segment.synchronises ? last : std::vector<OpId>{};
      host.push_back(id);
      last.push_back(id);
      if (auto& result = lanes[index(device)].result)
        result->push_back(id);
    }
  }

  const Workload& workload_;
  StepGraph graph_;
  std::uint32_t activation_label_ = 0;
  std::uint32_t gradient_label_ = 0;
  StepStages stages_;
  RunTable runs_;
  Lanes lanes_;
  Lanes backward_lanes_; ///< of the backward passes that run beside a forward pass
  std::vector<StreamEnds> stream_ends_;
  std::vector<Background> background_;                     ///< by device
  std::vector<std::pair<Arrival, PassOp>> arrivals_, fed_; ///< sorted at the end: there are many
  Turns turns_;
};

} // namespace

TransferWork activation_transfer(const Workload& workload) {
  const std::int64_t tokens = workload.training.micro_batch * workload.training.sequence_length /
                              (workload.plan.context * workload.plan.tensor);
  return {Bytes{tokens * workload.model.hidden * bf16_bytes}};
}

TransferWork exchange_of_holders(const Workload& workload, std::int64_t stage,
                                 std::int64_t bytes_each) {
  const ParallelPlan& plan = workload.plan;
  const StageParameters p = stage_parameters(workload, stage);
  const std::int64_t parameters =
      plan.zero_stage >= 1
          ? (p.dense_per_rank / plan.replicas() + p.expert_per_rank / plan.expert_data()) / 2
          : p.dense_per_rank + p.expert_per_rank;
  return {Bytes{parameters * bytes_each}};
}

StepGraph build_step_graph(const Workload& workload, const DeviceLayout& layout,
                           const ExpertLoads& loads, const FindContention& find_contention) {
  return Builder(workload, layout, loads).build(find_contention);
}

StepGraph build_step_graph(const Workload& workload, const DeviceLayout& layout) {
  return build_step_graph(workload, layout, ExpertLoads(workload));
}

} // namespace moesim
