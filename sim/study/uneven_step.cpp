#include "sim/study/uneven_step.hpp"

#include "sim/schedule/memory_estimate.hpp"
#include "sim/search/step_replay.hpp"
#include "sim/study/memory_advice.hpp"

#include <fmt/format.h>

namespace moesim {

namespace {

/// Most flows of an all-to-all, summed over the layers of a micro-batch, that are replayed for
/// uneven loads beside weights that are gathered meanwhile: 130,000 take 6 s.
constexpr double most_shared_flows = 100e3;

} // namespace

void fill_uneven(const Scenario& scenario, const Topology& topology, const Costs& costs,
                 StepResult& result) {
  if (!scenario.workload.model.is_moe() || !scenario.workload.routing.uneven_concentration)
    return;
  Workload workload = scenario.workload;
  const auto ranks = static_cast<double>(workload.plan.expert);
  const auto layers = static_cast<double>(workload.model.layers.size());
  if (workload.plan.zero_stage == 3 && ranks * ranks * layers > most_shared_flows) {
    result.uneven_reason = fmt::format(
        "not timed: {} ranks exchange tokens beside gathered weights, which takes long to replay",
        workload.plan.expert);
    return;
  }
  workload.routing = workload.routing.uneven();
  const ExpertLoads loads(workload);
  const Bytes available = scenario.topology.gpu.memory;
  const MemoryEstimate memory = fullest_stage(workload, loads);
  if (memory.total() > available) {
    result.uneven_reason = "out of memory: " + missing_memory_text(memory, available);
    return;
  }
  result.uneven_step_time_ms =
      1e3 *
      replay_step(workload, topology, scenario.fidelity, costs, loads).metrics.step_time.value;
}

} // namespace moesim
