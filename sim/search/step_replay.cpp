#include "sim/search/step_replay.hpp"

#include "sim/replay/replay.hpp"
#include "sim/schedule/build_step_graph.hpp"
#include "sim/search/child_process.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>

namespace moesim {

namespace {

using nlohmann::json;

/// The numbers of a waterfall in the order of its declaration.
std::vector<double> waterfall_values(const Waterfall& w) {
  return {w.optimizer.value,  w.compute.value,   w.ep_exposed.value, w.tp_exposed.value,
          w.dp_exposed.value, w.pp_bubble.value, w.other.value};
}

} // namespace

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

StepReplay replay_from_text(const std::string& text) {
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

namespace {

/// A replay's metrics; nothing if the layout had too few classes of ranks.
std::optional<StepReplay> measure(const StepGraph& graph, const Timeline& timeline,
                                  const ReplayLayout& layout, const Topology& topology,
                                  const ComputeTimes& times, const TimelineObserver& observe) {
  if (layout.rings_together && !stood_for_all(timeline))
    return std::nullopt;
  if (observe)
    observe(graph, timeline);
  StepReplay result;
  result.metrics = measure_step(graph, timeline, topology, times);
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
    return measure(graph, *timeline, layout, topology, *replay.compute_times(), observe);
  Machine::load(); // once, not in each child
  const std::string text = run_in_child([&]() -> std::string {
    const auto result = measure(graph, *replay.play(Sharing::allowed), layout, topology,
                                *replay.compute_times(), observe);
    return result ? to_text(*result) : "";
  });
  return text.empty() ? std::nullopt : std::optional(replay_from_text(text));
}

} // namespace

PlayedStep play_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                     const Costs& costs, const ExpertLoads& loads) {
  const ReplayLayout layout = step_layout(workload, topology, fidelity, loads, false);
  PlayedStep step{build_step_graph(workload, layout.layout, loads), {}, layout.approximate};
  step.timeline =
      replay(step.graph, layout, {workload.plan, topology, &costs.compute, costs.network});
  return step;
}

StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs, const ExpertLoads& loads,
                       const TimelineObserver& observe) {
  const auto replay_with = [&](bool try_few) {
    return replay_in(step_layout(workload, topology, fidelity, loads, try_few), workload, topology,
                     costs, loads, observe);
  };
  std::optional<StepReplay> result = replay_with(true);
  return result ? *std::move(result) : *replay_with(false);
}

StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs) {
  return replay_step(workload, topology, fidelity, costs, ExpertLoads(workload));
}

} // namespace moesim
