#include "sim/study/sensitivity.hpp"

#include "sim/base/input_error.hpp"
#include "sim/study/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace moesim {

namespace {

/// Sum of the times of a step's kernels.
double kernels_ms(const StepResult& result) {
  return result.attention_ms + result.router_ms + result.permute_ms + result.expert_ms +
         result.shared_expert_ms + result.dense_ms + result.head_ms;
}

/// A step that is replayed under changed costs.
class ChangedStep {
public:
  ChangedStep(const Scenario& scenario, const ResultColumn& column, const Costs& costs,
              Replanning replanning)
      : scenario_(scenario), column_(column), replanned_(scenario), twins_(twins_for(column.name)) {
    if (scenario.search && replanning == Replanning::keep)
      replanned_ = under_best_plan(scenario, costs);
  }

  /// Its twins are those of the scenario as it was given: their plans are searched in its space.
  StepResult replay(const Costs& costs) const {
    const bool compared = twins_ == Twins::search && has_twins(scenario_.workload.model);
    StepResult result =
        simulate(replanned_, costs, {}, compared ? Twins::later : Twins::skip, 1).result;
    if (result.status != "ok")
      throw InputError({scenario_.inputs.front().string()},
                       fmt::format("its step cannot run: {}: {}", result.status, result.reason));
    if (compared)
      compare_with_twins(scenario_, search_twin(dense_twin_problem(scenario_), costs),
                         search_twin(active_dense_twin_problem(scenario_), costs), result);
    return result;
  }

  double value(const StepResult& result) const {
    return result.*std::get<double StepResult::*>(column_.member);
  }

  /// Whether the column has the same cell in two results: less is rounding.
  bool same(const StepResult& a, const StepResult& b) const {
    return cell_text(a, column_) == cell_text(b, column_);
  }

private:
  const Scenario& scenario_;
  ResultColumn column_;
  Scenario replanned_;
  Twins twins_;
};

/// The mean error of a table's times in a step, by time: the change of all kernels if each of its
/// times grows by its error, over ten times their change if each grows by a tenth.
double table_error(const CostLever& lever, const ChangedStep& step, const StepResult& base) {
  constexpr double tenth = 0.1;
  Costs stretched = lever.changed(0.0);
  stretched.compute.stretch(*lever.table, {.ratio = tenth});
  const double times = (kernels_ms(step.replay(stretched)) - kernels_ms(base)) / tenth;
  const double errors = kernels_ms(step.replay(lever.changed(1.0))) - kernels_ms(base);
  return times > 0.0 ? errors / times : 0.0;
}

/// Nothing if the column is the same at both ends.
std::optional<Sensitivity> sensitivity_to(const CostLever& lever, const ChangedStep& step,
                                          const StepResult& base) {
  const StepResult high = step.replay(lever.changed(1.0));
  // A constant that the step does not use has no effect at its lower end either.
  const StepResult low = step.same(high, base) ? base : step.replay(lever.changed(-1.0));
  if (step.same(low, base) && step.same(high, base))
    return std::nullopt;
  const double value = step.value(base);
  const double change =
      std::max(std::abs(step.value(low) - value), std::abs(step.value(high) - value));
  return Sensitivity{lever.name,
                     lever.provenance,
                     100.0 * (lever.error ? *lever.error : table_error(lever, step, base)),
                     step.value(low),
                     step.value(high),
                     100.0 * change / std::abs(value),
                     lever.measurement};
}

} // namespace

SensitivityTable measure_sensitivity(const Scenario& scenario, const ResultColumn& column,
                                     const std::filesystem::path& calibration,
                                     const std::vector<CostLever>& levers, Replanning replanning,
                                     const SensitivityProgress& progress) {
  if (!std::holds_alternative<double StepResult::*>(column.member))
    throw InputError({"--column"}, fmt::format("{} is a text, not a number", column.name));
  const Costs costs = load_costs(calibration, scenario.topology, scenario.workload.training);
  const ChangedStep step(scenario, column, costs, replanning);
  const StepResult base = step.replay(costs);
  SensitivityTable table{step.value(base), base.plan, {}};
  if (std::isnan(table.base))
    throw InputError({"--column"}, fmt::format("{} has no value in this step", column.name));
  for (const CostLever& lever : levers) {
    if (auto row = sensitivity_to(lever, step, base))
      table.rows.push_back(std::move(*row));
    else
      ++table.without_effect;
    progress(table.rows.size() + table.without_effect, levers.size());
  }
  std::stable_sort(table.rows.begin(), table.rows.end(),
                   [](const Sensitivity& a, const Sensitivity& b) {
                     return a.effect_percent > b.effect_percent;
                   });
  return table;
}

} // namespace moesim
