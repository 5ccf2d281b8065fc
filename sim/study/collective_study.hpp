#pragma once

#include "sim/search/step_replay.hpp"
#include "sim/study/collective_scenario.hpp"

namespace moesim {

/// The time of one collective alone, in the columns of nccl-tests.
struct CollectiveResult {
  Bytes size;
  Seconds time;
  std::string algorithm;  ///< the chosen algorithm
  std::string bottleneck; ///< the link with the highest use
  double algbw_gbyte_per_s = 0.0;
  double busbw_gbyte_per_s = 0.0;        ///< algbw × the bus factor of nccl-tests
  std::vector<std::string> extrapolated; ///< costs beyond the measurements
  std::vector<std::string> stand_ins;    ///< costs of another collective or interconnect, see
                                         ///< TrafficNotes
};

/// Replays `work` over all ranks of `plan`, in this process: SimGrid simulates once a process.
CollectiveResult replay_collective(const CollectiveWork& work, const ParallelPlan& plan,
                                   const Topology& topology, Fidelity fidelity,
                                   const NetworkCost& network);

/// The results of all sizes of a scenario, each from a process of its own.
std::vector<CollectiveResult> time_collective(const CollectiveScenario& scenario,
                                              const NetworkCost& network);

} // namespace moesim
