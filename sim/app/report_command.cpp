#include "sim/app/commands.hpp"

#include "sim/report/report_export.hpp"
#include "sim/study/sweep.hpp"
#include "sim/study/sweep_links.hpp"
#include "sim/study/sweep_loads.hpp"
#include "sim/study/sweep_percentiles.hpp"
#include "sim/study/sweep_report.hpp"
#include "sim/study/sweep_sensitivity.hpp"

#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct ReportOptions {
  std::string folder;
  std::string pictures; ///< the folder of --export; empty without it
};

void report_and_print(const ReportOptions& options, const AppContext& context) {
  const std::filesystem::path folder = options.folder;
  const SweepTables tables{.results = read_results(folder / "results.csv"),
                           .links = read_links(folder),
                           .loads = read_loads(folder),
                           .percentiles = read_percentiles(folder),
                           .sensitivity = read_sensitivity(folder)};
  const auto report = write_report(folder, tables, read_origin(folder), context.assets);
  std::cout << report.string() << '\n';
  if (options.pictures.empty())
    return;
  for (const std::filesystem::path& file : export_report(report, options.pictures))
    std::cout << file.string() << '\n';
}

} // namespace

void add_report_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* command = app.add_subcommand(
      "report", "Write report.html of a sweep, a plan or a decision again from its tables; export "
                "its charts and a one-page summary");
  command->add_option("folder", options->folder, "Folder of the results")
      ->type_name("DIR")
      ->required();
  command
      ->add_option("--export", options->pictures,
                   "Folder for every chart as SVG and PNG, and for summary.pdf, one page. Needs "
                   "Chromium: apt install chromium, or its path in MOESIM_BROWSER")
      ->type_name("FOLDER");
  command->callback([options, &context] { report_and_print(*options, context); });
}

} // namespace moesim
