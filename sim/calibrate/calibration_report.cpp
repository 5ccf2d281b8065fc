#include "sim/calibrate/calibration_report.hpp"

#include <fmt/format.h>

namespace moesim {

namespace {

constexpr const char* head = R"(# How wrong the costs may be

Written by `moesim calibrate calibration/measurements/*.csv --out calibration`. Errors are
|predicted / measured − 1|. *90 %*: nine in ten rows are off by at most that; it is the error bar of
a step's time.

## Kernels

- **inside**: every measured shape that has neighbours on both sides, left out, from the others
- **edge**: the largest size of each axis, left out, from the next smaller one
- **other-experts**: all rows of an expert size, from the tables of the nearest other size
- **other-device**: each device's table from the first one that it borrows from in `gpus.csv`,
  scaled by peak and memory bandwidth

Without rows a case takes the largest error that its table has in any other.

| device | table | precision | case | rows | median | 90 % |
| --- | --- | --- | --- | ---: | ---: | ---: |
)";

constexpr const char* no_own = R"(
## Our own measurements beside the published ones

None yet: no folder `measured` of a device here.
)";

std::string own_text(const std::vector<TableComparison>& own) {
  if (own.empty())
    return no_own;
  std::string text = "\n## Our own measurements beside the published ones\n\n"
                     "| device | table | precision | rows | published / ours, median | 90 % | over "
                     "10 % |\n| --- | --- | --- | ---: | ---: | ---: | ---: |\n";
  for (const TableComparison& row : own)
    text += fmt::format("| {} | {} | {} | {} | {:.2f} | {:.1f} % | {} |\n", row.device, row.table,
                        name_of(precision_names, row.precision), row.rows, row.median_ratio,
                        row.p90_percent, row.far_off);
  return text;
}

std::string constants_text(const std::map<std::string, std::vector<MeasuredConstant>>& devices) {
  if (devices.empty())
    return "";
  std::string text =
      "\n## Constants fitted to a user's files\n\n"
      "| device | constant | value | 90 % | from |\n| --- | --- | ---: | ---: | --- |\n";
  for (const auto& [device, constants] : devices)
    for (const MeasuredConstant& constant : constants)
      text += fmt::format(
          "| {} | {} | {:.4g} {} | {} | {} |\n", device, constant.name, constant.value,
          constant.unit,
          constant.error_percent > 0.0 ? fmt::format("{:.1f} %", constant.error_percent) : "",
          constant.source);
  return text;
}

std::string network_text(const CalibrationFindings& findings) {
  std::string text = "\n## Network\n\nRows of 1 MB and more; those held out of the fit are in the "
                     "90 %.\n\n| medium | collective | median of the fit | 90 % |\n"
                     "| --- | --- | ---: | ---: |\n";
  for (const NetworkCurve& curve : findings.curves)
    text += fmt::format("| {} | {} | {:.1f} % | {:.1f} % |\n", curve.interconnect,
                        collective_name(curve.collective), curve.residual_percent,
                        curve.p90_error_percent);
  if (findings.held_out.empty())
    return text;
  text += "\nHeld out of the fit:\n\n| medium | collective | tables | rows | median |\n"
          "| --- | --- | ---: | ---: | ---: |\n";
  for (const GroupResidual& group : findings.held_out)
    text += fmt::format("| {} | {} | {} | {} | {:.1f} % |\n", group.interconnect,
                        collective_name(group.collective), group.tables, group.rows,
                        group.median_error_percent);
  return text;
}

} // namespace

std::string calibration_report(const CalibrationFindings& findings) {
  std::string text = head;
  for (const TableError& error : findings.tables)
    text += fmt::format("| {} | {} | {} | {} | {} | {:.1f} % | {:.1f} % |\n", error.device,
                        error.table, name_of(precision_names, error.precision),
                        name_of(error_case_names, error.error_case), error.rows,
                        error.median_percent, error.p90_percent);
  return text + own_text(findings.own) + constants_text(findings.constants) +
         network_text(findings);
}

} // namespace moesim
