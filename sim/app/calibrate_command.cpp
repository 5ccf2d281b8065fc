#include "sim/app/commands.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/scratch_folder.hpp"
#include "sim/calibrate/calibration_folder.hpp"
#include "sim/calibrate/deepep_log.hpp"
#include "sim/calibrate/make_calibration.hpp"
#include "sim/calibrate/nccl_log.hpp"
#include "sim/calibrate/residuals.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/input/file_text.hpp"
#include "sim/input/toml_document.hpp"
#include "sim/platform/topology_spec.hpp"
#include "sim/study/calibration_effects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>

namespace moesim {

namespace {

struct CalibrateOptions {
  std::vector<std::string> measurements;
  std::string folder;
  std::string collective;
  std::string topology;
  std::int64_t domains = 0;
  bool in_switch = false;
  TableFormat format = TableFormat::table;
};

NodeSpec node_of_log(const std::string& path, const CalibrateOptions& options) {
  if (options.topology.empty())
    throw InputError({path}, "a log does not name its links",
                     "say --topology topologies/hgx-h100-ndr400.toml, or your own file");
  return read_topology(options.topology).node;
}

/// The measurements of a log of nccl-tests.
std::vector<Measurement> read_collective_log(const std::string& path, const std::string& text,
                                             const CalibrateOptions& options) {
  std::optional<Collective> given;
  if (!options.collective.empty())
    given = collective_named(options.collective);
  NcclLog log = parse_nccl_log(text, path, given);
  const NodeSpec node = node_of_log(path, options);
  if (options.domains > 0 && log.hosts > 0 && node.scale_up_gpus == node.gpus &&
      options.domains != log.hosts)
    throw InputError({path},
                     fmt::format("the log lists {} hosts, not {}", log.hosts, options.domains),
                     "leave --domains out");
  log.hosts = options.domains > 0 ? options.domains : domains_of(log, node);
  return log_measurements(log, links_of(node), options.in_switch);
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

void read_log(const std::string& path, const CalibrateOptions& options,
              const std::filesystem::path& known, CalibrationInputs& inputs) {
  const std::string text = read_file(path);
  if (is_deepep_log(text)) {
    const NodeSpec node = node_of_log(path, options);
    append(inputs.token_exchanges, deepep_measurements(parse_deepep_log(text, path), node,
                                                       options.domains, NetworkCost::load(known)));
    return;
  }
  const std::vector<Measurement> rows = read_collective_log(path, text, options);
  for (const Measurement& row : rows)
    inputs.logged.insert(curve_name(row));
  append(inputs.measurements, rows);
}

CalibrationInputs read_inputs(const CalibrateOptions& options, const std::filesystem::path& known) {
  CalibrationInputs inputs;
  if (!options.topology.empty())
    inputs.links = links_of(read_topology(options.topology).node);
  for (const std::string& path : options.measurements) {
    if (is_kernel_table(path))
      inputs.tables.emplace_back(path);
    else if (std::filesystem::path(path).extension() == ".csv")
      append(inputs.measurements, read_measurements(path));
    else
      read_log(path, options, known, inputs);
  }
  return inputs;
}

/// The communication of a step that takes the costs of a collective.
std::string used_by(Collective collective) {
  switch (collective.pattern) {
  case Pattern::all_to_all:
    return "the dispatchers alltoall and hierarchical";
  case Pattern::all_gather:
  case Pattern::reduce_scatter:
    return "tensor, context and data parallelism; the dispatcher allgather";
  case Pattern::all_reduce:
    return "gradients of zero_stage 0; tensor parallelism without sequence parallelism";
  case Pattern::point_to_point:
    return "pipeline parallelism";
  case Pattern::dispatch:
  case Pattern::combine:
    return fmt::format("the dispatcher node-limited with dispatch_library {}",
                       name_of(library_names, collective.library));
  }
  INVARIANT(false, "pattern of {}", collective_name(collective));
}

/// Says which communication takes the curves that logs changed, since a plan may have none of it.
void print_uses(const CalibrationInputs& inputs) {
  std::set<CurveName> curves = inputs.logged;
  for (const Measurement& row : inputs.token_exchanges)
    curves.insert(curve_name(row));
  for (const auto& [interconnect, collective] : curves)
    std::cerr << fmt::format("{} on {} counts for: {}\n", collective_name(collective), interconnect,
                             used_by(collective));
}

ResultTable constants_table(const CalibrationResult& result) {
  ResultTable table{{"device", "constant", "value", "unit", "error_percent", "from"}, {}};
  for (const auto& [device, found] : result.devices)
    for (const MeasuredConstant& constant : found.constants)
      table.rows.push_back(
          {device, constant.name, fmt::format("{:.4g}", constant.value), constant.unit,
           constant.error_percent > 0.0 ? fmt::format("{:.1f}", constant.error_percent) : "",
           constant.source});
  return table;
}

/// The topology file below `folder` whose GPUs are of a kind: an HGX node, if there is one.
std::string topology_with(const std::filesystem::path& folder, const std::string& kind) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".toml" && read_topology(entry.path()).gpu.kind == kind)
      found.push_back(entry.path().string());
  std::sort(found.begin(), found.end());
  const auto hgx = std::find_if(found.begin(), found.end(), [](const std::string& path) {
    return std::filesystem::path(path).filename().string().starts_with("hgx-");
  });
  return hgx != found.end() ? *hgx : found.empty() ? "" : found.front();
}

/// Three shipped steps on GPUs of a kind; none without a topology file of the kind.
std::vector<ShippedStep> shipped_steps(const AppContext& context, const std::string& kind) {
  const std::string topology = topology_with(context.topologies, kind);
  if (topology.empty())
    return {};
  const std::string on = "cluster.topology=" + toml_string(std::filesystem::absolute(topology));
  const auto step = [&](const std::string& name, const std::string& workload,
                        std::vector<std::string> settings) {
    settings.push_back(on);
    return ShippedStep{name, context.workloads / workload / "scenario.toml", settings};
  };
  return {step("Mixtral-8x7B", "mixtral-8x7b", {}),
          step("DeepSeek-V3 under DualPipe", "deepseek-v3",
               {"communication.overlap=\"batch\"", "parallel.schedule=\"dualpipe\""}),
          step("Qwen3-30B-A3B without CUDA graphs", "qwen3-30b-a3b",
               {"training.cuda_graph_scope=\"none\""})};
}

ResultTable effect_table(const std::vector<CalibrationEffect>& effects) {
  ResultTable table{{"measured", "step", "before_ms", "after_ms", "change_percent"}, {}};
  for (const CalibrationEffect& effect : effects)
    table.rows.push_back(
        {effect.file, effect.step, fmt::format("{:.1f}", effect.before_ms),
         fmt::format("{:.1f}", effect.after_ms),
         fmt::format("{:+.2f}", 100.0 * (effect.after_ms / effect.before_ms - 1.0))});
  return table;
}

/// Prints the tables of a result one after the other; as JSON they are members of one object.
class TablePrinter {
public:
  explicit TablePrinter(TableFormat format) : format_(format) {}
  void print(const std::string& name, const ResultTable& table) {
    if (format_ == TableFormat::json)
      std::cout << fmt::format("{}\"{}\": ", printed_ ? ",\n" : "{\n", name);
    else if (printed_)
      std::cout << '\n';
    std::cout << render(table, format_) << std::flush;
    printed_ = true;
  }
  void finish() const {
    if (format_ == TableFormat::json)
      std::cout << "}\n";
  }

private:
  TableFormat format_;
  bool printed_ = false;
};

/// Prints what each of a device's files changes in shipped steps.
void print_effects(const CalibrationInputs& inputs, const std::string& device,
                   TablePrinter& printer, const AppContext& context) {
  const std::vector<ShippedStep> steps = shipped_steps(context, device);
  if (steps.empty()) {
    std::cerr << fmt::format("no topology file here has GPUs of the kind {}: no step is shown\n",
                             device);
    return;
  }
  std::cerr << "predicting shipped steps with each file alone, and with all\n";
  printer.print("effects_" + device,
                effect_table(calibration_effects(context.calibration, inputs, steps)));
}

void calibrate_and_print(const CalibrateOptions& options, const AppContext& context) {
  const std::filesystem::path folder = options.folder;
  const std::filesystem::path known = std::filesystem::absolute(context.calibration);
  const CalibrationInputs inputs = read_inputs(options, known);
  const ScratchFolder before; // the folder may be the known one
  assemble_calibration(known, {}, before.path());
  const CalibrationResult result = make_calibration(known, inputs, folder);
  std::vector<Measurement> collectives = inputs.measurements;
  append(collectives, inputs.token_exchanges);
  TablePrinter printer(options.format);
  if (!collectives.empty())
    printer.print("residuals", residual_table(table_residuals(NetworkCost(result.findings.curves),
                                                              collectives)));
  printer.print("errors", error_table(result.findings.tables));
  if (!result.devices.empty())
    printer.print("constants", constants_table(result));
  AppContext shown = context;
  shown.calibration = before.path();
  for (const auto& [device, found] : result.devices)
    print_effects(
        {found.tables, inputs.measurements, inputs.token_exchanges, inputs.logged, inputs.links},
        device, printer, shown);
  printer.finish();
  print_uses(inputs);
  std::cerr << fmt::format("written: {0}, a folder for --calibration; in words: {0}/REPORT.md\n",
                           folder.string());
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
                   "nccl-tests and of DeepEP's test_intranode.py and test_internode.py (any other "
                   "name), and DEVICE/gemm.csv, DEVICE/expert_gemm.csv, ...: "
                   "tables of kernel times as cuda_microbench writes them")
      ->type_name("MEASUREMENT")
      ->required();
  command
      ->add_option("--out", options->folder,
                   "Folder for all costs, compute_errors.csv and REPORT.md")
      ->type_name("DIR")
      ->required();
  CLI::Option_group* logs =
      command->add_option_group("What tables and logs of collectives leave out");
  logs->add_option("--collective", options->collective, "If neither it nor its file name says")
      ->type_name("NAME")
      ->check(CLI::IsMember(
          {"all_to_all", "all_gather", "reduce_scatter", "all_reduce", "point_to_point"}));
  logs->add_option("--topology", options->topology,
                   "Topology file of the cluster: interconnects, their speeds, GPUs of a domain")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  logs->add_option("--domains", options->domains,
                   "Nodes or NVLink domains (default: by the topology and the hosts that it lists)")
      ->check(CLI::Range(1, 1'000'000));
  logs->add_flag("--in-switch", options->in_switch, "Its all-reduce sums in the NVLink switches");
  add_format_option(*command, options->format);
  command->callback([options, &context] { calibrate_and_print(*options, context); });
}

} // namespace moesim
