#include "sim/study/step_study.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/replay.hpp"
#include "sim/replay/traffic.hpp"
#include "sim/schedule/build_step_graph.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/layer_work.hpp"
#include "sim/schedule/memory_estimate.hpp"
#include "sim/study/child_process.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>

namespace moesim {

namespace {

using nlohmann::json;

/// The numbers of a waterfall in the order of its declaration.
std::vector<double> waterfall_values(const Waterfall& w) {
  return {w.optimizer.value,  w.compute.value,   w.ep_exposed.value, w.tp_exposed.value,
          w.dp_exposed.value, w.pp_bubble.value, w.other.value};
}

std::string to_text(const StepReplay& replay) {
  std::vector<double> parts;
  for (const Seconds part : replay.metrics.parts)
    parts.push_back(part.value);
  json extrapolated = json::array();
  for (const ExtrapolatedCost& cost : replay.metrics.extrapolated_costs)
    extrapolated.push_back({cost.cost, cost.time.value});
  return json{{"step_time", replay.metrics.step_time.value},
              {"waterfall", waterfall_values(replay.metrics.waterfall)},
              {"ep_total", replay.metrics.ep_total.value},
              {"dispatch", replay.metrics.dispatch.value},
              {"combine", replay.metrics.combine.value},
              {"parts", parts},
              {"extrapolated", replay.metrics.extrapolated.value},
              {"extrapolated_costs", extrapolated},
              {"error_bar", replay.metrics.error_bar.value},
              {"bottleneck", replay.metrics.bottleneck},
              {"bottleneck_use", replay.metrics.bottleneck_use},
              {"operations", replay.operations},
              {"activities", replay.activities},
              {"approximate", replay.approximate},
              {"extrapolated_network", replay.extrapolated}}
      .dump();
}

StepReplay from_text(const std::string& text) {
  const json values = json::parse(text);
  StepReplay replay;
  StepMetrics& metrics = replay.metrics;
  metrics.step_time = {values["step_time"]};
  const json& w = values["waterfall"];
  metrics.waterfall = {{w[0]}, {w[1]}, {w[2]}, {w[3]}, {w[4]}, {w[5]}, {w[6]}};
  metrics.ep_total = {values["ep_total"]};
  metrics.dispatch = {values["dispatch"]};
  metrics.combine = {values["combine"]};
  for (std::size_t part = 0; part < kernel_part_count; ++part)
    metrics.parts[part] = {values["parts"][part]};
  metrics.extrapolated = {values["extrapolated"]};
  for (const json& cost : values["extrapolated_costs"])
    metrics.extrapolated_costs.push_back({cost[0], {cost[1]}});
  metrics.error_bar = {values["error_bar"]};
  metrics.bottleneck = values["bottleneck"];
  metrics.bottleneck_use = values["bottleneck_use"];
  replay.operations = values["operations"];
  replay.activities = values["activities"];
  replay.approximate = values["approximate"];
  replay.extrapolated = values["extrapolated_network"].get<std::vector<std::string>>();
  return replay;
}

/// The time of a sequence, one segment after the other; what runs side by side counts as the
/// longer.
Seconds sequence_time(const std::vector<Segment>& segments, const Costs& costs,
                      TrafficPlanner& planner, DeviceId device) {
  Seconds sum;
  Seconds last;
  for (const Segment& segment : segments) {
    if (segment.detached)
      continue; // hidden at best
    const auto* compute = std::get_if<ComputeWork>(&segment.work);
    Seconds time;
    if (compute)
      time = compute_time(*compute, costs.compute).total;
    else {
      const auto& work = std::get<CollectiveWork>(segment.work);
      const TrafficPlan& traffic = planner.collective(work, {work.group, {device}});
      time = time_alone(traffic, planner.folding());
    }
    sum += segment.beside_previous ? std::max(time, last) - last : time;
    last = time;
  }
  return sum;
}

/// The time of what runs beside the rest of a sequence, on a stream of its own.
Seconds detached_time(const std::vector<Segment>& segments, TrafficPlanner& planner,
                      DeviceId device) {
  Seconds sum;
  for (const Segment& segment : segments)
    if (segment.detached) {
      const auto& work = std::get<CollectiveWork>(segment.work);
      sum += time_alone(planner.collective(work, {work.group, {device}}), planner.folding());
    }
  return sum;
}

/// What one micro-batch costs a stage, and the end of the step, when nothing waits.
struct StageTimes {
  Seconds forward;
  Seconds backward;
  Seconds end;
  Seconds send;   ///< of its activations to the next stage
  Seconds gather; ///< of weights beside the first forward pass, which needs them all
  Seconds reduce; ///< of gradients, from within the last backward pass on
  Seconds pass() const { return forward + backward; }
};

std::vector<StageTimes> stage_times(const Workload& workload, const Topology& topology,
                                    const Costs& costs) {
  // A group's own loads are a bound wherever its ranks sit.
  const ReplayLayout layout{one_rank_per_stage(workload.plan), topology.regular()
                                                                   ? LoadModel::representative
                                                                   : LoadModel::group_links};
  TrafficPlanner planner(layout, workload.plan, topology, costs.network, &costs.compute);
  std::vector<StageTimes> stages;
  for (std::int64_t stage = 0; stage < workload.plan.pipeline; ++stage) {
    const auto device = DeviceId(static_cast<std::uint32_t>(stage));
    const StageWork work = stage_work(workload, stage);
    StageTimes times;
    times.forward = sequence_time(work.forward, costs, planner, device);
    times.backward = sequence_time(work.backward, costs, planner, device);
    times.end = sequence_time(step_end_work(workload, stage), costs, planner, device);
    times.gather = detached_time(step_start_work(workload, stage), planner, device);
    times.reduce = detached_time(work.last_backward, planner, device);
    if (stage + 1 < workload.plan.pipeline) {
      const auto next = DeviceId(static_cast<std::uint32_t>(stage + 1));
      const TrafficPlan send = planner.transfer(activation_transfer(workload), {device, next});
      times.send = time_alone(send, planner.folding());
    }
    stages.push_back(times);
  }
  return stages;
}

/// The busiest stage's compute alone, without communication: a bound that is quick to find.
Seconds compute_bound(const Workload& workload, const Costs& costs) {
  Seconds busiest;
  for (std::int64_t stage = 0; stage < workload.plan.pipeline; ++stage) {
    const StageWork work = stage_work(workload, stage);
    Seconds pass;
    for (const auto* segments : {&work.forward, &work.backward})
      for (const Segment& segment : *segments)
        if (const auto* compute = std::get_if<ComputeWork>(&segment.work))
          pass += compute_time(*compute, costs.compute).total;
    busiest = std::max(busiest, pass);
  }
  return busiest * static_cast<double>(workload.plan.micro_batches(workload.training));
}

/// In the steady state of 1F1B, k + 1 micro-batches pass from stage `first` to the k-th after it
/// and back before that one may go on (see one_forward_one_backward): all their passes and 2 k
/// sends.
Seconds round_trip_bound(const std::vector<StageTimes>& stages, std::size_t first,
                         double micro_batches) {
  const double warm_up = static_cast<double>(stages.size() - 1 - first);
  Seconds trip = stages[first].pass();
  Seconds bound;
  for (std::size_t last = first + 1; last < stages.size(); ++last) {
    trip += 2.0 * stages[last - 1].send + stages[last].pass();
    const auto in_turn = static_cast<double>(last - first + 1);
    bound =
        std::max(bound, std::floor(std::max(0.0, micro_batches - warm_up - 1.0) / in_turn) * trip);
  }
  return bound;
}

/// Plans worth trying for a dense model, in no order.
std::vector<Workload> dense_candidates(const Workload& base, const Topology& topology) {
  std::vector<Workload> candidates;
  const auto layers = static_cast<std::int64_t>(base.model.layers.size());
  for (std::int64_t tensor = 1; tensor <= std::min(base.plan.gpus, topology.spec().node.gpus);
       tensor *= 2)
    for (std::int64_t pipeline = 1;
         pipeline <= std::min(layers, base.plan.gpus / (tensor * base.plan.context)); pipeline *= 2)
      for (const Recompute recompute : {Recompute::none, Recompute::full}) {
        Workload candidate = base;
        candidate.plan.tensor = tensor;
        candidate.plan.pipeline = pipeline;
        candidate.plan.virtual_stages = 1;
        candidate.plan.schedule = Schedule::one_forward_one_backward;
        candidate.plan.overlap_batches = false;
        candidate.plan.expert = 1;
        candidate.plan.expert_tensor = 1;
        candidate.plan.sequence_parallel = true;
        candidate.plan.recompute = recompute;
        candidate.plan.layers_per_stage = spread_layers(layers, pipeline);
        if (find_plan_fault(candidate.plan, candidate.model, candidate.training) ||
            fullest_stage(candidate).total() > topology.spec().gpu.memory)
          continue;
        candidates.push_back(std::move(candidate));
        break; // where it fits without recompute, recompute only costs
      }
  return candidates;
}

} // namespace

Costs load_costs(const std::filesystem::path& calibration, const TopologySpec& topology) {
  const GpuSpec& gpu = topology.gpu;
  return {
      ComputeCost::load(calibration, {gpu.kind, gpu.bf16, gpu.fp8, gpu.memory_bandwidth, gpu.sms,
                                      topology.node.scale_up_medium, topology.node.host}),
      NetworkCost::load(calibration)};
}

ReplayLayout replay_layout(const ParallelPlan& plan, const Topology& topology, Fidelity fidelity) {
  switch (fidelity) {
  case Fidelity::flows:
    return {every_rank(plan), LoadModel::classes, false};
  case Fidelity::ranks:
    return {every_rank(plan), LoadModel::group_links, false};
  case Fidelity::folded:
    break;
  }
  return fold_ranks(plan, topology);
}

namespace {

/// Rings that cross the leaves of a stage load single uplinks. Beside transfers between stages,
/// which load all, one rank cannot stand for all: folding is off by up to 0.5 % in 40 random cases.
bool rings_cross_leaves_beside_transfers(const Workload& workload, const Topology& topology) {
  const FabricSpec& fabric = topology.spec().fabric;
  const std::int64_t leaf =
      topology.spec().node.gpus * std::max<std::int64_t>(1, fabric.nodes_per_leaf);
  return data_parallel_rule(workload).overlaps && workload.plan.pipeline > 1 &&
         workload.plan.stage_ranks() > leaf;
}

/// Copies of experts are exchanged between the ranks that hold them.
bool carry_alike(const Workload& workload, const ExpertLoads& loads) {
  return loads.ranks_alike() && workload.routing.redundant_experts == 0;
}

/// The layout of a step whose ranks may differ by what their experts get, or by the links that they
/// load beside others. `try_few`: with few classes where that is quick
/// (ReplayLayout::rings_together).
ReplayLayout layout_of(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const ExpertLoads& loads, bool try_few) {
  const ParallelPlan& plan = workload.plan;
  if (fidelity != Fidelity::folded)
    return replay_layout(plan, topology, fidelity);
  if (!carry_alike(workload, loads))
    return fold_into_classes(plan, topology, false);
  const bool sit_alike = ranks_sit_alike(plan, topology);
  if (sit_alike && !rings_cross_leaves_beside_transfers(workload, topology))
    return fold_stages(plan);
  if (try_few)
    if (auto few = fold_rings_together(plan, topology))
      return *std::move(few);
  ReplayLayout classes = fold_into_classes(plan, topology, true);
  if (!sit_alike || !classes.approximate)
    return classes;
  ReplayLayout stages = fold_stages(plan);
  stages.approximate = true;
  return stages;
}

/// A replay's metrics; nothing if the layout had too few classes of ranks.
std::optional<StepReplay> measure(const StepGraph& graph, const Timeline& timeline,
                                  const ReplayLayout& layout, const Topology& topology,
                                  const Costs& costs, const TimelineObserver& observe) {
  if (layout.rings_together && !stood_for_all(timeline))
    return std::nullopt;
  if (observe)
    observe(graph, timeline);
  StepReplay result;
  result.metrics = measure_step(graph, timeline, topology, costs.compute);
  result.operations = graph.ops.size();
  result.activities = timeline.activities;
  result.approximate = layout.approximate;
  result.extrapolated = timeline.extrapolated;
  return result;
}

/// Plays a step in this process where no flows of two operations meet on a link, else in a child:
/// SimGrid simulates once a process. Nothing as for `measure`.
std::optional<StepReplay> replay_in(const ReplayLayout& layout, const Workload& workload,
                                    const Topology& topology, const Costs& costs,
                                    const ExpertLoads& loads, const TimelineObserver& observe) {
  const StepGraph graph = build_step_graph(workload, layout.layout, loads);
  const Replay replay(graph, layout, {workload.plan, topology, &costs.compute, costs.network});
  if (const auto timeline = replay.play(Sharing::refused))
    return measure(graph, *timeline, layout, topology, costs, observe);
  const std::string text = run_in_child([&]() -> std::string {
    const auto result =
        measure(graph, *replay.play(Sharing::allowed), layout, topology, costs, observe);
    return result ? to_text(*result) : "";
  });
  return text.empty() ? std::nullopt : std::optional(from_text(text));
}

} // namespace

PlayedStep play_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                     const Costs& costs, const ExpertLoads& loads) {
  const ReplayLayout layout = layout_of(workload, topology, fidelity, loads, false);
  PlayedStep step{build_step_graph(workload, layout.layout, loads), {}, layout.approximate};
  step.timeline =
      replay(step.graph, layout, {workload.plan, topology, &costs.compute, costs.network});
  return step;
}

StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs, const ExpertLoads& loads,
                       const TimelineObserver& observe) {
  const auto replay_with = [&](bool try_few) {
    return replay_in(layout_of(workload, topology, fidelity, loads, try_few), workload, topology,
                     costs, loads, observe);
  };
  std::optional<StepReplay> result = replay_with(true);
  return result ? *std::move(result) : *replay_with(false);
}

StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs) {
  return replay_step(workload, topology, fidelity, costs, ExpertLoads(workload));
}

Seconds step_time_bound(const Workload& workload, const Topology& topology, const Costs& costs) {
  const std::vector<StageTimes> stages = stage_times(workload, topology, costs);
  const auto micro_batches = static_cast<double>(workload.plan.micro_batches(workload.training));
  Seconds filled;  // the first micro-batch on its way to this stage
  Seconds drained; // the last one on its way back to the first stage
  Seconds bound;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    const StageTimes& now = stages[stage];
    const Seconds first = std::max(filled + now.forward, now.gather);
    const Seconds after = std::max(now.end, drained + stages.front().end);
    bound = std::max(bound, first + (micro_batches - 1.0) * now.pass() +
                                std::max(now.backward + after, now.reduce + now.end));
    filled += now.forward + now.send;
    drained += now.backward + now.send;
    bound = std::max(bound, round_trip_bound(stages, stage, micro_batches));
  }
  return bound;
}

