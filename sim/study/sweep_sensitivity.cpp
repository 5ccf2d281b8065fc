#include "sim/study/sweep_sensitivity.hpp"

#include "sim/base/output_file.hpp"
#include "sim/report/csv_text.hpp"
#include "sim/report/report_answer.hpp"
#include "sim/study/column_condition.hpp"

#include <fmt/format.h>

namespace moesim {

namespace {

constexpr const char* sensitivity_file = "sensitivity.csv";

/// The values of a row's axes: "hgx-h100-ndr400, 256, 8".
std::string point_name(const SweepPlan& plan, const TableReader& results, std::size_t row) {
  std::string name;
  for (const std::string& axis : plan.axes)
    name += (name.empty() ? "" : ", ") + shown_value(results.text(row, axis));
  return name;
}

} // namespace

ReportTable sensitivity_rows(const SensitivityTable& found, const std::string& column) {
  ReportTable table{{"column", "base", "constant", "provenance", "error_percent", "low", "high",
                     "effect_percent", "measurement"},
                    {}};
  for (const Sensitivity& row : found.rows)
    table.rows.push_back({column, fmt::format("{:.9g}", found.base), row.constant, row.provenance,
                          fmt::format("{:.3g}", row.error_percent), fmt::format("{:.9g}", row.low),
                          fmt::format("{:.9g}", row.high),
                          fmt::format("{:.4g}", row.effect_percent), row.measurement});
  return table;
}

ReportTable write_sensitivity(const SweepPlan& plan, const ReportTable& results,
                              const SweepOptions& options) {
  const TableReader reader(results);
  ReportTable table = sensitivity_rows({}, "");
  if (const auto row = answered_row(reader)) {
    // The results of a shard hold every `shards`-th point of the plan.
    const std::size_t point = options.shard - 1 + *row * options.shards;
    const Scenario scenario =
        with_plan(plan.points.at(point).scenario.value(), reader.text(*row, "plan"));
    const ResultColumn& column = result_column("step_time_ms", "");
    table = sensitivity_rows(measure_sensitivity(scenario, column, options.calibration,
                                                 cost_levers(options.calibration, scenario),
                                                 Replanning::keep, [](std::size_t, std::size_t) {}),
                             column.name);
    for (std::vector<std::string>& cells : table.rows)
      cells.insert(cells.begin(), point_name(plan, reader, *row));
  }
  table.columns.insert(table.columns.begin(), "of");
  std::string text = csv_line(table.columns) + "\n";
  for (const std::vector<std::string>& cells : table.rows)
    text += csv_line(cells) + "\n";
  write_file(options.folder / sensitivity_file, text);
  return table;
}

void remove_sensitivity(const std::filesystem::path& folder) {
  std::filesystem::remove(folder / sensitivity_file);
}

ReportTable read_sensitivity(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / sensitivity_file;
  return std::filesystem::exists(path) ? read_results(path) : ReportTable{};
}

} // namespace moesim
