#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/scenario/scenario.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// The keys of a scenario that the live page has a control for, and their values, in order. A
/// scenario whose plan is searched has none for the plan.
std::vector<std::pair<std::string, double>> live_controls(const Scenario& scenario);

/// The settings that the query of an address makes: `cluster.gpus=256`, as `--set` has it. Only
/// keys of the plan, of the training and of the controls: none that names a file. Throws InputError
/// for another key, or for one that is given twice.
std::vector<TomlSetting> live_settings(const std::multimap<std::string, std::string>& query);

/// The settings with the keys of the plan taken out of the scenario, and a search for the best in
/// their place.
std::vector<TomlSetting> with_best_plan(std::vector<TomlSetting> settings);

/// The scenario file under the settings as a file of its own: `moesim simulate` gives the same
/// result, from any folder. Paths in it are absolute. Throws InputError as the reading does.
std::string scenario_text(const std::filesystem::path& scenario,
                          const std::vector<TomlSetting>& settings);

} // namespace moesim