std::optional<BestPlan> best_dense_plan(const Workload& workload, const Topology& topology,
                                        Fidelity fidelity, const Costs& costs) {
  // Ordered by bound. A plan enters with a bound that is quick to find, comes back with the real
  // one, and is replayed when no other can be faster: few are.
  using Entry = std::pair<Seconds, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  const std::vector<Workload> candidates = dense_candidates(workload, topology);
  std::vector<bool> bounded(candidates.size(), false);
  for (std::size_t number = 0; number < candidates.size(); ++number)
    open.emplace(compute_bound(candidates[number], costs), number);
  std::optional<BestPlan> best;
  while (!open.empty()) {
    const auto [bound, number] = open.top();
    open.pop();
    if (best && bound >= best->replay.metrics.step_time)
      break;
    const Workload& candidate = candidates[number];
    if (!bounded[number]) {
      bounded[number] = true;
      open.emplace(step_time_bound(candidate, topology, costs), number);
      continue;
    }
    const StepReplay replay = replay_step(candidate, topology, fidelity, costs);
    INVARIANT(replay.metrics.step_time.value >= bound.value * (1.0 - bound_slack),
              "step {} bound {} for {}", replay.metrics.step_time.value, bound.value,
              plan_text(candidate.plan));
    if (!best || replay.metrics.step_time < best->replay.metrics.step_time)
      best = {candidate.plan, replay};
  }
  return best;
}

std::string plan_text(const ParallelPlan& plan) {
  return fmt::format("tensor {}, pipeline {}, data {}, recompute {}", plan.tensor, plan.pipeline,
                     plan.data(),
                     plan.recompute == Recompute::full        ? "full"
                     : plan.recompute == Recompute::selective ? "selective"
                                                              : "none");
}

} // namespace moesim
