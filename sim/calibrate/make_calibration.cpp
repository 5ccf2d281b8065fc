#include "sim/calibrate/make_calibration.hpp"

#include "sim/base/output_file.hpp"
#include "sim/base/scratch_folder.hpp"
#include "sim/calibrate/calibration_folder.hpp"
#include "sim/calibrate/exchange_fit.hpp"
#include "sim/calibrate/network_fit.hpp"
#include "sim/calibrate/sustained_fit.hpp"
#include "sim/calibrate/table_errors.hpp"
#include "sim/cost/network_cost.hpp"

#include <algorithm>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// NCCL's times in the tables that were given.
struct OwnTimes {
  std::vector<Measurement> exchanges;   ///< between the GPUs of one node
  std::vector<Measurement> collectives; ///< the others
};

OwnTimes own_times(const fs::path& folder, const CalibrationInputs& inputs,
                   const std::vector<PlacedTable>& tables) {
  const std::map<std::string, DeviceRow> devices = read_devices(folder);
  OwnTimes times;
  for (const PlacedTable& table : tables) {
    const auto row = devices.find(table.device);
    RankLinks links;
    if (inputs.links)
      links = *inputs.links;
    else if (row != devices.end())
      links = {row->second.scale_up, row->second.scale_up_capacity, "", {}};
    if (table.to.filename() == "all_to_all.csv")
      append(times.exchanges, read_exchanges(folder / table.device, links));
    if (table.to.filename() == "collectives.csv")
      append(times.collectives, read_collectives(folder / table.device, links));
  }
  return times;
}

/// Gives curves that were fitted to another table than before, and to one alone, at least the error
/// that was known of the collective: one table tells nothing of other sizes and groups. Without a
/// curve of the interconnect, the largest of the collective's is known.
void keep_known_errors(std::vector<NetworkCurve>& curves, const std::vector<NetworkCurve>& before) {
  for (NetworkCurve& curve : curves) {
    if (curve.tables.find(' ') != std::string::npos)
      continue;
    double largest = 0.0;
    const NetworkCurve* same = nullptr;
    for (const NetworkCurve& known : before)
      if (known.collective == curve.collective) {
        largest = std::max(largest, known.p90_error_percent);
        if (known.interconnect == curve.interconnect)
          same = &known;
      }
    if (!same || same->tables != curve.tables)
      curve.p90_error_percent =
          std::max(curve.p90_error_percent, same ? same->p90_error_percent : largest);
  }
}

/// Fits the network of `folder` where there is something to fit it to: published times first, then
/// the user's own.
void fit_links(const fs::path& folder, const CalibrationInputs& inputs,
               const std::vector<PlacedTable>& tables, CalibrationFindings& findings) {
  const std::vector<NetworkCurve> before = NetworkCost::load(folder).curves();
  findings.curves = before;
  const OwnTimes own = own_times(folder, inputs, tables);
  std::set<CurveName> measured = inputs.logged;
  for (const Measurement& row : own.collectives)
    measured.insert(curve_name(row));
  std::vector<Measurement> rows = own.exchanges;
  append(rows, own.collectives);
  if (!inputs.measurements.empty())
    findings.curves = fit_network(inputs.measurements, findings.curves);
  findings.curves = stretch_interconnect(own.exchanges, findings.curves, measured);
  if (!rows.empty())
    findings.curves = fit_network(rows, findings.curves);
  for (const Measurement& row : inputs.measurements)
    if (inputs.logged.contains(curve_name(row)))
      rows.push_back(row);
  findings.curves = slow_other_all_reduces(rows, findings.curves);
  findings.curves = stretch_token_exchanges(inputs.token_exchanges, findings.curves);
  if (inputs.measurements.empty() && rows.empty() && inputs.token_exchanges.empty())
    return;
  keep_known_errors(findings.curves, before);
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
      given->second.constants = constants;
    }
    if (!constants.empty())
      result.findings.constants[device] = std::move(constants);
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
