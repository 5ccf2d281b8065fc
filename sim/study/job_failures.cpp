#include "sim/study/job_failures.hpp"

#include "sim/scenario/placed_topology.hpp"
#include "sim/schedule/checkpoint.hpp"

#include <limits>
#include <numeric>

namespace moesim {

namespace {

/// Parts of each kind that a job uses.
std::array<double, enumerator_count<FailingPart>> part_counts(const Scenario& scenario) {
  const NodeSpec& node = scenario.topology.node;
  const ParallelPlan& plan = scenario.workload.plan;
  const std::int64_t gpus = plan.gpus + idle_gpus(scenario.topology, plan);
  const std::int64_t hosts = (gpus + node.gpus - 1) / node.gpus;
  const auto nics = static_cast<double>(hosts * node.nics);
  std::array<double, enumerator_count<FailingPart>> counts{};
  counts[index(FailingPart::gpu)] = static_cast<double>(plan.gpus);
  counts[index(FailingPart::nic)] = nics;
  counts[index(FailingPart::network_switch)] = nics;
  counts[index(FailingPart::host)] = static_cast<double>(hosts);
  counts[index(FailingPart::software)] = static_cast<double>(plan.gpus);
  return counts;
}

std::int64_t fewest_spares(double mean_away) {
  std::int64_t spares = 0;
  while (waiting_share(spares, mean_away) > wait_share_max)
    ++spares;
  return spares;
}

/// Fills the bytes of a checkpoint, and the time that it takes of the job.
void fill_checkpoint(const Scenario& scenario, JobFailures& job) {
  const FailureSpec& spec = scenario.failures;
  const auto gpus = static_cast<double>(scenario.workload.plan.gpus);
  job.checkpoint = checkpoint_bytes(scenario.workload);
  job.storage = spec.storage.value_or(storage_per_gpu * gpus);
  const Seconds transfer = job.checkpoint / job.storage;
  job.stall = transfer;
  job.write_delay = {0.0};
  if (spec.checkpoint == CheckpointWrite::asynchronous) {
    job.stall = job.checkpoint / (scenario.topology.node.pcie * gpus);
    job.write_delay = transfer;
  }
  job.restart = spec.detection + spec.restart + transfer;
}

} // namespace

Seconds JobFailures::stop_mtbf() const {
  return {1.0 / std::accumulate(mtbf.begin(), mtbf.end(), 0.0,
                                [](double sum, Seconds time) { return sum + 1.0 / time.value; })};
}

double JobFailures::host_share() const {
  return 1.0 - stop_mtbf() / mtbf[index(FailingPart::software)];
}

JobFailures job_failures(const Scenario& scenario, const FailureRates& rates,
                         double degraded_speed) {
  constexpr Seconds never{std::numeric_limits<double>::infinity()};
  const FailureSpec& spec = scenario.failures;
  JobFailures job;
  const auto counts = part_counts(scenario);
  for (const FailingPart part : enumerators<FailingPart>)
    job.mtbf[index(part)] =
        counts[index(part)] > 0.0 ? rates.mtbf[index(part)] / counts[index(part)] : never;
  job.nic_loss_mtbf = never;
  if (spec.nic_failure == NicFailure::go_on) {
    std::swap(job.nic_loss_mtbf, job.mtbf[index(FailingPart::nic)]);
    job.degraded_speed = degraded_speed;
  }
  fill_checkpoint(scenario, job);
  job.repair = spec.repair;
  job.host_gpus = scenario.topology.node.gpus;
  job.spares = spec.spare_hosts ? *spec.spare_hosts
                                : fewest_spares(job.host_share() * (job.repair / job.stop_mtbf()));
  return job;
}

double waiting_share(std::int64_t spares, double mean_away) {
  double share = 1.0; // of no server
  for (std::int64_t servers = 1; servers <= spares + 1; ++servers)
    share = mean_away * share / (static_cast<double>(servers) + mean_away * share);
  return share;
}

} // namespace moesim
