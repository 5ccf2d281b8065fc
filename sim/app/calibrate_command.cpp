#include "sim/app/commands.hpp"

#include "sim/base/input_error.hpp"
#include "sim/calibrate/nccl_log.hpp"
#include "sim/calibrate/network_fit.hpp"
#include "sim/calibrate/residuals.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct CalibrateOptions {
  std::vector<std::string> measurements;
  std::string folder;
  std::string collective;
  std::string scale_up;
  double scale_up_gbyte_per_s = 0.0;
  std::string network;
  double network_gbyte_per_s = 0.0;
  std::int64_t domains = 0;
  bool in_switch = false;
  TableFormat format = TableFormat::table;
};

std::vector<Measurement> read_log(const std::string& path, const CalibrateOptions& options) {
  std::optional<Collective> given;
  const auto& names = collective_names();
  const auto named = std::find(names.begin(), names.end(), options.collective);
  if (named != names.end())
    given = static_cast<Collective>(named - names.begin());
  NcclLog log = read_nccl_log(path, given);
  if (options.domains > 0)
    log.hosts = options.domains;
  if (options.scale_up.empty() || options.scale_up_gbyte_per_s <= 0.0)
    throw InputError({path}, "a log does not name its links",
                     "say --scale-up nvlink4 --scale-up-gbyte-per-s 450, or as it is");
  const RankLinks links{options.scale_up, gbyte_per_s(options.scale_up_gbyte_per_s),
                        options.network_gbyte_per_s > 0.0 ? options.network : "",
                        gbyte_per_s(options.network_gbyte_per_s)};
  return log_measurements(log, links, options.in_switch);
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.flush();
  if (!file)
    throw InputError({path.string()}, "cannot be written");
}

ResultTable residual_table(const std::vector<TableResidual>& residuals) {
  ResultTable table{{"table", "medium", "collective", "ranks", "use", "rows",
                     "median_error_percent", "largest_error_percent"},
                    {}};
  for (const TableResidual& residual : residuals)
    table.rows.push_back({residual.table, residual.medium, collective_name(residual.collective),
                          std::to_string(residual.ranks), residual.fit ? "fit" : "hold-out",
                          std::to_string(residual.rows),
                          fmt::format("{:.1f}", residual.median_error_percent),
                          fmt::format("{:.1f}", residual.largest_error_percent)});
  return table;
}

void calibrate_and_print(const CalibrateOptions& options, const AppContext& context) {
  std::vector<Measurement> measurements;
  for (const std::string& path : options.measurements) {
    const std::vector<Measurement> read = std::filesystem::path(path).extension() == ".csv"
                                              ? read_measurements(path)
                                              : read_log(path, options);
    measurements.insert(measurements.end(), read.begin(), read.end());
  }
  const NetworkCost known = NetworkCost::load(context.calibration);
  const std::vector<NetworkCurve> curves = fit_network(measurements, known.curves());
  const NetworkCost costs(curves);
  const std::filesystem::path folder = options.folder;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  write_file(folder / "network.csv", network_csv(curves));
  write_file(folder / "network_startup.csv", network_startup_csv(curves));
  std::cout << render(residual_table(table_residuals(costs, measurements)), options.format);
  for (const NetworkCurve& curve : curves)
    std::cerr << fmt::format("{} on {}: median error {:.1f} % of the fitted rows\n",
                             collective_name(curve.collective), curve.medium,
                             curve.residual_percent);
  for (const GroupResidual& group : group_residuals(costs, measurements))
    std::cerr << fmt::format("held out, {} on {}: median error {:.1f} % of {} rows, {} tables\n",
                             collective_name(group.collective), group.medium,
                             group.median_error_percent, group.rows, group.tables);
  std::cerr << fmt::format("written: {} and {}\n", (folder / "network.csv").string(),
                           (folder / "network_startup.csv").string());
}

} // namespace

void add_calibrate_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<CalibrateOptions>();
  CLI::App* command = app.add_subcommand(
      "calibrate", "Fit the network's cost tables to measurements; print how far they are off, for "
                   "each table of 1 MB and more, those held out of the fit included. What no "
                   "measurement is of stays as in --calibration.");
  command
      ->add_option("measurements", options->measurements,
                   "Tables (.csv, columns as calibration/measurements) and outputs of nccl-tests "
                   "(any other name)")
      ->type_name("MEASUREMENT")
      ->required();
  command->add_option("--out", options->folder, "Folder for network.csv and network_startup.csv")
      ->type_name("DIR")
      ->required();
  CLI::Option_group* logs = command->add_option_group("What an output of nccl-tests leaves out");
  logs->add_option("--collective", options->collective, "If neither it nor its file name says")
      ->type_name("NAME")
      ->check(CLI::IsMember(
          {"all_to_all", "all_gather", "reduce_scatter", "all_reduce", "point_to_point"}));
  logs->add_option("--scale-up", options->scale_up, "Medium inside a node or NVLink domain")
      ->type_name("MEDIUM")
      ->check(CLI::IsMember(medium_names()));
  logs->add_option("--scale-up-gbyte-per-s", options->scale_up_gbyte_per_s,
                   "Of one GPU, one direction")
      ->check(CLI::PositiveNumber);
  logs->add_option("--network", options->network, "Medium between them")
      ->type_name("MEDIUM")
      ->check(CLI::IsMember(medium_names()));
  logs->add_option("--network-gbyte-per-s", options->network_gbyte_per_s,
                   "For each GPU, one direction")
      ->check(CLI::PositiveNumber);
  logs->add_option("--domains", options->domains,
                   "Nodes or NVLink domains (default: the hosts that it lists)")
      ->check(CLI::PositiveNumber);
  logs->add_flag("--in-switch", options->in_switch, "Its all-reduce sums in the NVLink switches");
  add_format_option(*command, options->format);
  command->callback([options, &context] { calibrate_and_print(*options, context); });
}

} // namespace moesim
