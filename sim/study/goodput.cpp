#include "sim/study/goodput.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

Seconds young_interval(Seconds stall, Seconds mtbf) {
  return {std::sqrt(2.0 * stall.value * mtbf.value)};
}

Seconds daly_interval(Seconds stall, Seconds mtbf) {
  const double half = 0.5 * (stall / mtbf);
  if (half >= 1.0)
    return mtbf;
  return young_interval(stall, mtbf) * (1.0 + std::sqrt(half) / 3.0 + half / 9.0) - stall;
}

Seconds best_interval(const JobFailures& job) {
  const Seconds mtbf = job.stop_mtbf();
  const double stall = job.stall / mtbf;
  double low = 0.0; // log((1 - x) exp(x + stall)) falls from stall to less than 0
  double high = 1.0;
  for (int step = 0; step < 200; ++step) {
    const double middle = 0.5 * (low + high);
    (std::log1p(-middle) + middle + stall > 0.0 ? low : high) = middle;
  }
  return std::max(high * mtbf, job.write_delay - job.stall);
}

RunTime expected_run(const JobFailures& job, Seconds work, Seconds interval) {
  const Seconds mtbf = job.stop_mtbf();
  const double degraded_share = 1.0 - std::exp(-(job.repair / job.nic_loss_mtbf));
  const Seconds steps = work / (1.0 - degraded_share * (1.0 - job.degraded_speed));
  const double checkpoints = steps / interval;
  const Seconds running = checkpoints * std::exp((job.restart + job.write_delay) / mtbf) *
                          std::expm1((interval + job.stall) / mtbf) * mtbf;
  RunTime time;
  time.work = work;
  time.slower = steps - work;
  time.checkpoints = checkpoints * job.stall;
  time.restarts = -std::expm1(-(job.restart / mtbf)) * running;
  time.lost_work = running - steps - time.checkpoints - time.restarts;
  const double waiting = waiting_share(job.spares, job.host_share() * (job.repair / mtbf));
  time.waiting = running * (waiting / (1.0 - waiting));
  time.failures = running / mtbf;
  return time;
}

} // namespace moesim
