#include "sim/study/sweep_plan.hpp"

#include "sim/study/sweep_file.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The file, or those of a folder by name: a recording of loads may be one.
std::vector<fs::path> files_of(const fs::path& input) {
  if (!fs::is_directory(input))
    return {input};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(input))
    if (entry.is_regular_file())
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void remember_inputs(const Scenario& scenario, SweepPlan& plan) {
  for (const fs::path& file : input_files(scenario))
    if (std::find(plan.inputs.begin(), plan.inputs.end(), file) == plan.inputs.end())
      plan.inputs.push_back(file);
}

void add_columns(const SweepFile& file, SweepPlan& plan) {
  for (const SweepAxis& axis : file.axes) {
    plan.axes.push_back(axis.name);
    plan.columns.push_back(axis.name);
    plan.columns.insert(plan.columns.end(), axis.keys.begin(), axis.keys.end());
    if (!axis.keys.empty())
      plan.row_keys[axis.name] = axis.keys;
  }
}

/// Settings of the command line; one that an axis would overwrite is refused.
std::vector<TomlSetting> parse_settings(const std::vector<std::string>& settings,
                                        const SweepPlan& plan, const fs::path& path) {
  std::vector<TomlSetting> parsed;
  for (const std::string& text : settings) {
    parsed.push_back(parse_setting(text));
    TomlSetting& setting = parsed.back();
    if (std::find(plan.columns.begin(), plan.columns.end(), setting.key) == plan.columns.end())
      continue;
    setting.key_place.column = 1;
    throw InputError(setting.key_place, fmt::format("{} varies in this sweep", setting.key),
                     fmt::format("change its values in {}", path.string()));
  }
  return parsed;
}

} // namespace

std::vector<fs::path> graph_files(const TopologySpec& topology) {
  const FabricSpec& fabric = topology.fabric;
  if (fabric.kind != FabricKind::explicit_graph)
    return {};
  return {fabric.nodes_file, fabric.links_file};
}

std::vector<fs::path> input_files(const Scenario& scenario) {
  std::vector<fs::path> inputs = scenario.inputs;
  const std::vector<fs::path> graph = graph_files(scenario.topology);
  inputs.insert(inputs.end(), graph.begin(), graph.end());
  std::vector<fs::path> files;
  for (const fs::path& input : inputs) {
    const std::vector<fs::path> of_input = files_of(input);
    files.insert(files.end(), of_input.begin(), of_input.end());
  }
  return files;
}

void add_point(const ScenarioInput& input, std::vector<std::string> values, SweepPlan& plan) {
  SweepPoint& point = plan.points.emplace_back(SweepPoint{std::move(values), std::nullopt, ""});
  try {
    point.scenario = resolve_scenario(input);
  } catch (const IllegalScenario& illegal) {
    point.illegal_reason = illegal.message();
    return;
  }
  remember_inputs(*point.scenario, plan);
  if (plan.seed.empty())
    plan.seed = std::to_string(point.scenario->workload.routing.seed);
}

SweepPlan read_sweep(const fs::path& path, const std::vector<std::string>& settings) {
  const SweepFile file = read_sweep_file(path);
  SweepPlan plan;
  plan.settings = settings;
  plan.inputs.push_back(path);
  add_columns(file, plan);
  const std::vector<TomlSetting> typed = parse_settings(settings, plan, path);
  std::size_t count = 1;
  constexpr std::size_t points_max = 1'000'000;
  for (const SweepAxis& axis : file.axes) {
    count *= axis.values.size();
    if (count > points_max)
      throw InputError({path.string()}, fmt::format("the grid has more than {} points", points_max),
                       "leave out values, or join keys that vary together in [[rows.NAME]]");
  }
  for (std::size_t number = 0; number < count; ++number) {
    std::vector<std::string> cells;
    std::vector<TomlSetting> all = file.settings;
    all.insert(all.end(), typed.begin(), typed.end());
    std::size_t block = count;
    for (const SweepAxis& axis : file.axes) {
      block /= axis.values.size();
      const AxisValue& value = axis.values[number / block % axis.values.size()];
      cells.insert(cells.end(), value.cells.begin(), value.cells.end());
      all.insert(all.end(), value.settings.begin(), value.settings.end());
    }
    add_point(parse_scenario_with(file.scenario, all), std::move(cells), plan);
  }
  return plan;
}

} // namespace moesim
