#include "sim/study/sweep_percentiles.hpp"

#include "sim/base/median.hpp"
#include "sim/base/output_file.hpp"
#include "sim/report/csv_text.hpp"
#include "sim/study/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace moesim {

namespace {

constexpr const char* percentiles_file = "percentiles.csv";
constexpr const char* seed_axis = "routing.seed";
const std::vector<std::string> measures = {"step_time_ms", "memory_gib_per_gpu",
                                           "dropped_tokens_percent", "load_max_over_mean"};
const std::vector<std::pair<std::string, double>> percentile_shares = {
    {"_p50", 0.5}, {"_p95", 0.95}, {"_p99", 0.99}};

/// The rows of each combination of the other axes, in the order of its first.
std::vector<std::pair<std::vector<std::string>, std::vector<std::size_t>>>
groups_of(const ReportTable& results, const std::vector<std::string>& others) {
  std::vector<std::pair<std::vector<std::string>, std::vector<std::size_t>>> groups;
  for (std::size_t row = 0; row < results.rows.size(); ++row) {
    std::vector<std::string> key;
    for (const std::string& axis : others)
      key.push_back(results.rows[row][results.find(axis)]);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& known) { return known.first == key; });
    if (group == groups.end())
      group = groups.insert(groups.end(), {key, {}});
    group->second.push_back(row);
  }
  return groups;
}

} // namespace

ResultTable seed_percentiles(const ReportTable& results, const std::vector<std::string>& axes) {
  std::vector<std::string> others;
  for (const std::string& axis : axes)
    if (axis != seed_axis && results.has(axis))
      others.push_back(axis);
  ResultTable table{others, {}};
  table.columns.insert(table.columns.end(), {"seeds", "out_of_memory_percent"});
  for (const std::string& measure : measures)
    for (const auto& [ending, share] : percentile_shares)
      table.columns.push_back(measure + ending);
  if (std::find(axes.begin(), axes.end(), seed_axis) == axes.end())
    return table;
  const TableReader reader(results);
  for (const auto& [key, rows] : groups_of(results, others)) {
    const auto count = [&](const std::string& status) {
      return std::count_if(rows.begin(), rows.end(),
                           [&](std::size_t row) { return reader.text(row, "status") == status; });
    };
    std::vector<std::string> cells = key;
    cells.push_back(std::to_string(count("ok")));
    cells.push_back(fmt::format("{:.6g}", 100.0 * static_cast<double>(count("out-of-memory")) /
                                              static_cast<double>(rows.size())));
    for (const std::string& measure : measures) {
      std::vector<double> values;
      for (const std::size_t row : rows)
        if (const auto value = reader.number(row, measure); value && reader.is_ok(row))
          values.push_back(*value);
      for (const auto& [ending, share] : percentile_shares)
        cells.push_back(values.empty() ? "" : fmt::format("{:.9g}", percentile(values, share)));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

ReportTable write_percentiles(const ReportTable& results, const std::vector<std::string>& axes,
                              const std::filesystem::path& folder) {
  const ResultTable table = seed_percentiles(results, axes);
  if (table.rows.empty()) {
    std::filesystem::remove(folder / percentiles_file);
    return {};
  }
  std::string text = csv_line(table.columns) + "\n";
  for (const std::vector<std::string>& row : table.rows)
    text += csv_line(row) + "\n";
  write_file(folder / percentiles_file, text);
  return read_percentiles(folder);
}

ReportTable read_percentiles(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / percentiles_file;
  return std::filesystem::exists(path) ? read_results(path) : ReportTable{};
}

} // namespace moesim
