#include "sim/study/sweep_plan.hpp"

#include "sim/input/toml_document.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

namespace fs = std::filesystem;

struct Axis {
  std::string key;
  std::vector<TomlValue> values;
  std::pair<int, int> place; ///< line and column in the sweep file
};

/// Calls `visit(dotted key, table, key)` for every plain key of a table and of those inside it:
/// dotted keys, quoted keys and nested tables all mean the same.
template <typename Visit>
void walk(const TomlTable& table, const std::string& prefix, const Visit& visit) {
  for (const std::string& key : table.keys()) {
    const std::string dotted = prefix.empty() ? key : prefix + "." + key;
    if (table.is_table(key))
      walk(table.table(key), dotted, visit);
    else
      visit(dotted, table, key);
  }
}

std::vector<Axis> read_axes(const TomlTable& table) {
  std::vector<Axis> axes;
  walk(table, "", [&](const std::string& dotted, const TomlTable& inner, const std::string& key) {
    const InputLocation where = inner.where(key);
    axes.push_back({dotted, inner.list(key), {where.line, where.column}});
  });
  // Dotted keys of one table may stand apart; the file's order is the user's.
  std::sort(axes.begin(), axes.end(),
            [](const Axis& a, const Axis& b) { return a.place < b.place; });
  return axes;
}

std::vector<std::string> read_settings(const TomlTable& table) {
  std::vector<std::string> settings;
  walk(table, "", [&](const std::string& dotted, const TomlTable& inner, const std::string& key) {
    settings.push_back(dotted + "=" + inner.value(key).text);
  });
  return settings;
}

bool names_a_file(const std::string& key) {
  return key == "cluster.topology" || key == "model.config" || key == "routing.trace";
}

/// The assignment of a value, a path rewritten from the sweep's folder to the scenario's.
std::string assignment(const std::string& key, const std::string& value,
                       const fs::path& sweep_folder, const fs::path& scenario_folder) {
  if (!names_a_file(key) || fs::path(value).is_absolute())
    return key + "=" + value;
  const fs::path folder = scenario_folder.empty() ? "." : scenario_folder;
  return key + "=" + (sweep_folder / value).lexically_proximate(folder).string();
}

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

void remember_inputs(const std::vector<fs::path>& inputs, SweepPlan& plan) {
  for (const fs::path& input : inputs)
    for (const fs::path& file : files_of(input))
      if (std::find(plan.inputs.begin(), plan.inputs.end(), file) == plan.inputs.end())
        plan.inputs.push_back(file);
}

SweepPoint read_point(const fs::path& scenario, const std::vector<std::string>& settings,
                      std::vector<std::string> values, SweepPlan& plan) {
  SweepPoint point{std::move(values), std::nullopt, ""};
  try {
    point.scenario = read_scenario(scenario, settings);
    remember_inputs(point.scenario->inputs, plan);
  } catch (const IllegalScenario& illegal) {
    point.illegal_reason = illegal.message();
  }
  return point;
}

} // namespace

SweepPlan read_sweep(const fs::path& path, const std::vector<std::string>& settings) {
  const TomlDocument document = TomlDocument::read(path);
  const TomlTable root = document.root();
  const fs::path scenario = (path.parent_path() / root.text("scenario")).lexically_normal();
  const std::vector<Axis> axes = read_axes(root.table("axes"));
  SweepPlan plan;
  if (const auto set = root.optional_table("set"))
    plan.settings = read_settings(*set);
  plan.settings.insert(plan.settings.end(), settings.begin(), settings.end());
  root.finish();
  if (axes.empty())
    throw InputError({path.string()}, "[axes] holds no axis",
                     "add a dotted key of the scenario with a list of values");
  plan.inputs.push_back(path);
  std::size_t count = 1;
  for (const Axis& axis : axes) {
    plan.axes.push_back(axis.key);
    count *= axis.values.size();
  }
  for (std::size_t number = 0; number < count; ++number) {
    std::vector<std::string> values;
    std::vector<std::string> assignments = plan.settings;
    std::size_t block = count;
    for (const Axis& axis : axes) {
      block /= axis.values.size();
      values.push_back(axis.values[number / block % axis.values.size()].text);
      assignments.push_back(
          assignment(axis.key, values.back(), path.parent_path(), scenario.parent_path()));
    }
    plan.points.push_back(read_point(scenario, assignments, std::move(values), plan));
    if (plan.seed.empty() && plan.points.back().scenario)
      plan.seed = std::to_string(plan.points.back().scenario->workload.routing.seed);
  }
  return plan;
}

} // namespace moesim
