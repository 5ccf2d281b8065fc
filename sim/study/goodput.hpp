#pragma once

#include "sim/study/job_failures.hpp"

namespace moesim {

/// Time of a whole training by use; the sum is `total`.
struct RunTime {
  Seconds work; ///< of the steps that the training is made of, at their own speed
  Seconds checkpoints;
  Seconds lost_work;     ///< steps that are repeated after a failure, and their checkpoints
  Seconds restarts;      ///< detection, restart, reading of the checkpoint
  Seconds waiting;       ///< for the repair of a host
  Seconds slower;        ///< steps that take longer while a NIC is down
  double failures = 0.0; ///< that stop the job

  Seconds total() const { return work + checkpoints + lost_work + restarts + waiting + slower; }
};

/// Interval between checkpoints of Young (1974): sqrt(2 stall mtbf).
Seconds young_interval(Seconds stall, Seconds mtbf);
/// Interval of Daly (doi 10.1016/j.future.2004.11.016, equation 37), of higher order:
///   sqrt(2 stall mtbf) (1 + sqrt(stall / 2 mtbf) / 3 + (stall / 2 mtbf) / 9) - stall;
/// mtbf if the stall is 2 mtbf or longer.
Seconds daly_interval(Seconds stall, Seconds mtbf);
/// Interval that makes expected_run least: x mtbf with (1 - x) exp(x + stall / mtbf) = 1; longer if
/// a checkpoint is not yet written when the next begins.
Seconds best_interval(const JobFailures& job);

/// Expected times of a training that takes `work` without failures, with a checkpoint after each
/// `interval`, M between failures, stall d, write delay w, restart R:
///   running = work / speed / interval x M exp((R + w) / M) (exp((interval + d) / M) - 1),
/// of Daly (equation 20) with w = 0; exact for a long training whose failures also come during
/// checkpoints and restarts. Waiting: waiting_share of the total. Speed: 1 less the share of the
/// time with some NIC down x (1 - degraded_speed).
RunTime expected_run(const JobFailures& job, Seconds work, Seconds interval);

} // namespace moesim
