#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/replay/timeline.hpp"
#include "sim/replay/traffic.hpp"

namespace moesim {

/// What the replay needs beside the graph of work: where, and how fast.
struct ReplayContext {
  const ParallelPlan& plan;
  const Topology& topology;
  const ComputeCost* compute; ///< none for a graph that computes nothing
  const NetworkCost& network;
};

/// The times of a compute, by its kernels: the sum of their costs, and what the host takes to
/// launch them.
struct ComputeTime {
  Seconds total;
  Seconds extrapolated; ///< the part that is not inside a measured table
};
/// `beside`: the communication beside it, if it has any; while that lasts it has fewer SMs and less
/// memory bandwidth. `expert_rank`: whose kernels, where ranks of an expert-parallel group differ.
ComputeTime compute_time(const ComputeWork& work, const ComputeCost& cost,
                         const BesideCompute& beside = {}, std::size_t expert_rank = 0);

/// Plays the graph on the cluster: computes take their cost; a collective takes its start-up, then
/// its flows share the links by max-min fairness. Afterwards every operation has run exactly once
/// and none before what it waits for, or InternalError is thrown. Once a process: see Machine.
Timeline replay(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context);

} // namespace moesim
