#pragma once

#include "sim/scenario/scenario_input.hpp"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <string>

namespace moesim {

/// Reads the choices of a search from the tables of a scenario: nothing without
/// `parallel.search = "best"`. Each key of a plan is open if it is left out, fixed by one value,
/// and chosen from a list. Throws InputError at its key.
std::optional<PlanChoices> parse_search(const ScenarioTables& tables);

/// The modules that a list names, to `purpose` ("recompute"). Throws InputError for an unknown one.
template <typename Module, std::size_t n>
std::set<Module> parse_modules(const TomlTable& table, const std::string& key,
                               const std::string& purpose,
                               const std::array<Named<Module>, n>& names) {
  std::set<Module> modules;
  for (const TomlValue& value : table.list(key)) {
    const std::optional<Module> known = value_named(names, value.text);
    if (!known)
      table.fail(key, fmt::format("there is no module \"{}\" to {}", value.text, purpose),
                 fmt::format("the modules are {}", fmt::join(names_of(names), ", ")));
    modules.insert(*known);
  }
  return modules;
}

} // namespace moesim
