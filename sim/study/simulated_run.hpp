#pragma once

#include "sim/study/goodput.hpp"

#include <cstdint>

namespace moesim {

/// A mean of several runs, and the ends of its 95 % confidence interval.
struct SampledMean {
  double value = 0.0;
  double low = 0.0;
  double high = 0.0;
};

/// A training event by event. Failures, repairs and losses of NICs are drawn from exponential
/// distributions. A checkpoint follows each `interval` since the last checkpoint or restart; a
/// failure takes the job back to the last one that is written, then to a wait if no spare host is
/// left, then to a restart, in which it may fail again. At the start no host is away. The same for
/// the same seed and number, on any machine.
RunTime simulated_run(const JobFailures& job, Seconds work, Seconds interval, std::uint64_t seed,
                      std::uint64_t number);

/// Many of them.
struct SimulatedRuns {
  RunTime mean;
  SampledMean total; ///< in seconds
};
/// The runs numbered from 0; at least 2 of them.
SimulatedRuns simulate_runs(const JobFailures& job, Seconds work, Seconds interval,
                            std::uint64_t seed, std::uint64_t runs);

} // namespace moesim
