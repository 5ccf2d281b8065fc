#include "sim/study/step_comparison.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/words.hpp"
#include "sim/study/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

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
  std::filesystem::path path;
  std::vector<std::string> settings;
  NamedInputs inputs;
  StepResult result;
};

StepResult step_of(const Scenario& scenario, const std::filesystem::path& calibration) {
  const Costs costs = load_costs(calibration, scenario.topology, scenario.workload.training);
  return simulate(scenario, costs, {}, Twins::skip, 1).result;
}

ComparedStep compared_step(const std::filesystem::path& path,
                           const std::vector<std::string>& settings,
                           const std::filesystem::path& calibration) {
  const ScenarioInput input = parse_scenario(path, settings);
  const Scenario scenario = resolve_scenario(input);
  const StepResult result = step_of(scenario, calibration);
  if (result.status != "ok")
    throw InputError({path.string()},
                     fmt::format("its step cannot run: {}: {}", result.status, result.reason));
  return {path, settings, named_inputs(input, scenario, result.plan), result};
}

/// Whether a step that does not write a key has every number as it is if it writes this value: its
/// default is the same, or does not matter.
bool is_moot(const std::string& key, const std::string& value, const ComparedStep& step,
             const std::filesystem::path& calibration) {
  std::vector<std::string> settings = step.settings;
  for (const std::string& assignment : words(step.result.plan))
    settings.push_back(assignment); // a search has one choice
  settings.push_back(key + "=" + value);
  StepResult written;
  try {
    written = step_of(read_scenario(step.path, settings), calibration);
  } catch (const InputError&) {
    return false; // it cannot run so, or the key is one of a file
  }
  const auto columns = result_columns();
  return std::all_of(columns.begin(), columns.end(), [&](const ResultColumn& column) {
    return std::holds_alternative<std::string StepResult::*>(column.member) ||
           std::string_view(column.name).starts_with("plans_") ||
           cell_text(written, column) == cell_text(step.result, column);
  });
}

/// The inputs that differ, without those that only one step writes and that change nothing in the
/// other.
std::vector<InputDifference> differences_that_matter(const ComparedStep& a, const ComparedStep& b,
                                                     const std::filesystem::path& calibration) {
  std::vector<InputDifference> inputs = input_differences(a.inputs, b.inputs);
  std::erase_if(inputs, [&](const InputDifference& input) {
    if (input.key == "parallel.search" || input.a.empty() == input.b.empty())
      return false;
    return input.a.empty() ? is_moot(input.key, input.b, a, calibration)
                           : is_moot(input.key, input.a, b, calibration);
  });
  return inputs;
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
  return {differences_that_matter(first, second, calibration),
          part_differences(first.result, second.result), std::move(first.result),
          std::move(second.result)};
}

} // namespace moesim
