#include "sim/study/sweep_links.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/output_file.hpp"
#include "sim/report/csv_text.hpp"
#include "sim/report/link_report.hpp"
#include "sim/scenario/placed_topology.hpp"
#include "sim/search/child_process.hpp"
#include "sim/study/cost_library.hpp"
#include "sim/study/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace moesim {

namespace {

constexpr const char* links_file = "links.csv";

/// The row with the least number in a column, of those that `holds` accepts and that have one.
template <typename Holds>
std::optional<std::size_t> least(const ReportTable& table, const std::string& column,
                                 const Holds& holds) {
  std::optional<std::pair<double, std::size_t>> best;
  const std::size_t cell = table.find(column);
  for (std::size_t row = 0; cell < table.columns.size() && row < table.rows.size(); ++row) {
    const std::vector<std::string>& cells = table.rows[row];
    if (cells.front() != "ok" || cells[cell].empty() || !holds(cells))
      continue;
    const std::pair<double, std::size_t> candidate{std::stod(cells[cell]), row};
    if (!best || candidate < *best)
      best = candidate;
  }
  return best ? std::optional(best->second) : std::nullopt;
}

/// The rows of links.csv for one point, a line each. `step_time_ms` is what the results say.
std::string link_lines(const ShownPoint& shown, const std::string& step_time_ms,
                       const std::string& plan, const Scenario& scenario, const Costs& costs) {
  const Workload workload = workload_under(scenario, plan);
  const Topology topology(placed_topology(scenario.topology, workload.plan), workload.plan.gpus);
  const Timeline timeline =
      play_step(workload, topology, scenario.fidelity, costs, ExpertLoads(workload)).timeline;
  constexpr double rounding = 1e-8; // of the results
  const double shown_ms = timeline.end.value * 1e3;
  INVARIANT(std::abs(shown_ms / std::stod(step_time_ms) - 1.0) < rounding,
            "point {} took {} ms and takes {} ms", shown.row + 1, step_time_ms, shown_ms);
  std::string lines;
  for (std::vector<std::string>& row : link_table(link_utilisation(timeline)).rows) {
    row.insert(row.begin(), {std::to_string(shown.row + 1), shown.chosen_as});
    lines += csv_line(row) + "\n";
  }
  return lines;
}

} // namespace

std::vector<ShownPoint> choose_shown_points(const ReportTable& results) {
  const std::size_t topology = results.find("cluster.topology");
  const bool by_topology = topology < results.columns.size();
  std::vector<std::string> values;
  for (const auto& row : results.rows) {
    const std::string value = by_topology ? row[topology] : "";
    if (std::find(values.begin(), values.end(), value) == values.end())
      values.push_back(value);
  }
  std::vector<ShownPoint> shown;
  for (const std::string& value : values) {
    const auto holds = [&](const std::vector<std::string>& row) {
      return !by_topology || row[topology] == value;
    };
    const auto fastest = least(results, "step_time_ms", holds);
    const auto least_kept = least(results, "savings_kept_percent", holds);
    if (fastest)
      shown.push_back({*fastest, "fastest"});
    if (least_kept && least_kept != fastest)
      shown.push_back({*least_kept, "least savings kept"});
  }
  return shown;
}

ReportTable write_links(const SweepPlan& plan, const ReportTable& results,
                        const SweepOptions& options) {
  const std::vector<ShownPoint> shown = choose_shown_points(results);
  CostLibrary costs(options.calibration);
  std::vector<ChildTask> tasks;
  for (std::size_t number = 0; number < shown.size(); ++number) {
    // The results of a shard hold every `shards`-th point of the plan.
    const std::size_t point = options.shard - 1 + shown[number].row * options.shards;
    const Scenario& scenario = plan.points.at(point).scenario.value();
    const Costs& point_costs = costs.of(scenario.topology, scenario.workload.training);
    const std::string& step_time_ms = results.rows[shown[number].row][results.find("step_time_ms")];
    const std::string& point_plan = results.rows[shown[number].row][results.find("plan")];
    tasks.push_back({number, [&, number] {
                       return link_lines(shown[number], step_time_ms, point_plan, scenario,
                                         point_costs);
                     }});
  }
  std::map<std::size_t, std::string> lines;
  run_in_children(tasks, options.jobs, [&](std::size_t number, const ChildAnswer& answer) {
    if (answer.killed)
      throw InputError({options.folder.string()},
                       fmt::format("links of point {}: {}", shown[number].row + 1, answer.text),
                       "run the same command again; what has finished is kept");
    INVARIANT(answer.ok, "point {} ran before: {}", shown[number].row + 1, answer.text);
    lines[number] = answer.text;
  });
  ResultTable header = link_table({});
  header.columns.insert(header.columns.begin(), {"point", "chosen_as"});
  std::string text = csv_line(header.columns) + "\n";
  for (const auto& [number, rows] : lines)
    text += rows;
  write_file(options.folder / links_file, text);
  return read_links(options.folder);
}

ReportTable read_links(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / links_file;
  return std::filesystem::exists(path) ? read_results(path) : ReportTable{};
}

} // namespace moesim
