#include "sim/study/sweep.hpp"

#include "sim/base/check.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/input/file_text.hpp"
#include "sim/report/csv_text.hpp"
#include "sim/search/child_process.hpp"
#include "sim/study/cost_library.hpp"
#include "sim/study/output_file.hpp"
#include "sim/study/simulate.hpp"
#include "sim/study/sweep_journal.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> header_cells(const SweepPlan& plan) {
  std::vector<std::string> cells{"status", "reason"};
  cells.insert(cells.end(), plan.axes.begin(), plan.axes.end());
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

std::string row_without_result(const SweepPoint& point, const std::string& status,
                               const std::string& reason) {
  StepResult result;
  result.status = status;
  result.reason = reason;
  return row_text(point, result);
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

/// What makes two sweeps the same: the version, the text of every input, the settings, the points,
/// and the costs.
std::string sweep_fingerprint(const SweepPlan& plan, const SweepOptions& options) {
  std::string text = options.version + fmt::format("{}/{}", options.shard, options.shards);
  for (const fs::path& input : plan.inputs)
    text += read_file(input);
  text += csv_line(plan.settings);
  for (const SweepPoint& point : plan.points)
    text += csv_line(point.values) + point.illegal_reason;
  return fingerprint_of(text + calibration_text(options.calibration));
}

} // namespace

ReportTable run_sweep(const SweepPlan& plan, const SweepOptions& options,
                      const SweepProgress& progress) {
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (error)
    throw InputError({options.folder.string()}, "cannot be made: " + error.message());
  SweepJournal journal(options.folder, sweep_fingerprint(plan, options),
                       options.restart ? SweepJournal::OnOther::replace
                                       : SweepJournal::OnOther::refuse);
  CostLibrary costs(options.calibration);
  std::vector<ChildTask> tasks;
  std::size_t total = 0;
  for (std::size_t number = options.shard - 1; number < plan.points.size();
       number += options.shards) {
    ++total;
    if (journal.rows().contains(number))
      continue;
    const SweepPoint& point = plan.points[number];
    if (!point.scenario) {
      journal.add(number, row_without_result(point, "illegal", point.illegal_reason));
      continue;
    }
    const Costs& point_costs = costs.of(point.scenario->topology);
    tasks.push_back({number, [&point, &point_costs] {
                       return row_text(point, simulate(*point.scenario, point_costs).result);
                     }});
  }
  progress(journal.rows().size(), total);
  run_in_children(tasks, options.jobs, [&](std::size_t number, const ChildAnswer& answer) {
    journal.add(number, answer.ok ? answer.text
                                  : row_without_result(plan.points[number], "failed", answer.text));
    progress(journal.rows().size(), total);
  });
  std::string text = csv_line(header_cells(plan)) + "\n";
  for (const auto& [number, row] : journal.rows())
    text += row + "\n";
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
