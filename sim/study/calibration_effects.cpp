#include "sim/study/calibration_effects.hpp"

#include "sim/base/scratch_folder.hpp"
#include "sim/cost/costs.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/study/simulate.hpp"

namespace moesim {

namespace {

double step_ms(const ShippedStep& step, const std::filesystem::path& calibration) {
  const Scenario scenario = read_scenario(step.scenario, step.settings);
  const Costs costs = load_costs(calibration, scenario.topology, scenario.workload.training);
  return simulate(scenario, costs, {}, Twins::skip).result.step_time_ms;
}

} // namespace

std::vector<CalibrationEffect> calibration_effects(const std::filesystem::path& known,
                                                   const CalibrationInputs& inputs,
                                                   const std::vector<ShippedStep>& steps) {
  std::vector<double> before;
  for (const ShippedStep& step : steps)
    before.push_back(step_ms(step, known));
  std::vector<CalibrationEffect> effects;
  const auto add = [&](const std::string& file, const CalibrationInputs& changed) {
    const ScratchFolder scratch;
    make_calibration(known, changed, scratch.path());
    for (std::size_t number = 0; number < steps.size(); ++number)
      effects.push_back(
          {file, steps[number].name, before[number], step_ms(steps[number], scratch.path())});
  };
  for (const std::filesystem::path& table : inputs.tables)
    add(table.filename().string(), {.tables = {table}, .links = inputs.links});
  add("all", inputs);
  return effects;
}

} // namespace moesim
