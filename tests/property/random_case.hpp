#pragma once

#include "sim/scenario/scenario.hpp"
#include "sim/search/step_replay.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// A scenario that a seed stands for: a shipped workload, cut to a few layers, on a shipped
/// topology, split in some legal way.
struct RandomCase {
  std::uint64_t seed = 0;
  std::string workload; ///< a folder of workloads/
  std::vector<std::string> settings;

  /// Seed, workload and settings, for the message of a failure.
  std::string text() const;
};

/// Limits that the cases of a list share.
struct CaseLimits {
  std::vector<std::int64_t> gpus; ///< sizes to draw from
  /// Rank pairs of an all-to-all times how often it runs: bounds the time of a replay by flows.
  std::int64_t pair_messages_max = 0;
};

/// The first `count` legal cases from `seed` on, or the share of them that `cases` says; the same
/// for every standard library.
std::vector<RandomCase> random_cases(std::uint64_t seed, std::size_t count,
                                     const CaseLimits& limits);

/// Reads a case, for callers that change it.
ScenarioInput input_of(const RandomCase& drawn);
/// Reads and resolves a case; throws IllegalScenario if it cannot run.
Scenario scenario_of(const RandomCase& drawn);

/// The shipped costs of a scenario's GPU, read once a process.
const Costs& costs_of(const Scenario& scenario);

} // namespace moesim
