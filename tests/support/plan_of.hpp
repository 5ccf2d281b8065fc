#pragma once

#include "sim/workload/parallel_plan.hpp"

namespace moesim {

/// A plan of one rank a stage.
inline ParallelPlan plan_of(Schedule schedule, std::int64_t stages, std::int64_t chunks) {
  ParallelPlan plan;
  plan.gpus = stages;
  plan.pipeline = stages;
  plan.virtual_stages = chunks;
  plan.schedule = schedule;
  return plan;
}

} // namespace moesim
