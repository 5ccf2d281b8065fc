#include "sim/workload/schedule.hpp"

#include "sim/base/check.hpp"
#include "sim/workload/parallel_plan.hpp"

#include <algorithm>

namespace moesim {

std::int64_t looped_virtual_stage(const ParallelPlan& plan, std::int64_t stage,
                                  std::int64_t chunk) {
  return chunk * plan.pipeline + stage;
}

std::int64_t looped_holder(const ParallelPlan& plan, std::int64_t virtual_stage,
                           std::int64_t /*chunk*/) {
  return virtual_stage % plan.pipeline;
}

std::vector<std::string> schedule_names() {
  std::vector<std::string> names;
  for (const Schedule* schedule : schedules)
    names.emplace_back(schedule->name);
  return names;
}

const Schedule& schedule_named(const std::string& name) {
  const auto* const found =
      std::find_if(schedules.begin(), schedules.end(),
                   [&](const Schedule* schedule) { return schedule->name == name; });
  INVARIANT(found != schedules.end(), "schedule {}", name);
  return **found;
}

bool has_pass(const Schedule& schedule, Pass pass) {
  switch (pass) {
  case Pass::forward:
    return true;
  case Pass::backward:
    return schedule.whole_backward;
  case Pass::backward_input:
  case Pass::backward_weight:
    return schedule.split_backward;
  }
  INVARIANT(false, "pass {}", index(pass));
}

} // namespace moesim
