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
               extrapolated_costs, stand_ins, error_bar, bottleneck, bottleneck_use, ep_limit] =
      metrics;
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
          ep_scale_out.value, ep_limit};
}

void read_metrics(const json& values, StepMetrics& metrics) {
  auto& [step_time, waterfall, ep_total, dispatch, combine, ep_scale_out, parts, extrapolated,
         extrapolated_costs, stand_ins, error_bar, bottleneck, bottleneck_use, ep_limit] = metrics;
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
  ep_limit = values.at(13);
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

/// The outcome of a replay under one layout.
struct Outcome {
  bool stood_for_all = true;                       ///< else the layout had too few classes of ranks
  std::optional<StepReplay> replay = std::nullopt; ///< nothing if the step is late
};

/// The inputs of a replay beside its layout.
struct StepInputs {
  const Workload& workload;
  const Topology& topology;
  const Costs& costs;
  const ExpertLoads& loads;
  const TimelineObserver& observe;
  Seconds limit;
};

/// The graph of a step, with runs, and its traffic.
struct StepWork {
  StepWork(const ReplayLayout& layout, const StepInputs& step)
      : planner(layout, step.workload.plan, step.topology, step.costs.network, &step.costs.compute),
        traffic(planner),
        graph(build_step_graph(step.workload, layout.layout, step.loads,
                               [&](const StepGraph& placed, const std::vector<Communication>& all) {
                                 return find_contention(placed, all, step.topology, traffic);
                               })) {}

  TrafficPlanner planner;
  StepTraffic traffic;
  StepGraph graph;
};

Outcome measure(StepWork& work, const Replay::Played& played, const ReplayLayout& layout,
                const StepInputs& step, const ComputeTimes& times) {
  if (layout.rings_together && !stood_for_all(played.timeline))
    return {.stood_for_all = false};
  if (played.end == PlayEnd::late)
    return {};
  if (step.observe) {
    const SingleOperations single = single_operations(work.graph, played.timeline, work.traffic);
    step.observe(single.graph, single.timeline);
  }
  StepReplay result;
  result.metrics = measure_step(work.graph, played.timeline, step.topology, times);
  result.operations = work.graph.operation_count();
  result.activities = played.timeline.activities;
  result.approximate = layout.approximate;
  result.extrapolated = played.timeline.extrapolated;
  result.stand_ins = played.timeline.stand_ins;
  return {.replay = std::move(result)};
}

std::string to_text(const Outcome& outcome) {
  return json{outcome.stood_for_all, outcome.replay ? to_text(*outcome.replay) : ""}.dump();
}

Outcome outcome_from_text(const std::string& text) {
  const json values = json::parse(text);
  const std::string replay = values.at(1);
  return {values.at(0), replay.empty() ? std::nullopt : std::optional(replay_from_text(replay))};
}

/// Plays a step in this process where no flows of two operations meet on a link, else in a child:
/// SimGrid simulates once a process.
Outcome replay_in(const ReplayLayout& layout, const StepInputs& step) {
  StepWork work(layout, step);
  const Replay replay(work.graph, work.traffic,
                      {step.workload.plan, step.topology, &step.costs.compute, step.costs.network});
  if (const Replay::Played alone = replay.play(Sharing::refused, step.limit);
      alone.end != PlayEnd::flows_met)
    return measure(work, alone, layout, step, *replay.compute_times());
  Machine::load(); // once, not in each child
  return outcome_from_text(run_in_child([&]() -> std::string {
    return to_text(measure(work, replay.play(Sharing::allowed, step.limit), layout, step,
                           *replay.compute_times()));
  }));
}

std::optional<StepReplay> replay_with_few_classes(const StepInputs& step, Fidelity fidelity) {
  const auto layout = [&](bool try_few) {
    return step_layout(step.workload, step.topology, fidelity, step.loads, try_few);
  };
  Outcome few = replay_in(layout(true), step);
  return few.stood_for_all ? std::move(few.replay) : replay_in(layout(false), step).replay;
}

} // namespace

SingleOperations play_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                           const Costs& costs, const ExpertLoads& loads) {
  const StepInputs step{workload, topology, costs, loads, TimelineObserver{}, no_limit};
  ReplayLayout layout = step_layout(workload, topology, fidelity, loads, true);
  // This process plays once: another one finds out whether the classes are enough.
  if (layout.rings_together && !replay_in(layout, step).stood_for_all)
    layout = step_layout(workload, topology, fidelity, loads, false);
  StepWork work(layout, step);
  const Replay replay(work.graph, work.traffic,
                      {workload.plan, topology, &costs.compute, costs.network});
  return single_operations(work.graph, replay.play(Sharing::allowed).timeline, work.traffic);
}

StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs, const ExpertLoads& loads,
                       const TimelineObserver& observe) {
  return *replay_with_few_classes({workload, topology, costs, loads, observe, no_limit}, fidelity);
}

std::optional<StepReplay> replay_step_within(Seconds limit, const Workload& workload,
                                             const Topology& topology, Fidelity fidelity,
                                             const Costs& costs) {
  return replay_with_few_classes(
      {workload, topology, costs, ExpertLoads(workload), TimelineObserver{}, limit}, fidelity);
}

StepReplay replay_step(const Workload& workload, const Topology& topology, Fidelity fidelity,
                       const Costs& costs) {
  return replay_step(workload, topology, fidelity, costs, ExpertLoads(workload));
}

} // namespace moesim
