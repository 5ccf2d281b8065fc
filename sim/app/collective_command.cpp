#include "sim/app/commands.hpp"

#include "sim/base/input_error.hpp"
#include "sim/study/collective_study.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <memory>
#include <set>

namespace moesim {

namespace {

struct CollectiveOptions {
  std::string name;
  std::string topology;
  std::int64_t gpus = 0;
  std::vector<std::string> sizes;
  std::string fidelity = "folded";
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
};

constexpr const char* collective_footer =
    "SIZE, algbw and busbw are what nccl-tests prints: the size is each rank's buffer, of an\n"
    "all-to-all its own part included, of an all-gather what it has received in the end.\n"
    "K, M and G stand for powers of 1024, as nccl-tests reads them.\n\n"
    "Keys for --set: collective.algorithm (all-reduce: fastest, ring, tree, in-switch; "
    "all-to-all:\n"
    "flat, hierarchical), and every key of [cluster], as cluster.oversubscription.\n"
    "dispatch and combine take no --bytes, but collective.tokens, hidden, experts,\n"
    "experts_per_token, groups, groups_per_token and precision.\n\n"
    "Example: moesim collective all-to-all topologies/hgx-h100-ndr400.toml --gpus 64 "
    "--bytes 1M,16M,256M";

/// A size as nccl-tests reads it: a whole number, with K, M or G for powers of 1024.
std::int64_t parse_size(const std::string& text) {
  constexpr std::int64_t unit = 1024;
  std::int64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string suffix(rest, text.data() + text.size());
  std::int64_t factor = 0;
  if (suffix.empty())
    factor = 1;
  else if (suffix == "K" || suffix == "k")
    factor = unit;
  else if (suffix == "M" || suffix == "m")
    factor = unit * unit;
  else if (suffix == "G" || suffix == "g")
    factor = unit * unit * unit;
  if (error != std::errc() || factor == 0 || number <= 0)
    throw InputError({"--bytes", 1, 1, text}, fmt::format("\"{}\" is not a size", text),
                     "a whole number of bytes, or with K, M or G: 64K, 16M, 1G");
  constexpr std::int64_t bytes_max = std::int64_t{1} << 50;
  if (number > bytes_max / factor)
    throw InputError({"--bytes", 1, 1, text}, fmt::format("{} is too large", text),
                     "at most 1048576G, a pebibyte");
  return number * factor;
}

TomlDocument document_of(const CollectiveOptions& options) {
  TomlDocument document = TomlDocument::parse("[collective]\n[cluster]\n[simulation]\n", "--set");
  document.set("collective.name=\"" + options.name + "\"");
  // The topology is an argument of its own: an error about its file points at no setting.
  const InputLocation where{.file = "TOPOLOGY.toml", .source_line = ""};
  document.set({"cluster.topology", toml_string(options.topology), where, where});
  document.set(fmt::format("cluster.gpus={}", options.gpus));
  document.set("simulation.fidelity=\"" + options.fidelity + "\"");
  std::vector<std::int64_t> sizes;
  for (const std::string& size : options.sizes)
    sizes.push_back(parse_size(size));
  if (!sizes.empty())
    document.set(fmt::format("collective.bytes=[{}]", fmt::join(sizes, ",")));
  for (const std::string& setting : options.settings)
    document.set(setting);
  return document;
}

void time_and_print(const CollectiveOptions& options, const AppContext& context) {
  const CollectiveScenario scenario = read_collective(document_of(options), "");
  ResultTable table{{"size_bytes", "time_us", "algbw_gbyte_per_s", "busbw_gbyte_per_s",
                     "bottleneck", "algorithm"},
                    {}};
  std::set<std::string> extrapolated;
  std::set<std::string> stand_ins;
  for (const CollectiveResult& result :
       time_collective(scenario, NetworkCost::load(context.calibration))) {
    extrapolated.insert(result.extrapolated.begin(), result.extrapolated.end());
    stand_ins.insert(result.stand_ins.begin(), result.stand_ins.end());
    table.rows.push_back(
        {std::to_string(result.size.value), fmt::format("{:.9g}", result.time.value * 1e6),
         fmt::format("{:.9g}", result.algbw_gbyte_per_s),
         fmt::format("{:.9g}", result.busbw_gbyte_per_s), result.bottleneck, result.algorithm});
  }
  std::cout << render(table, options.format);
  if (!extrapolated.empty())
    std::cerr << fmt::format("warning: network costs beyond what was measured: {}\n",
                             fmt::join(extrapolated, ", "));
  if (!stand_ins.empty())
    std::cerr << fmt::format("warning: measurements of something else stand in for {}\n",
                             fmt::join(stand_ins, ", "));
}

} // namespace

void add_collective_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<CollectiveOptions>();
  CLI::App* command =
      app.add_subcommand("collective", "Time one collective alone, as nccl-tests would");
  const std::string names = fmt::format("{}", fmt::join(lone_collective_names(), ", "));
  command->add_option("name", options->name, names)->type_name("NAME")->required();
  command->add_option("topology", options->topology, "Topology file (TOML)")
      ->type_name("TOPOLOGY.toml")
      ->required();
  command->add_option("--gpus", options->gpus, "How many GPUs take part")->required();
  command->add_option("--bytes", options->sizes, "Sizes, separated by commas")
      ->delimiter(',')
      ->type_name("SIZE[,SIZE...]");
  command->add_option("--fidelity", options->fidelity, "folded, ranks or flows")
      ->type_name("FIDELITY");
  add_settings_option(*command, options->settings);
  add_format_option(*command, options->format);
  command->footer(collective_footer);
  command->callback([options, &context] { time_and_print(*options, context); });
}

} // namespace moesim
