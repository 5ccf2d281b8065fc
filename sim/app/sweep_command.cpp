#include "sim/app/commands.hpp"
#include "sim/app/progress.hpp"
#include "sim/app/run_options.hpp"

#include "sim/base/input_error.hpp"
#include "sim/study/axis_caps.hpp"
#include "sim/study/axis_effects.hpp"
#include "sim/study/sweep.hpp"
#include "sim/study/sweep_links.hpp"
#include "sim/study/sweep_loads.hpp"
#include "sim/study/sweep_percentiles.hpp"
#include "sim/study/sweep_report.hpp"
#include "sim/study/sweep_sensitivity.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct SweepCommandOptions {
  std::string sweep;
  std::string shard = "1/1";
  bool no_twins = false;
  RunOptions run;
};

constexpr const char* file_help =
    "The sweep file (all keys: workloads/SWEEP.md); each combination of the axes is a point:\n"
    "  scenario = \"scenario.toml\"\n"
    "  [set]                       keys of the scenario with one value for all points\n"
    "  model.layers = 8\n"
    "  [axes]                      keys that vary, each with the list of its values\n"
    "  cluster.gpus = [64, 128]\n"
    "  parallel.layers_per_stage = [[4, 4], [3, 5]]\n"
    "  [[rows.machine]]            keys that vary together: one axis, a row a value\n"
    "  name = \"slow\"               shown in the column machine (optional)\n"
    "  cluster.nic_gbit_per_s = 100\n"
    "  cluster.oversubscription = 4\n";

/// Parses a shard: "2/5" is the second of five parts.
std::pair<std::size_t, std::size_t> parse_shard(const std::string& text) {
  std::size_t part = 0;
  std::size_t parts = 0;
  const char* end = text.data() + text.size();
  const auto [slash, error] = std::from_chars(text.data(), end, part);
  if (error == std::errc{} && slash != end && *slash == '/') {
    const auto [rest, second_error] = std::from_chars(slash + 1, end, parts);
    if (second_error == std::errc{} && rest == end && part >= 1 && part <= parts)
      return {part, parts};
  }
  throw InputError({"--shard " + text}, "expected I/N with 1 <= I <= N");
}

void sweep_and_print(const SweepCommandOptions& command, const AppContext& context) {
  const SweepPlan plan = read_sweep(command.sweep, command.run.settings);
  SweepOptions options = sweep_options(command.run, context);
  std::tie(options.shard, options.shards) = parse_shard(command.shard);
  options.twins = !command.no_twins;
  ProgressBar bar;
  SweepTables tables;
  const ReportTable& results = tables.results =
      run_sweep(plan, options, [&](const SweepProgress& progress) { bar.show(progress); });
  tables.links = write_links(plan, results, options);
  tables.loads = write_loads(plan, results, options);
  tables.percentiles = write_percentiles(results, plan.axes, options.folder);
  if (command.run.sensitivity)
    tables.sensitivity = write_sensitivity(plan, results, options);
  else
    remove_sensitivity(options.folder);
  const ReportOrigin origin = sweep_origin(plan, results, context.command_line, version_text());
  write_origin(options.folder, origin);
  const auto report = write_report(options.folder, tables, origin, context.assets);
  const TableFormat format = command.run.format;
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

} // namespace

void add_sweep_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<SweepCommandOptions>();
  CLI::App* command = app.add_subcommand(
      "sweep",
      "Simulate every point of a grid; write results.csv, links.csv (how full the links of a few "
      "points are over their step), loads.csv (which experts they load), percentiles.csv (over "
      "the axis routing.seed) and report.html. Run again on the same folder, it goes on where "
      "it stopped.");
  command
      ->add_option("sweep", options->sweep,
                   "Sweep file (TOML): a scenario, [axes] with lists, rows of keys, [set]")
      ->type_name("SWEEP.toml")
      ->required();
  add_run_options(*command, options->run, "sweep");
  command->add_option("--shard", options->shard, "Only part I of N of the points")
      ->type_name("I/N");
  command->add_flag("--no-twins", options->no_twins,
                    "Do not compare the points with their dense twins: much faster; savings kept "
                    "and the other columns of the comparison stay empty");
  command->footer(file_help);
  command->callback([options, &context] { sweep_and_print(*options, context); });
}

} // namespace moesim
