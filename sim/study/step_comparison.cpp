#include "sim/study/step_comparison.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/study/simulate.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace moesim {

namespace {

/// A column of the waterfall.
struct WaterfallPart {
  const char* name;
  double StepResult::*ms;
};

constexpr std::array computed_parts = {
    WaterfallPart{"attention", &StepResult::attention_ms},
    WaterfallPart{"router", &StepResult::router_ms},
    WaterfallPart{"permute", &StepResult::permute_ms},
    WaterfallPart{"expert", &StepResult::expert_ms},
    WaterfallPart{"shared_expert", &StepResult::shared_expert_ms},
    WaterfallPart{"dense", &StepResult::dense_ms},
    WaterfallPart{"head", &StepResult::head_ms},
};
constexpr std::array other_parts = {
    WaterfallPart{"ep_exposed", &StepResult::ep_exposed_ms},
    WaterfallPart{"pp_bubble", &StepResult::pp_bubble_ms},
    WaterfallPart{"tp_exposed", &StepResult::tp_exposed_ms},
    WaterfallPart{"dp_exposed", &StepResult::dp_exposed_ms},
    WaterfallPart{"optimizer", &StepResult::optimizer_ms},
    WaterfallPart{"other", &StepResult::other_ms},
};

/// Sums of the parts of a step differ by less.
constexpr double rounding_ms = 1e-8;

/// The time by which communication beside them slows the computes of a step.
double beside_communication_ms(const StepResult& result) {
  double alone = 0.0;
  for (const WaterfallPart& part : computed_parts)
    alone += result.*part.ms;
  const double beside = result.compute_ms - alone;
  return std::abs(beside) < rounding_ms ? 0.0 : beside;
}

struct ComparedStep {
  NamedInputs inputs;
  StepResult result;
};

ComparedStep compared_step(const std::filesystem::path& path,
                           const std::vector<std::string>& settings,
                           const std::filesystem::path& calibration) {
  const ScenarioInput input = parse_scenario(path, settings);
  const Scenario scenario = resolve_scenario(input);
  const Costs costs = load_costs(calibration, scenario.topology, scenario.workload.training);
  const StepResult result = simulate(scenario, costs, {}, Twins::skip, 1).result;
  if (result.status != "ok")
    throw InputError({path.string()},
                     fmt::format("its step cannot run: {}: {}", result.status, result.reason));
  return {named_inputs(input, scenario, result.plan), result};
}

} // namespace

std::vector<PartDifference> part_differences(const StepResult& a, const StepResult& b) {
  std::vector<PartDifference> parts;
  for (const WaterfallPart& part : computed_parts)
    parts.push_back({part.name, a.*part.ms, b.*part.ms});
  parts.push_back({"beside_communication", beside_communication_ms(a), beside_communication_ms(b)});
  for (const WaterfallPart& part : other_parts)
    parts.push_back({part.name, a.*part.ms, b.*part.ms});
  double difference = 0.0;
  for (const PartDifference& part : parts)
    difference += part.difference_ms();
  const double whole = b.step_time_ms - a.step_time_ms;
  INVARIANT(std::abs(difference - whole) < 1e-6, "parts {} of {}", difference, whole);
  return parts;
}

StepComparison compare_steps(const std::filesystem::path& a, const std::filesystem::path& b,
                             const std::vector<std::string>& settings,
                             const std::filesystem::path& calibration) {
  ComparedStep first = compared_step(a, settings, calibration);
  ComparedStep second = compared_step(b, settings, calibration);
  return {input_differences(first.inputs, second.inputs),
          part_differences(first.result, second.result), std::move(first.result),
          std::move(second.result)};
}

} // namespace moesim
