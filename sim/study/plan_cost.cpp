#include "sim/study/plan_cost.hpp"

#include <algorithm>

namespace moesim {

namespace {

template <typename Function> Spread mapped(const Spread& spread, const Function& function) {
  return {function(spread.value), function(spread.low), function(spread.high)};
}

} // namespace

Spread widened_step(const StepResult& step, double distance) {
  const double factor = 1.0 + error_per_distance * distance;
  const double time = step.step_time_ms;
  return {time, std::max(0.0, time - factor * (time - step.step_time_low_ms)),
          time + factor * (step.step_time_high_ms - time)};
}

TrainingCost training_cost(const Spread& step_ms, const TrainingJob& job) {
  constexpr double ms_per_day = 86'400e3;
  const double paid_gpus = job.gpus + job.idle_gpus;
  const double steps = job.tokens / job.tokens_per_step;
  const double power_mw = 1e-6 * job.gpus * job.board_power_w * node_power_ratio * site_power_ratio;
  const auto cost = [&](double days) {
    if (job.price.per_gpu_hour)
      return 24.0 * days * paid_gpus * *job.price.per_gpu_hour;
    const double kwh = 1e3 * 24.0 * days * power_mw;
    return job.price.capital * days / (365.0 * job.price.years) + kwh * job.price.power_per_kwh;
  };
  TrainingCost found;
  found.days = mapped(step_ms, [&](double step) { return steps * step / ms_per_day; });
  found.gpu_hours = mapped(found.days, [&](double days) { return 24.0 * days * paid_gpus; });
  found.energy_mwh = mapped(found.days, [&](double days) { return 24.0 * days * power_mw; });
  found.cost = mapped(found.days, cost);
  return found;
}

} // namespace moesim
