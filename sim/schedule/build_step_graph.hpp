#pragma once

#include "sim/schedule/step_graph.hpp"
#include "sim/workload/workload.hpp"

namespace moesim {

/// The transfer of one rank to the next pipeline stage for one micro-batch; the gradient has the
/// same size.
TransferWork activation_transfer(const Workload& workload);

/// Builds the graph of an optimizer step: every micro-batch through every stage in the order of its
/// schedule, transfers between stages, gradient reduction and optimizer. `layout` selects the ranks
/// that are devices; the operations of one device are the same in every layout. The plan must be
/// legal (find_plan_fault), and `loads` those of the workload.
StepGraph build_step_graph(const Workload& workload, const DeviceLayout& layout,
                           const ExpertLoads& loads);
StepGraph build_step_graph(const Workload& workload, const DeviceLayout& layout);

} // namespace moesim
