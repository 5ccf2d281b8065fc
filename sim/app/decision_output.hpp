#pragma once

#include "sim/app/commands.hpp"
#include "sim/report/html_report.hpp"
#include "sim/report/result_table.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// Adds `--out DIR` to a command that answers one question.
void add_decision_folder(CLI::App& command, std::string& folder);

/// A decision for a folder: its rows, the title of its report, the scenarios that it read, and
/// remarks.
struct Decision {
  ResultTable results;
  std::string title;
  std::vector<std::filesystem::path> scenarios;
  std::vector<std::string> notes;
};

/// Writes results.csv, origin.json and report.html to `folder`, and says where on stderr; nothing
/// for an empty `folder`.
void write_decision(const std::string& folder, const Decision& decision, const AppContext& context);

} // namespace moesim
