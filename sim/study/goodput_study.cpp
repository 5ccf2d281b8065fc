#include "sim/study/goodput_study.hpp"

#include "sim/study/degraded_step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

constexpr double least_percent = 1.0;

double minutes(Seconds time) {
  return time.value / 60.0;
}
double hours(Seconds time) {
  return time.value / 3600.0;
}
double days(Seconds time) {
  return time.value / 86'400.0;
}

/// Rows of a table, added one by one.
class GoodputRows {
public:
  void add(const std::string& quantity, double value, const char* unit,
           const std::string& note = "") {
    table_.rows.push_back({quantity, fmt::format("{:.9g}", value), unit, note});
  }
  ResultTable take() { return std::move(table_); }

private:
  ResultTable table_{{"quantity", "value", "unit", "note"}, {}};
};

void add_checkpoint_rows(const Scenario& planned, const Goodput& goodput, GoodputRows& rows) {
  const JobFailures& job = goodput.job;
  const FailureSpec& spec = planned.failures;
  const Seconds mtbf = job.stop_mtbf();
  rows.add("checkpoint_gib", gib(job.checkpoint), "GiB", "weights and optimizer states, once");
  rows.add("storage_gbyte_per_s", job.storage.value / 1e9, "GB/s",
           spec.storage ? "given" : "default: 2 TB/s for 16,384 GPUs (arXiv 2407.21783)");
  rows.add("checkpoint_write_s", (job.checkpoint / job.storage).value, "s");
  rows.add("checkpoint_stall_s", job.stall.value, "s",
           spec.checkpoint == CheckpointWrite::blocking
               ? "blocking: the step waits for the storage"
               : "asynchronous: the step waits for the copy to host memory");
  rows.add("checkpoint_interval_minutes", minutes(goodput.interval), "min",
           goodput.interval_given ? "given" : "the best");
  rows.add("best_interval_minutes", minutes(best_interval(job)), "min");
  rows.add("young_interval_minutes", minutes(young_interval(job.stall, mtbf)), "min",
           "sqrt(2 stall mtbf)");
  rows.add("daly_interval_minutes", minutes(daly_interval(job.stall, mtbf)), "min",
           "of higher order");
}

void add_failure_rows(const Scenario& planned, const Goodput& goodput, GoodputRows& rows) {
  const JobFailures& job = goodput.job;
  const RunTime& expected = goodput.expected;
  const FailureSpec& spec = planned.failures;
  rows.add("mtbf_hours", hours(job.stop_mtbf()), "h", "between failures that stop the job");
  rows.add("expected_failures", expected.failures, "", "that stop the job");
  for (const FailingPart part : enumerators<FailingPart>)
    rows.add(fmt::format("expected_{}_failures", name_of(failing_part_names, part)),
             expected.failures * (job.stop_mtbf() / job.mtbf[index(part)]), "",
             std::isinf(job.mtbf[index(part)].value) ? "none stops the job"
                                                     : goodput.rates.sources[index(part)]);
  if (spec.nic_failure == NicFailure::go_on) {
    rows.add("expected_nic_losses", expected.total() / job.nic_loss_mtbf, "",
             goodput.rates.sources[index(FailingPart::nic)]);
    rows.add("speed_without_nic_percent", 100.0 * job.degraded_speed, "%",
             "replayed; the job goes on");
  }
  rows.add("detection_minutes", minutes(spec.detection), "min");
  rows.add("restart_minutes", minutes(spec.restart), "min", "and the checkpoint is read");
  rows.add("repair_hours", hours(job.repair), "h");
  rows.add("spare_hosts", static_cast<double>(job.spares), "",
           spec.spare_hosts ? "given" : "the fewest that keep waiting below 0.1 % of the time");
}

void add_lost_rows(const std::string& prefix, const RunTime& time, GoodputRows& rows) {
  rows.add(prefix + "_checkpoint_hours", hours(time.checkpoints), "h");
  rows.add(prefix + "_work_hours", hours(time.lost_work), "h", "steps that are repeated");
  rows.add(prefix + "_restart_hours", hours(time.restarts), "h", "detection and restart");
  rows.add(prefix + "_waiting_hours", hours(time.waiting), "h", "for a repair");
  rows.add(prefix + "_slower_hours", hours(time.slower), "h", "steps while a NIC is down");
}

} // namespace

std::optional<Goodput> goodput_of(const Scenario& planned, double tokens, const StepResult& step,
                                  const Costs& costs, const std::filesystem::path& calibration) {
  const TrainingSpec& training = planned.workload.training;
  const double tokens_per_step =
      static_cast<double>(training.global_batch) * static_cast<double>(training.sequence_length);
  const Seconds work{tokens / tokens_per_step * step.step_time_ms * 1e-3};
  const bool goes_on =
      planned.failures.nic_failure == NicFailure::go_on && planned.topology.node.nics > 0;
  Goodput goodput;
  goodput.rates = read_failure_rates(calibration, planned.failures);
  goodput.job = job_failures(planned, goodput.rates,
                             goes_on ? speed_without_nic(planned, costs, step.step_time_ms) : 1.0);
  goodput.interval_given = planned.failures.interval.has_value();
  goodput.interval = goodput.interval_given ? std::max(*planned.failures.interval,
                                                       goodput.job.write_delay - goodput.job.stall)
                                            : best_interval(goodput.job);
  goodput.expected = expected_run(goodput.job, work, goodput.interval);
  if (!(goodput.percent() > least_percent))
    return std::nullopt;
  return goodput;
}

ResultTable goodput_table(const Scenario& planned, const Goodput& goodput,
                          const SimulatedRuns& simulated, std::uint64_t runs) {
  GoodputRows rows;
  const RunTime& expected = goodput.expected;
  rows.add("days", days(expected.work), "d", "without failures or checkpoints");
  rows.add("effective_days", days(expected.total()), "d", "expected");
  rows.add("goodput_percent", goodput.percent(), "%", "days over effective_days");
  add_checkpoint_rows(planned, goodput, rows);
  add_failure_rows(planned, goodput, rows);
  add_lost_rows("lost", expected, rows);
  const std::string note = fmt::format("mean of {} runs, drawn failure by failure", runs);
  rows.add("simulated_days", simulated.total.value / 86'400.0, "d", note);
  rows.add("simulated_days_low", simulated.total.low / 86'400.0, "d", "95 % interval of the mean");
  rows.add("simulated_days_high", simulated.total.high / 86'400.0, "d");
  rows.add("simulated_failures", simulated.mean.failures, "");
  add_lost_rows("simulated_lost", simulated.mean, rows);
  return rows.take();
}

} // namespace moesim
