#include "sim/study/knob.hpp"

#include "sim/base/input_error.hpp"
#include "sim/search/plan_space.hpp"
#include "sim/study/cost_library.hpp"
#include "sim/study/input_differences.hpp"
#include "sim/study/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace moesim {

namespace {

/// The default range: this many times smaller and larger than the scenario's own value.
constexpr double range_factor = 4.0;

InputLocation option_of(const std::string& key) {
  return {"--knob " + key};
}

double numeric(const std::string& key, const std::string& text) {
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    throw InputError(option_of(key), fmt::format("its value, {}, is not a number", text),
                     "a knob is a key with one number, as cluster.nic_gbit_per_s");
  return number;
}

} // namespace

Knob::Knob(std::filesystem::path scenario, std::vector<std::string> settings, std::string key)
    : scenario_(std::move(scenario)), key_(std::move(key)) {
  std::transform(settings.begin(), settings.end(), std::back_inserter(settings_), parse_setting);
  if (key_.find('.') == std::string::npos)
    throw InputError(option_of(key_), fmt::format("\"{}\" is not a dotted key", key_),
                     "a key of the scenario has its table before it, as in cluster.gpus");
}

ScenarioInput Knob::with(double value) const {
  const InputLocation where = option_of(key_);
  std::vector<TomlSetting> settings = settings_;
  settings.push_back({key_, fmt::format("{:.9g}", value), where, where});
  return parse_scenario_with(scenario_, settings);
}

std::optional<double> Knob::own_value() const {
  const ScenarioInput input = parse_scenario_with(scenario_, settings_);
  const Scenario scenario = resolve_scenario(input);
  const std::string plan = scenario.search ? "" : plan_settings(scenario.workload);
  const NamedInputs inputs = named_inputs(input, scenario, plan);
  std::vector<std::string> names = {key_};
  // A key of the topology file has the name of its table there: cluster.nics is node.nics.
  const std::string cluster = "cluster.";
  if (key_.starts_with(cluster) && key_ != "cluster.gpus")
    for (const char* table : {"", "gpu.", "node.", "fabric."})
      names.push_back(table + key_.substr(cluster.size()));
  for (const std::string& name : names)
    if (const auto found = inputs.values.find(name); found != inputs.values.end())
      return numeric(key_, found->second);
  return std::nullopt;
}

bool Knob::only_whole(double value) const {
  with(value); // throws for a key that no scenario understands
  if (std::floor(value) != value)
    return false;
  // A key of any number takes a half on one side at least, whatever its range.
  for (const double half : {0.5, -0.5})
    try {
      with(value + half);
      return false;
    } catch (const InputError&) {
    }
  return true;
}

KnobRange Knob::range(std::optional<double> from, std::optional<double> to) const {
  const std::optional<double> own = own_value();
  if ((!own || *own <= 0.0) && !(from && to)) {
    with(from.value_or(to.value_or(1.0))); // throws for a key that no scenario understands
    throw InputError(option_of(key_),
                     own ? fmt::format("the scenario's own value is {:.9g}", *own)
                         : "neither the scenario nor the files that it names give its value",
                     "give the range of its values by --from and --to");
  }
  KnobRange range{.key = key_, .own = own};
  range.whole = only_whole(own ? *own : std::ceil(*from));
  range.from = from ? *from : *own / range_factor;
  range.to = to ? *to : *own * range_factor;
  if (range.whole) {
    range.from = from ? std::ceil(*from) : std::max(1.0, std::ceil(range.from));
    range.to = std::floor(range.to);
  }
  if (range.from >= range.to)
    throw InputError(option_of(key_), fmt::format("there are no values from {:.9g} to {:.9g}",
                                                  range.from, range.to));
  return range;
}

BreakEven break_even_of(const Knob& knob, const KnobRange& range, const ColumnCondition& condition,
                        const std::filesystem::path& calibration) {
  CostLibrary library(calibration);
  const Twins twins = twins_for(condition.column.name);
  return find_break_even(range, condition, [&](double value) {
    StepResult result;
    try {
      const Scenario scenario = resolve_scenario(knob.with(value));
      const Costs& costs = library.of(scenario.topology, scenario.workload.training);
      result = simulate(scenario, costs, {}, twins, 1).result;
    } catch (const InputError& error) {
      result.status = "illegal";
      result.reason = error.message();
    }
    if (result.status == "ok" && condition.of_numbers() &&
        cell_text(result, condition.column).empty()) {
      result.status = "failed";
      result.reason = fmt::format("{} has no value", condition.column.name);
    }
    return result;
  });
}

} // namespace moesim
