#pragma once

#include "sim/workload/model_spec.hpp"
#include "sim/workload/parallel_plan.hpp"

namespace moesim {

/// How tokens travel to their experts and back.
struct CommunicationSpec {
  Precision dispatch_precision = Precision::bf16; ///< of the bytes that dispatch sends
  /// The shared experts' compute runs while dispatch is under way.
  bool overlap_shared_expert = false;
};

/// What one optimizer step computes and how it is split: all that the schedule needs.
struct Workload {
  ModelSpec model;
  ParallelPlan plan;
  TrainingSpec training;
  RoutingSpec routing;
  CommunicationSpec communication;
};

} // namespace moesim
