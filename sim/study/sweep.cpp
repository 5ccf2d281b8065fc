#include "sim/study/sweep.hpp"

#include "sim/base/output_file.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/input/file_text.hpp"
#include "sim/report/csv_text.hpp"
#include "sim/study/sweep_journal.hpp"
#include "sim/study/sweep_run.hpp"
#include "sim/workload/model_family.hpp"

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

/// Every table below a folder, in the order of their names.
std::vector<fs::path> calibration_tables(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw InputError({folder.string()}, "is no folder of calibration tables");
  std::vector<fs::path> tables;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".csv")
      tables.push_back(entry.path());
  std::sort(tables.begin(), tables.end());
  return tables;
}

/// The points of a plan, and why those that are illegal are.
std::string text_of_points(const SweepPlan& plan) {
  std::string text;
  for (const SweepPoint& point : plan.points)
    text += csv_line(point.values) + point.illegal_reason + "\n";
  return text;
}

} // namespace

SweepIdentity sweep_identity(const SweepPlan& plan, const SweepOptions& options) {
  SweepIdentity identity{
      {"version", options.version},
      {"--shard", fmt::format("{}/{}", options.shard, options.shards)},
      {"--no-twins", options.twins ? "no" : "yes"},
  };
  const auto add_file = [&](const fs::path& file) {
    identity.emplace_back(file.string(), fingerprint_of(read_file(file)));
  };
  if (plan.answer_inputs) {
    identity.emplace_back("model, training or setting", fingerprint_of(plan.answer_inputs->shared));
  } else {
    identity.emplace_back("--set", fingerprint_of(csv_line(plan.settings)));
    for (const fs::path& input : plan.inputs)
      add_file(input);
    identity.emplace_back("list of points", fingerprint_of(text_of_points(plan)));
  }
  for (const fs::path& family : family_files())
    add_file(family);
  for (const fs::path& table : calibration_tables(options.calibration))
    add_file(table);
  return identity;
}

std::map<std::size_t, PointAnswer> run_points(const SweepPlan& plan, const SweepOptions& options,
                                              const SweepObserver& observe) {
  SweepJournal journal(options.folder, sweep_identity(plan, options),
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
