#pragma once

#include "sim/schedule/runs.hpp"
#include "sim/schedule/step_graph.hpp"
#include "sim/workload/workload.hpp"

namespace moesim {

/// The transfer of one rank to the next pipeline stage for one micro-batch; the gradient has the
/// same size.
TransferWork activation_transfer(const Workload& workload);

/// The transfer between the ranks of two stages that hold the same parameters: `bytes_each` for
/// each parameter that one of them is to get from the other.
TransferWork exchange_of_holders(const Workload& workload, std::int64_t stage,
                                 std::int64_t bytes_each);

/// The whole optimizer step: every micro-batch through every stage in the order of its schedule,
/// the transfers between stages, gradient reduction and optimizer. `layout` says which ranks are
/// devices; the operations of one device are the same in every layout. The plan is legal
/// (find_plan_fault). `loads` are those of the workload. `find_contention`: makes runs where it
/// allows them; none: each operation is one of the graph.
StepGraph build_step_graph(const Workload& workload, const DeviceLayout& layout,
                           const ExpertLoads& loads, const FindContention& find_contention = {});
StepGraph build_step_graph(const Workload& workload, const DeviceLayout& layout);

} // namespace moesim
