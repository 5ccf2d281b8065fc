#include "sim/search/step_replay.hpp"

#include "sim/replay/contention.hpp"
#include "sim/replay/replay.hpp"
#include "sim/schedule/build_step_graph.hpp"
#include "sim/search/child_process.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>

namespace moesim {

namespace {

using nlohmann::json;

/// A new member of a result does not compile here until it is written and read: every member is
/// bound by name.
json waterfall_json(const Waterfall& waterfall) {
  const auto& [optimizer, compute, ep_exposed, tp_exposed, dp_exposed, pp_bubble, other] =
      waterfall;
  return {optimizer.value,  compute.value,   ep_exposed.value, tp_exposed.value,
          dp_exposed.value, pp_bubble.value, other.value};
}

void read_waterfall(const json& values, Waterfall& waterfall) {
  auto& [optimizer, compute, ep_exposed, tp_exposed, dp_exposed, pp_bubble, other] = waterfall;
  std::size_t next = 0;
  for (Seconds* part :
       {&optimizer, &compute, &ep_exposed, &tp_exposed, &dp_exposed, &pp_bubble, &other})
    part->value = values.at(next++);
}

json metrics_json(const StepMetrics& metrics) {
  const auto& [step_time, waterfall, ep_total, dispatch, combine, ep_scale_out, parts, extrapolated,
               extrapolated_costs, stand_ins, error_bar, bottleneck, bottleneck_use] = metrics;
  json part_values = json::array();
  for (const Seconds part : parts)
    part_values.push_back(part.value);
  json costs = json::array();
  for (const auto& [cost, time] : extrapolated_costs)
    costs.push_back({cost, time.value});
  return {step_time.value,    waterfall_json(waterfall),
          ep_total.value,     dispatch.value,
          combine.value,      part_values,
          extrapolated.value, costs,
          error_bar.value,    bottleneck,
          bottleneck_use,     stand_ins,
          ep_scale_out.value};
}

void read_metrics(const json& values, StepMetrics& metrics) {
  auto& [step_time, waterfall, ep_total, dispatch, combine, ep_scale_out, parts, extrapolated,
         extrapolated_costs, stand_ins, error_bar, bottleneck, bottleneck_use] = metrics;
  step_time.value = values.at(0);
  read_waterfall(values.at(1), waterfall);
  ep_total.value = values.at(2);
  dispatch.value = values.at(3);
  combine.value = values.at(4);
  for (std::size_t part = 0; part < parts.size(); ++part)
    parts[part].value = values.at(5).at(part);
  extrapolated.value = values.at(6);
  for (const json& cost : values.at(7))
    extrapolated_costs.push_back({cost.at(0), {cost.at(1)}});
  error_bar.value = values.at(8);
  bottleneck = values.at(9);
  bottleneck_use = values.at(10);
  stand_ins = values.at(11).get<std::vector<std::string>>();
  ep_scale_out.value = values.at(12);
}

} // namespace

std::string to_text(const Waterfall& waterfall) {
  return waterfall_json(waterfall).dump();
}

Waterfall waterfall_from_text(const std::string& text) {
  Waterfall waterfall;
  read_waterfall(json::parse(text), waterfall);
  return waterfall;
}

std::string to_text(const StepReplay& replay) {
  const auto& [metrics, operations, activities, approximate, extrapolated, stand_ins] = replay;
  return json{metrics_json(metrics), operations, activities, approximate, extrapolated, stand_ins}
      .dump();
}

StepReplay replay_from_text(const std::string& text) {
  const json values = json::parse(text);
  StepReplay replay;
  auto& [metrics, operations, activities, approximate, extrapolated, stand_ins] = replay;
  read_metrics(values.at(0), metrics);
  operations = values.at(1);
  activities = values.at(2);
  approximate = values.at(3);
  extrapolated = values.at(4).get<std::vector<std::string>>();
  stand_ins = values.at(5).get<std::vector<std::string>>();
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
  result.operations = graph.operation_count();
  result.activities = timeline.activities;
  result.approximate = layout.approximate;
  result.extrapolated = timeline.extrapolated;
  result.stand_ins = timeline.stand_ins;
  return result;
}

/// Plays a step in this process where no flows of two operations meet on a link, else in a child:
/// SimGrid simulates once a process. Nothing as for `measure`.
std::optional<StepReplay> replay_in(const ReplayLayout& layout, const Workload& workload,
                                    const Topology& topology, const Costs& costs,
                                    const ExpertLoads& loads, const TimelineObserver& observe) {
  TrafficPlanner planner(layout, workload.plan, topology, costs.network, &costs.compute);
  StepTraffic traffic(planner);
  const auto contention = [&](const StepGraph& placed, const std::vector<Communication>& all) {
    return find_contention(placed, all, topology, traffic);
  };
  // An observer sees each operation.
  const StepGraph graph =
      build_step_graph(workload, layout.layout, loads, observe ? FindContention{} : contention);
  const Replay replay(graph, traffic, {workload.plan, topology, &costs.compute, costs.network});
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
