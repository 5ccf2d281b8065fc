#include "sim/calibrate/make_calibration.hpp"

#include "sim/base/output_file.hpp"
#include "sim/base/scratch_folder.hpp"
#include "sim/calibrate/calibration_folder.hpp"
#include "sim/calibrate/exchange_fit.hpp"
#include "sim/calibrate/network_fit.hpp"
#include "sim/calibrate/sustained_fit.hpp"
#include "sim/calibrate/table_errors.hpp"
#include "sim/cost/network_cost.hpp"

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The exchanges of all given tables that time them.
std::vector<Measurement> exchanges_of(const fs::path& folder,
                                      const std::vector<PlacedTable>& tables) {
  const std::map<std::string, DeviceRow> devices = read_devices(folder);
  std::vector<Measurement> exchanges;
  for (const PlacedTable& table : tables)
    if (table.to.filename() == "all_to_all.csv")
      if (const auto row = devices.find(table.device); row != devices.end())
        for (Measurement& read : read_exchanges(folder / table.device, row->second))
          exchanges.push_back(std::move(read));
  return exchanges;
}

/// Fits the network of `folder` where there is something to fit it to.
void fit_links(const fs::path& folder, const CalibrationInputs& inputs,
               const std::vector<PlacedTable>& tables, CalibrationFindings& findings) {
  findings.curves = NetworkCost::load(folder).curves();
  const std::vector<Measurement> exchanges = exchanges_of(folder, tables);
  if (inputs.measurements.empty() && exchanges.empty())
    return;
  if (!inputs.measurements.empty())
    findings.curves = fit_network(inputs.measurements, findings.curves);
  findings.curves = fit_exchanges(exchanges, findings.curves, inputs.logged);
  write_file(folder / "network.csv", network_csv(findings.curves));
  write_file(folder / "network_startup.csv", network_startup_csv(findings.curves));
  if (!inputs.measurements.empty())
    findings.held_out = group_residuals(NetworkCost(findings.curves), inputs.measurements);
}

/// The same error at the given file instead of its copy.
InputError in_given_file(const InputError& error, const fs::path& folder,
                         const std::vector<PlacedTable>& tables) {
  for (const PlacedTable& table : tables)
    if (error.where().file == (folder / table.to).string()) {
      InputLocation where = error.where();
      where.file = table.from.string();
      return InputError(where, error.message(), error.hint());
    }
  return error;
}

CalibrationResult fit_all(const fs::path& folder, const CalibrationInputs& inputs,
                          const std::vector<PlacedTable>& tables) {
  CalibrationResult result;
  fit_links(folder, inputs, tables, result.findings);
  result.findings.tables = table_errors(folder);
  result.findings.own = compare_own_tables(folder);
  write_file(folder / "compute_errors.csv", compute_errors_csv(result.findings.tables));
  for (const PlacedTable& table : tables)
    result.devices[table.device].tables.push_back(table.from);
  for (const std::string& device : measured_kinds(folder)) {
    std::vector<MeasuredConstant> constants = fit_device_constants(folder, device);
    if (const auto given = result.devices.find(device); given != result.devices.end()) {
      fit_sustained(folder, device);
      given->second.constants = std::move(constants);
    }
  }
  write_file(folder / "REPORT.md", calibration_report(result.findings));
  return result;
}

} // namespace

CalibrationResult make_calibration(const fs::path& known, const CalibrationInputs& inputs,
                                   const fs::path& out) {
  const ScratchFolder scratch;
  const std::vector<PlacedTable> tables =
      assemble_calibration(known, inputs.tables, scratch.path());
  CalibrationResult result;
  try {
    result = fit_all(scratch.path(), inputs, tables);
  } catch (const InputError& error) {
    throw in_given_file(error, scratch.path(), tables);
  }
  copy_calibration(scratch.path(), out);
  return result;
}

} // namespace moesim
