#pragma once

#include "sim/platform/topology.hpp"
#include "sim/report/result_table.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

/// Rows `quantity,value,unit`: parameters by block, total and active; forward FLOPs of one token by
/// part at the scenario's sequence length.
ResultTable show_model(const Scenario& scenario);

/// Rows `quantity,value,unit`: counts of devices and links, bandwidth of a GPU inside its node and
/// out of it, and the bisection bandwidth of the cluster.
ResultTable show_topology(const Scenario& scenario);

/// A row for each segment of work of each stage:
/// `stage,chunk,pass,position,stream,operation,flops,bytes`. FLOPs and memory bytes of computes,
/// message bytes of collectives, of one rank and micro-batch.
ResultTable show_schedule(const Scenario& scenario);

/// A row for each MoE layer and rank that holds experts of it: `layer,rank,experts,tokens_sent,
/// tokens_received,load_max_over_mean,load_gini,load_coefficient_of_variation`, for one
/// micro-batch. Throws InputError if the step has fewer.
ResultTable show_routing(const Scenario& scenario, std::int64_t micro_batch);

/// Lines of text for people: the stage that needs the most memory, the free or missing memory of
/// its GPUs, and changes that would help.
std::string describe_memory(const Scenario& scenario);

/// Rows `component,gib` for a GPU of the stage that needs the most memory, then their `total`, and
/// the `gpu_capacity`.
ResultTable show_memory(const Scenario& scenario);

} // namespace moesim
