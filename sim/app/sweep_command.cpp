#include "sim/app/commands.hpp"
#include "sim/app/run_options.hpp"
#include "sim/app/sweep_output.hpp"

#include "sim/base/input_error.hpp"
#include "sim/study/folder_lock.hpp"

#include <charconv>
#include <memory>
#include <tuple>

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
  SweepRequest request{command.sweep, command.run.settings, !command.no_twins};
  std::tie(request.shard, request.shards) = parse_shard(command.shard);
  const SweepPlan plan = read_sweep(command.sweep, command.run.settings);
  SweepOptions options = sweep_options(command.run, context);
  options.shard = request.shard;
  options.shards = request.shards;
  options.twins = request.twins;
  const FolderLock lock(options.folder);
  run_and_print(plan, request, options, command.run, context);
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
