#include "sim/study/degraded_step.hpp"

#include <algorithm>

namespace moesim {

double speed_without_nic(const Scenario& scenario, const Costs& costs, double step_time_ms) {
  Scenario degraded = scenario;
  degraded.topology.faults.push_back({.part = FaultSpec::Part::nic,
                                      .name = "Node[0].Nic[0]",
                                      .where = {scenario.inputs.front().string()}});
  const StepResult result = simulate(degraded, costs, {}, Twins::skip).result;
  if (result.status != "ok")
    throw InputError({scenario.inputs.front().string()},
                     "the step cannot run without a NIC: " + result.reason,
                     "set failures.nic_failure = \"stop\"");
  return std::min(1.0, step_time_ms / result.step_time_ms);
}

} // namespace moesim
