#pragma once

#include "sim/cost/failure_rates.hpp"
#include "sim/scenario/scenario.hpp"

#include <cstdint>

namespace moesim {

/// Storage of a checkpoint for one GPU, where the scenario gives none: 2 TB/s for 16,384 GPUs
/// (arXiv 2407.21783, section 3.3.1).
constexpr BytesPerSecond storage_per_gpu{2e12 / 16'384.0};
/// Share of the time that a job waits for repairs at most, where it chooses its spare hosts.
constexpr double wait_share_max = 0.001;

/// Failures of one job, and what its checkpoints and restarts take. Failures of all kinds come at
/// constant rates, independent of each other.
struct JobFailures {
  /// Mean time between failures of any part of a kind, over all such parts of the job; infinite
  /// where none of them stops it.
  PartTimes mtbf;
  Bytes checkpoint;
  BytesPerSecond storage;
  Seconds stall;           ///< the step waits so long for each checkpoint
  Seconds write_delay;     ///< from the end of the stall until a restart can use the checkpoint
  Seconds restart;         ///< from a failure to the next step: detection, restart, reading
  Seconds repair;          ///< mean time that a host is away after a failure of its hardware
  std::int64_t spares = 0; ///< hosts that replace others at once
  std::int64_t host_gpus = 0;
  /// Between failures of NICs that the job goes on without; infinite: none.
  Seconds nic_loss_mtbf;
  double degraded_speed = 1.0; ///< speed of the step while a NIC is down, over its own

  /// Between failures that stop the job.
  Seconds stop_mtbf() const;
  /// Share of these that take a host away: all but software's.
  double host_share() const;
};

/// The failures of a scenario under its own plan. `rates` are those of its `[failures]`;
/// `degraded_speed` counts only with NicFailure::go_on.
JobFailures job_failures(const Scenario& scenario, const FailureRates& rates,
                         double degraded_speed = 1.0);

/// Share of the time that a job with `spares` waits for a repair in the long run, when `mean_away`
/// hosts would be away if it never waited: Erlang's loss formula B(spares + 1, mean_away), exact
/// for any distribution of the repair time.
double waiting_share(std::int64_t spares, double mean_away);

} // namespace moesim
