#include "sim/study/sweep.hpp"

#include "sim/base/output_file.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/input/file_text.hpp"
#include "sim/report/csv_text.hpp"
#include "sim/study/sweep_journal.hpp"
#include "sim/study/sweep_run.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> header_cells(const SweepPlan& plan) {
  std::vector<std::string> cells{"status", "reason"};
  cells.insert(cells.end(), plan.columns.begin(), plan.columns.end());
  for (const ResultColumn& column : result_columns())
    cells.emplace_back(column.name);
  return cells;
}

std::string row_text(const SweepPoint& point, const StepResult& result) {
  std::vector<std::string> cells{result.status, result.reason};
  cells.insert(cells.end(), point.values.begin(), point.values.end());
  for (const ResultColumn& column : result_columns())
    cells.push_back(cell_text(result, column));
  return csv_line(cells);
}

/// The text of every table below a folder, in the order of their names.
std::string calibration_text(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw InputError({folder.string()}, "is no folder of calibration tables");
  std::vector<fs::path> tables;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".csv")
      tables.push_back(entry.path());
  std::sort(tables.begin(), tables.end());
  std::string text;
  for (const fs::path& table : tables)
    text += read_file(table);
  return text;
}

/// The text of every input, settings and points.
std::string text_of(const SweepPlan& plan) {
  std::string text = csv_line(plan.settings);
  for (const fs::path& input : plan.inputs)
    text += read_file(input);
  for (const SweepPoint& point : plan.points)
    text += csv_line(point.values) + point.illegal_reason;
  return text;
}

/// Identifies a sweep by version, costs, and what all of its answers depend on.
std::string sweep_fingerprint(const SweepPlan& plan, const SweepOptions& options) {
  return fingerprint_of(
      options.version +
      fmt::format("{}/{} {}", options.shard, options.shards, options.twins ? "twins" : "no twins") +
      (plan.answer_inputs ? plan.answer_inputs->shared : text_of(plan)) +
      calibration_text(options.calibration));
}

} // namespace

std::map<std::size_t, PointAnswer> run_points(const SweepPlan& plan, const SweepOptions& options,
                                              const SweepObserver& observe) {
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (error)
    throw InputError({options.folder.string()}, "cannot be made: " + error.message());
  SweepJournal journal(options.folder, sweep_fingerprint(plan, options),
                       options.restart ? SweepJournal::OnOther::replace
                                       : SweepJournal::OnOther::refuse);
  SweepRun run(plan, options, journal);
  run.run(observe);
  return run.answers();
}

ReportTable run_sweep(const SweepPlan& plan, const SweepOptions& options,
                      const SweepObserver& observe) {
  const std::map<std::size_t, PointAnswer> answers = run_points(plan, options, observe);
  std::string text = csv_line(header_cells(plan)) + "\n";
  for (const auto& [number, answer] : answers)
    text += row_text(plan.points[number], answer.result) + "\n";
  write_file(options.folder / "results.csv", text);
  return read_results(options.folder / "results.csv");
}

ReportTable read_results(const fs::path& path) {
  const CsvTable csv = CsvTable::read(path);
  ReportTable table;
  table.columns = csv.columns();
  for (std::size_t row = 0; row < csv.rows(); ++row) {
    table.rows.emplace_back();
    for (std::size_t column = 0; column < csv.columns().size(); ++column)
      table.rows.back().push_back(csv.text(row, column));
  }
  return table;
}

} // namespace moesim
