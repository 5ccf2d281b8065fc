#include "sim/app/sweep_output.hpp"

#include "sim/app/progress.hpp"
#include "sim/study/axis_caps.hpp"
#include "sim/study/axis_effects.hpp"
#include "sim/study/sweep_links.hpp"
#include "sim/study/sweep_loads.hpp"
#include "sim/study/sweep_percentiles.hpp"
#include "sim/study/sweep_report.hpp"
#include "sim/study/sweep_sensitivity.hpp"

#include <fmt/format.h>

#include <iostream>

namespace moesim {

namespace {

/// A word as a shell reads it.
std::string shell_word(const std::string& text) {
  if (text.find_first_of(" \t\n'\"\\$`*?[]{}()<>|&;#~!") == std::string::npos)
    return text;
  std::string quoted = "'";
  for (const char character : text)
    quoted += character == '\'' ? std::string("'\\''") : std::string(1, character);
  return quoted + "'";
}

/// The command that answers the whole sweep.
std::string command_of(const SweepRequest& request, const RunOptions& run,
                       const AppContext& context) {
  std::string command = "moesim sweep " + shell_word(request.sweep);
  if (context.command_line.find("--calibration") != std::string::npos)
    command += " --calibration " + shell_word(context.calibration.string());
  for (const std::string& setting : request.settings)
    command += " --set " + shell_word(setting);
  command += request.twins ? "" : " --no-twins";
  command += run.sensitivity ? " --sensitivity" : "";
  return command + " --out DIR";
}

} // namespace

void run_and_print(const SweepPlan& plan, const SweepRequest& request, const SweepOptions& options,
                   const RunOptions& run, const AppContext& context) {
  ProgressBar bar;
  SweepTables tables;
  const ReportTable& results = tables.results =
      run_sweep(plan, options, [&](const SweepProgress& progress) { bar.show(progress); });
  tables.links = write_links(plan, results, options);
  tables.loads = write_loads(plan, results, options);
  tables.percentiles = write_percentiles(results, plan.axes, options.folder);
  if (run.sensitivity)
    tables.sensitivity = write_sensitivity(plan, results, options);
  else
    remove_sensitivity(options.folder);
  const ReportOrigin origin =
      sweep_origin(plan, results, command_of(request, run, context), options.version);
  write_origin(options.folder, origin);
  const auto report = write_report(options.folder, tables, origin, context.assets);
  write_request(options.folder, request);
  const TableFormat format = run.format;
  std::cout << render(summarise(results, plan.axes, format), format)
            << (format == TableFormat::table ? "a..b (c): least, most and median\n" : "")
            << std::flush;
  for (const std::string& note : straddling_notes(results))
    std::cerr << "warning: " << note << '\n';
  for (const std::string& note : unchanged_notes(axis_effects(results, plan.axes, plan.row_keys)))
    std::cerr << note << '\n';
  for (const std::string& note : cap_notes(plan, results))
    std::cerr << note << '\n';
  std::cerr << fmt::format("results: {}\nlinks: {}\nreport: {}\n",
                           (options.folder / "results.csv").string(),
                           (options.folder / "links.csv").string(), report.string());
  expect_no_failure(results);
}

} // namespace moesim
