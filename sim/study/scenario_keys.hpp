#pragma once

#include "sim/input/toml_document.hpp"

#include <string>

namespace moesim {

/// A key of a scenario and the table that holds it.
struct ScenarioKey {
  std::string dotted;
  const TomlTable& table;
  std::string name; ///< in `table`
};

/// Calls `visit` for every key of a table and of those inside it: dotted keys, quoted keys and
/// nested tables mean the same.
template <typename Visit>
void visit_keys(const TomlTable& table, const std::string& prefix, const Visit& visit) {
  for (const std::string& name : table.keys()) {
    const std::string dotted = prefix.empty() ? name : prefix + "." + name;
    if (table.is_table(name))
      visit_keys(table.table(name), dotted, visit);
    else
      visit(ScenarioKey{dotted, table, name});
  }
}

} // namespace moesim
