#include "sim/study/plan_study.hpp"

#include "sim/base/output_file.hpp"
#include "sim/cost/compute_devices.hpp"
#include "sim/report/csv_text.hpp"
#include "sim/report/plan_answer.hpp"
#include "sim/study/cost_library.hpp"
#include "sim/study/goodput_study.hpp"
#include "sim/study/plan_row.hpp"
#include "sim/study/validated_distance.hpp"

#include <fmt/format.h>

#include <cmath>

namespace moesim {

namespace {

/// The facts that turn a step into a row.
struct PlanFacts {
  GpuKinds gpus;
  std::vector<StepTraits> scored;
  std::filesystem::path calibration;
  CostLibrary& costs; ///< of that folder
};

/// Throws InputError, where the kind of some candidate's GPUs is named, if its board power is not
/// known.
void check_board_power(const SweepPlan& plan, const GpuKinds& gpus) {
  for (const SweepPoint& point : plan.points)
    if (point.scenario)
      if (const GpuSpec& gpu = point.scenario->topology.gpu;
          gpu.board_power_w == 0.0 && !gpus.rows.contains(gpu.kind)) {
        gpus.check_spelling({gpu.kind, gpu.kind_place}, {gpu.bf16, gpu.fp8, gpu.memory_bandwidth});
        throw InputError(gpu.kind_place,
                         fmt::format("gpu.kind: gpus.csv has no row \"{}\" that says its board "
                                     "power, which the energy of a training needs",
                                     gpu.kind),
                         "give board_power_w in the table [gpu]");
      }
}

double board_power_of(const GpuSpec& gpu, const GpuKinds& gpus) {
  return gpu.board_power_w > 0.0 ? gpu.board_power_w : gpus.rows.at(gpu.kind).board_power_w;
}

Spread operator*(double factor, const Spread& spread) {
  return {factor * spread.value, factor * spread.low, factor * spread.high};
}

/// Fills the columns of a training with failures, `job` without any.
void fill_effective(const Scenario& planned, const StepResult& result, const Spread& step,
                    TrainingJob job, const PlanFacts& facts, PlanRow& row) {
  const auto found =
      goodput_of(planned, job.tokens, result,
                 facts.costs.of(planned.topology, planned.workload.training), facts.calibration);
  if (!found)
    return;
  job.idle_gpus += static_cast<double>(found->job.spares * found->job.host_gpus);
  row.effective = training_cost(found->expected.total() / found->expected.work * step, job);
  row.goodput_percent = found->percent();
  row.checkpoint_interval_minutes = found->interval.value / 60.0;
  row.expected_failures = found->expected.failures;
  row.spare_hosts = static_cast<double>(found->job.spares);
}

void fill_training(const PlanFile& file, std::size_t number, const PointAnswer& answer,
                   const PlanFacts& facts, PlanRow& row) {
  const Scenario& scenario = *file.sweep.points[number].scenario;
  const TrainingSpec& training = scenario.workload.training;
  const GpuSpec& gpu = scenario.topology.gpu;
  const Scenario planned = with_plan(scenario, answer.result.plan);
  if (!facts.scored.empty()) {
    const NearestStep nearest = nearest_step(traits_of("", planned.workload, gpu), facts.scored);
    row.validated_distance = nearest.distance;
    row.nearest_validated = nearest.name;
  }
  const double distance = facts.scored.empty() ? 0.0 : row.validated_distance;
  const Spread step = widened_step(answer.result, distance);
  const TrainingJob job{.tokens = file.tokens,
                        .tokens_per_step = static_cast<double>(training.global_batch) *
                                           static_cast<double>(training.sequence_length),
                        .gpus = row.gpus,
                        .idle_gpus = answer.result.idle_gpus,
                        .board_power_w = board_power_of(gpu, facts.gpus),
                        .price = file.prices[number]};
  row.training = training_cost(step, job);
  if (!std::isnan(answer.result.uneven_step_time_ms))
    row.uneven =
        training_cost(answer.result.uneven_step_time_ms / answer.result.step_time_ms * step, job);
  fill_effective(planned, answer.result, step, job, facts, row);
  row.memory_headroom_gib = gib(gpu.memory) - answer.result.memory_gib_per_gpu;
  fill_equal_plans(answer.best_plans, step.high, row);
}

std::vector<PlanRow> plan_rows(const PlanFile& file,
                               const std::map<std::size_t, PointAnswer>& answers,
                               const PlanFacts& facts) {
  std::vector<PlanRow> rows;
  for (const auto& [number, answer] : answers) {
    const std::vector<std::string>& values = file.sweep.points[number].values;
    PlanRow& row = rows.emplace_back();
    row.candidate = values.front();
    row.gpus = std::stod(values.back());
    row.status = answer.result.status;
    row.reason = answer.result.reason;
    row.deadline_days = file.deadline_days.value_or(no_value);
    if (row.status == "ok")
      fill_training(file, number, answer, facts, row);
  }
  judge_rows(rows);
  return rows;
}

std::vector<std::string> plan_header(const PlanFile& file) {
  std::vector<std::string> cells{"status", "reason"};
  cells.insert(cells.end(), file.sweep.columns.begin(), file.sweep.columns.end());
  for (const ResultColumn& column : result_columns())
    cells.emplace_back(column.name);
  for (const PlanColumn& column : plan_columns())
    cells.emplace_back(column.name);
  return cells;
}

/// "41.2 (37.0..45.3)": a quantity with its interval; empty where the row has none.
std::string with_interval(const TableReader& results, std::size_t row, const std::string& column,
                          int digits) {
  const auto value = results.number(row, column);
  const auto low = results.number(row, column + "_low");
  const auto high = results.number(row, column + "_high");
  return value && low && high ? fmt::format("{:.{}f} ({:.{}f}..{:.{}f})", *value, digits, *low,
                                            digits, *high, digits)
                              : "";
}

/// A number of a results table with fewer digits; empty cells stay empty.
std::string rounded(const TableReader& results, std::size_t row, const std::string& column,
                    int digits) {
  const auto value = results.number(row, column);
  return value ? fmt::format("{:.{}f}", *value, digits) : "";
}

/// "with failures 43.1 days, at a cost of 5300000: goodput 93.4 %, …".
std::string effective_text(const TableReader& results, std::size_t row) {
  const auto number = [&](const char* column, int digits) {
    return rounded(results, row, column, digits);
  };
  if (!results.number(row, "goodput_percent"))
    return "with failures: gets nowhere, less than 1 % of the time is work";
  const std::string in_time = results.text(row, "effective_meets_deadline");
  return fmt::format(
      "with failures {} days{}, at a cost of {}: goodput {} %, {} failures "
      "expected, a checkpoint each {} minutes, spare hosts: {}",
      number("effective_days", 1), in_time.empty() ? "" : fmt::format(" (in time: {})", in_time),
      number("effective_cost", 0), number("goodput_percent", 1), number("expected_failures", 1),
      number("checkpoint_interval_minutes", 0), number("spare_hosts", 0));
}

} // namespace

ReportTable run_plan(const PlanFile& file, const SweepOptions& options,
                     const SweepObserver& observe) {
  CostLibrary costs(options.calibration);
  const PlanFacts facts{GpuKinds::read(options.calibration), scored_steps(options.calibration),
                        options.calibration, costs};
  check_board_power(file.sweep, facts.gpus); // before the search
  const std::map<std::size_t, PointAnswer> answers = run_points(file.sweep, options, observe);
  const std::vector<PlanRow> rows = plan_rows(file, answers, facts);
  std::string text = csv_line(plan_header(file)) + "\n";
  for (const auto& [number, answer] : answers) {
    std::vector<std::string> cells{answer.result.status, answer.result.reason};
    const std::vector<std::string>& values = file.sweep.points[number].values;
    cells.insert(cells.end(), values.begin(), values.end());
    for (const ResultColumn& column : result_columns())
      cells.push_back(cell_text(answer.result, column));
    for (const PlanColumn& column : plan_columns())
      cells.push_back(plan_cell(rows[number], column));
    text += csv_line(cells) + "\n";
  }
  write_file(options.folder / "results.csv", text);
  return read_results(options.folder / "results.csv");
}

ResultTable plan_summary(const ReportTable& results) {
  const TableReader reader(results);
  ResultTable table{{"candidate", "gpus", "status", "days", "days_low", "days_high", "cost",
                     "cost_low", "cost_high", "energy_mwh", "effective_days", "effective_cost",
                     "goodput_percent", "checkpoint_interval_minutes", "expected_failures",
                     "meets_deadline", "on_pareto_front", "verdict"},
                    {}};
  for (std::size_t row = 0; row < reader.size(); ++row) {
    const auto text = [&](const char* column) { return reader.text(row, column); };
    const auto number = [&](const char* column, int digits) {
      return rounded(reader, row, column, digits);
    };
    table.rows.push_back({text("candidate"), text("cluster.gpus"), text("status"),
                          number("days", 1), number("days_low", 1), number("days_high", 1),
                          number("cost", 0), number("cost_low", 0), number("cost_high", 0),
                          number("energy_mwh", 1), number("effective_days", 1),
                          number("effective_cost", 0), number("goodput_percent", 1),
                          number("checkpoint_interval_minutes", 1), number("expected_failures", 1),
                          text("meets_deadline"), text("on_pareto_front"), text("verdict")});
  }
  return table;
}

std::string plan_text(const ReportTable& results) {
  const TableReader reader(results);
  ResultTable table{
      {"candidate", "gpus", "status", "days", "cost", "energy_mwh", "in_time", "pareto"}, {}};
  std::string verdicts;
  for (std::size_t row = 0; row < reader.size(); ++row) {
    const auto text = [&](const char* column) { return reader.text(row, column); };
    table.rows.push_back(
        {text("candidate"), text("cluster.gpus"), text("status"),
         with_interval(reader, row, "days", 1), with_interval(reader, row, "cost", 0),
         rounded(reader, row, "energy_mwh", 1), text("meets_deadline"), text("on_pareto_front")});
    verdicts += fmt::format("\n{}, {} GPUs: {}\n", text("candidate"), text("cluster.gpus"),
                            text("verdict"));
    if (reader.is_ok(row))
      verdicts +=
          fmt::format("  {}\n  {}\n", effective_text(reader, row), short_plan(text("plan")));
  }
  return render(table, TableFormat::table) +
         "a (b..c): an estimate and its 90 % interval. Below, the best plan of each candidate: "
         "keys "
         "of [parallel],\n[training] and [communication]; results.csv has them in full.\n" +
         verdicts;
}

} // namespace moesim
