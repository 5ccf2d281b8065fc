#include "sim/app/decision_output.hpp"

#include "sim/base/output_file.hpp"
#include "sim/input/file_text.hpp"
#include "sim/study/sweep_report.hpp"

#include <iostream>

namespace moesim {

void add_decision_folder(CLI::App& command, std::string& folder) {
  command
      .add_option(
          "--out", folder,
          "Also write results.csv and report.html, with the rows as a chart, to this folder")
      ->type_name("DIR");
}

void write_decision(const std::string& folder, const Decision& decision,
                    const AppContext& context) {
  if (folder.empty())
    return;
  std::filesystem::create_directories(folder);
  const std::filesystem::path results = std::filesystem::path(folder) / "results.csv";
  write_file(results, render(decision.results, TableFormat::csv));
  ReportOrigin origin{.title = decision.title,
                      .command = context.command_line,
                      .version = version_text(),
                      .seed = "of each scenario",
                      .axes = {},
                      .inputs = {},
                      .notes = decision.notes};
  for (const std::filesystem::path& scenario : decision.scenarios)
    origin.inputs.emplace_back(scenario.string(), read_file(scenario));
  write_origin(folder, origin);
  const SweepTables tables{.results = {decision.results.columns, decision.results.rows}};
  std::cerr << "results: " << results.string()
            << "\nreport: " << write_report(folder, tables, origin, context.assets).string()
            << '\n';
}

} // namespace moesim
