#include "sim/study/sweep_loads.hpp"

#include "sim/base/output_file.hpp"
#include "sim/report/csv_text.hpp"
#include "sim/routing/expert_load.hpp"
#include "sim/study/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace moesim {

namespace {

constexpr const char* loads_file = "loads.csv";
constexpr std::size_t rows_max = 60'000;
const std::vector<std::string> columns = {"point", "chosen_as", "layer", "expert",
                                          "load_over_mean"};

/// The cells of a row in all axes but the step.
std::vector<std::string> other_cells(const ReportTable& results,
                                     const std::vector<std::string>& axes, std::size_t row) {
  std::vector<std::string> cells;
  for (const std::string& axis : axes)
    if (axis != "routing.step" && results.has(axis))
      cells.push_back(results.rows[row][results.find(axis)]);
  return cells;
}

/// Tokens that the router chooses for each expert of a layer, summed over all micro-batches.
std::vector<std::int64_t> wanted_tokens(const ExpertLoads& loads, std::int64_t layer) {
  std::vector<std::int64_t> wanted = loads.at(layer, 0)->wanted;
  for (std::int64_t micro_batch = 1; micro_batch < loads.micro_batches(); ++micro_batch) {
    const std::vector<std::int64_t>& more = loads.at(layer, micro_batch)->wanted;
    std::transform(wanted.begin(), wanted.end(), more.begin(), wanted.begin(), std::plus<>());
  }
  return wanted;
}

std::vector<std::vector<std::string>> rows_of(const ShownPoint& shown, const Workload& workload) {
  std::vector<std::vector<std::string>> rows;
  if (workload.routing.even())
    return rows;
  const ExpertLoads loads(workload);
  for (std::size_t layer = 0; layer < workload.model.layers.size(); ++layer) {
    if (!workload.model.layers[layer].moe)
      continue;
    const auto wanted = wanted_tokens(loads, static_cast<std::int64_t>(layer));
    const double mean =
        static_cast<double>(std::accumulate(wanted.begin(), wanted.end(), std::int64_t{0})) /
        static_cast<double>(wanted.size());
    for (std::size_t expert = 0; expert < wanted.size(); ++expert)
      rows.push_back({std::to_string(shown.row + 1), shown.chosen_as, std::to_string(layer),
                      std::to_string(expert),
                      fmt::format("{:.4g}", static_cast<double>(wanted[expert]) / mean)});
  }
  return rows;
}

} // namespace

std::vector<ShownPoint> choose_load_points(const ReportTable& results,
                                           const std::vector<std::string>& axes) {
  std::map<std::size_t, std::string> chosen;
  for (const ShownPoint& shown : choose_shown_points(results)) {
    chosen.emplace(shown.row, shown.chosen_as);
    for (std::size_t row = 0; results.has("routing.step") && row < results.rows.size(); ++row)
      if (results.rows[row].front() == "ok" &&
          other_cells(results, axes, row) == other_cells(results, axes, shown.row))
        chosen.emplace(row, "another step");
  }
  std::vector<ShownPoint> points;
  for (const auto& [row, chosen_as] : chosen)
    points.push_back({row, chosen_as});
  return points;
}

ReportTable write_loads(const SweepPlan& plan, const ReportTable& results,
                        const SweepOptions& options) {
  std::string text = csv_line(columns) + "\n";
  std::size_t written = 0;
  for (const ShownPoint& shown : choose_load_points(results, plan.axes)) {
    // The results of a shard hold every `shards`-th point of the plan.
    const std::size_t point = options.shard - 1 + shown.row * options.shards;
    const auto rows = rows_of(shown, workload_under(plan.points.at(point).scenario.value(),
                                                    results.rows[shown.row][results.find("plan")]));
    if (written + rows.size() > rows_max)
      break;
    written += rows.size();
    for (const std::vector<std::string>& row : rows)
      text += csv_line(row) + "\n";
  }
  write_file(options.folder / loads_file, text);
  return read_loads(options.folder);
}

ReportTable read_loads(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / loads_file;
  return std::filesystem::exists(path) ? read_results(path) : ReportTable{};
}

} // namespace moesim
