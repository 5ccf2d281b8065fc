#include "sim/app/commands.hpp"

#include "sim/base/input_error.hpp"
#include "sim/calibrate/calibration_folder.hpp"
#include "sim/calibrate/calibration_report.hpp"
#include "sim/calibrate/nccl_log.hpp"
#include "sim/calibrate/network_fit.hpp"
#include "sim/calibrate/residuals.hpp"
#include "sim/calibrate/table_errors.hpp"
#include "sim/study/output_file.hpp"

#include <fmt/format.h>

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
  if (!options.collective.empty())
    given = collective_named(options.collective);
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

ResultTable residual_table(const std::vector<TableResidual>& residuals) {
  ResultTable table{{"table", "medium", "collective", "ranks", "use", "rows",
                     "median_error_percent", "largest_error_percent"},
                    {}};
  for (const TableResidual& residual : residuals)
    table.rows.push_back({residual.table, residual.interconnect,
                          collective_name(residual.collective), std::to_string(residual.ranks),
                          residual.fit ? "fit" : "hold-out", std::to_string(residual.rows),
                          fmt::format("{:.1f}", residual.median_error_percent),
                          fmt::format("{:.1f}", residual.largest_error_percent)});
  return table;
}

ResultTable error_table(const std::vector<TableError>& errors) {
  ResultTable table{
      {"device", "table", "precision", "case", "rows", "median_percent", "p90_percent"}, {}};
  for (const TableError& error : errors)
    table.rows.push_back({error.device, error.table, name_of(precision_names, error.precision),
                          name_of(error_case_names, error.error_case), std::to_string(error.rows),
                          fmt::format("{:.1f}", error.median_percent),
                          fmt::format("{:.1f}", error.p90_percent)});
  return table;
}

/// Reads the network measurements among the given files; puts the tables of kernels into `tables`.
std::vector<Measurement> read_given(const CalibrateOptions& options,
                                    std::vector<std::filesystem::path>& tables) {
  std::vector<Measurement> measurements;
  for (const std::string& path : options.measurements) {
    if (is_kernel_table(path)) {
      tables.emplace_back(path);
      continue;
    }
    const std::vector<Measurement> read = std::filesystem::path(path).extension() == ".csv"
                                              ? read_measurements(path)
                                              : read_log(path, options);
    measurements.insert(measurements.end(), read.begin(), read.end());
  }
  return measurements;
}

/// Fits the network, prints the errors and writes its tables.
void fit_and_print(const std::vector<Measurement>& measurements, const CalibrateOptions& options,
                   CalibrationFindings& findings) {
  const std::filesystem::path folder = options.folder;
  findings.curves = fit_network(measurements, findings.curves);
  const NetworkCost costs(findings.curves);
  write_file(folder / "network.csv", network_csv(findings.curves));
  write_file(folder / "network_startup.csv", network_startup_csv(findings.curves));
  findings.held_out = group_residuals(costs, measurements);
  std::cout << render(residual_table(table_residuals(costs, measurements)), options.format) << '\n';
}

void calibrate_and_print(const CalibrateOptions& options, const AppContext& context) {
  std::vector<std::filesystem::path> tables;
  const std::vector<Measurement> measurements = read_given(options, tables);
  CalibrationFindings findings;
  findings.curves = NetworkCost::load(context.calibration).curves();
  const std::filesystem::path folder = options.folder;
  assemble_calibration(context.calibration, tables, folder);
  if (!measurements.empty())
    fit_and_print(measurements, options, findings);
  findings.tables = table_errors(folder);
  findings.own = compare_own_tables(folder);
  write_file(folder / "compute_errors.csv", compute_errors_csv(findings.tables));
  write_file(folder / "REPORT.md", calibration_report(findings));
  std::cout << render(error_table(findings.tables), options.format);
  std::cerr << fmt::format("written: {}, a folder for --calibration; in words: {}\n",
                           folder.string(), (folder / "REPORT.md").string());
}

} // namespace

void add_calibrate_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<CalibrateOptions>();
  CLI::App* command = app.add_subcommand(
      "calibrate", "Make a folder of costs from measurements, and print how far they are off. The "
                   "network is fitted to tables and logs of collectives: errors of each table of "
                   "1 MB and more, those held out of the fit included. Tables of kernel times are "
                   "tested by leaving measurements out. What no measurement is of stays as in "
                   "--calibration.");
  command
      ->add_option("measurements", options->measurements,
                   "Tables of collectives (.csv, columns as calibration/measurements), outputs of "
                   "nccl-tests (any other name), and DEVICE/gemm.csv, DEVICE/expert_gemm.csv, ...: "
                   "tables of kernel times as cuda_microbench writes them")
      ->type_name("MEASUREMENT")
      ->required();
  command
      ->add_option("--out", options->folder,
                   "Folder for all costs, compute_errors.csv and REPORT.md")
      ->type_name("DIR")
      ->required();
  CLI::Option_group* logs = command->add_option_group("What an output of nccl-tests leaves out");
  logs->add_option("--collective", options->collective, "If neither it nor its file name says")
      ->type_name("NAME")
      ->check(CLI::IsMember(
          {"all_to_all", "all_gather", "reduce_scatter", "all_reduce", "point_to_point"}));
  logs->add_option("--scale-up", options->scale_up, "Medium inside a node or NVLink domain")
      ->type_name("MEDIUM")
      ->check(CLI::IsMember(interconnect_names()));
  logs->add_option("--scale-up-gbyte-per-s", options->scale_up_gbyte_per_s,
                   "Of one GPU, one direction")
      ->check(CLI::PositiveNumber);
  logs->add_option("--network", options->network, "Medium between them")
      ->type_name("MEDIUM")
      ->check(CLI::IsMember(interconnect_names()));
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
