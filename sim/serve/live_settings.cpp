#include "sim/serve/live_settings.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace moesim {
namespace {

constexpr std::array allowed_keys = {"cluster.gpus", "cluster.nic_gbit_per_s", "model.experts",
                                     "model.experts_per_token"};
constexpr std::array allowed_tables = {"parallel.", "training.", "communication."};

/// The keys that parse_search leaves to the search where they are not given.
constexpr std::array plan_keys = {"parallel.tensor",
                                  "parallel.context",
                                  "parallel.pipeline",
                                  "parallel.virtual_stages",
                                  "parallel.expert",
                                  "parallel.expert_tensor",
                                  "parallel.zero_stage",
                                  "parallel.schedule",
                                  "parallel.recompute",
                                  "parallel.recompute_modules",
                                  "parallel.layers_per_stage",
                                  "training.micro_batch",
                                  "training.cuda_graph_scope",
                                  "communication.dispatcher",
                                  "communication.dispatch_library",
                                  "communication.overlap"};

/// The keys of a scenario that name files, relative to it.
constexpr std::array file_keys = {"model.config", "cluster.topology", "routing.trace"};

bool is_allowed(const std::string& key) {
  return std::find(allowed_keys.begin(), allowed_keys.end(), key) != allowed_keys.end() ||
         std::any_of(allowed_tables.begin(), allowed_tables.end(),
                     [&](std::string_view table) { return key.starts_with(table); });
}

/// A key as TOML writes it: in quotes where it holds more than letters, digits, `_` and `-`.
std::string key_text(const std::string& key) {
  constexpr std::string_view bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_-";
  return !key.empty() && key.find_first_not_of(bare) == std::string::npos ? key : toml_string(key);
}

std::string value_text(const TomlTable& table, const std::string& key, const std::string& dotted,
                       const std::filesystem::path& folder) {
  if (std::find(file_keys.begin(), file_keys.end(), dotted) == file_keys.end())
    return table.any_value(key).toml;
  return toml_string(std::filesystem::absolute(folder / table.text(key)).lexically_normal());
}

} // namespace

std::vector<std::pair<std::string, double>> live_controls(const Scenario& scenario) {
  const auto number = [](std::int64_t value) { return static_cast<double>(value); };
  const Workload& work = scenario.workload;
  constexpr double bits = 8e-9; // Gbit in a byte
  std::vector<std::pair<std::string, double>> controls = {{"cluster.gpus", number(work.plan.gpus)}};
  if (scenario.topology.node.nics > 0)
    controls.emplace_back("cluster.nic_gbit_per_s", scenario.topology.node.nic.value * bits);
  if (work.model.experts.experts > 1) {
    controls.emplace_back("model.experts", number(work.model.experts.experts));
    controls.emplace_back("model.experts_per_token", number(work.model.experts.experts_per_token));
  }
  if (scenario.search) // the plan follows from the search
    return controls;
  controls.emplace_back("parallel.tensor", number(work.plan.tensor));
  controls.emplace_back("parallel.pipeline", number(work.plan.pipeline));
  controls.emplace_back("parallel.expert", number(work.plan.expert));
  controls.emplace_back("training.micro_batch", number(work.training.micro_batch));
  return controls;
}

std::vector<TomlSetting> live_settings(const std::multimap<std::string, std::string>& query) {
  std::vector<TomlSetting> settings;
  for (const auto& [key, value] : query) {
    const InputLocation address{"the address"};
    if (!is_allowed(key))
      throw InputError(address, fmt::format("\"{}\" cannot be set here", key),
                       "keys of [parallel], [training] and [communication] can, and cluster.gpus, "
                       "cluster.nic_gbit_per_s, model.experts, model.experts_per_token");
    if (query.count(key) > 1)
      throw InputError(address, fmt::format("\"{}\" is given twice", key));
    settings.push_back(parse_setting(key + "=" + value));
  }
  return settings;
}

std::vector<TomlSetting> with_best_plan(std::vector<TomlSetting> settings) {
  for (const char* key : plan_keys)
    settings.push_back(
        {.key = key, .value = "", .key_place = {}, .value_place = {}, .removes = true});
  settings.push_back(parse_setting("parallel.search=\"best\""));
  return settings;
}

std::string scenario_text(const std::filesystem::path& scenario,
                          const std::vector<TomlSetting>& settings) {
  TomlDocument document = TomlDocument::read(scenario);
  for (const TomlSetting& setting : settings)
    document.set(setting);
  std::string text = "# Saved by moesim serve.\n";
  const TomlTable root = document.root();
  for (const std::string& name : root.keys()) // values without a table come before all tables
    if (!root.is_table(name))
      text += fmt::format("{} = {}\n", key_text(name), root.any_value(name).toml);
  for (const std::string& name : root.keys()) {
    if (!root.is_table(name))
      continue;
    text += fmt::format("\n[{}]\n", key_text(name));
    const TomlTable table = root.table(name);
    for (const std::string& key : table.keys())
      text += fmt::format("{} = {}\n", key_text(key),
                          value_text(table, key, name + "." + key, scenario.parent_path()));
  }
  return text;
}

} // namespace moesim
