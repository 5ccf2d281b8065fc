#include "sim/study/simulated_run.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

/// A job that stops each 5 h, by its hosts 3 times of 4, with one spare host.
JobFailures often_stopped() {
  JobFailures stopping;
  stopping.mtbf.fill({INFINITY});
  stopping.mtbf[index(FailingPart::software)] = {20.0 * 3600.0};
  stopping.mtbf[index(FailingPart::host)] = {20.0 / 3.0 * 3600.0};
  stopping.nic_loss_mtbf = {INFINITY};
  stopping.stall = {120.0};
  stopping.write_delay = {0.0};
  stopping.restart = {900.0};
  stopping.repair = {4.0 * 3600.0};
  stopping.spares = 1;
  return stopping;
}

/// The expected total, `hours`, lies in the 95 % interval of the mean of 400 runs of 1,000 h of
/// work, which is narrower than 1 % of it. So do the times by use, within 5 %: their intervals are
/// wider.
void check_agreement(const JobFailures& stopping, Seconds interval, double hours) {
  const Seconds work{1000.0 * 3600.0};
  const RunTime expected = expected_run(stopping, work, interval);
  const SimulatedRuns runs = simulate_runs(stopping, work, interval, 1, 400);
  INFO("expected " << expected.total().value << " s, mean " << runs.total.value << " s, from "
                   << runs.total.low << " to " << runs.total.high);
  CHECK(expected.total().value == Approx(3600.0 * hours));
  CHECK(runs.total.low < expected.total().value);
  CHECK(runs.total.high > expected.total().value);
  CHECK(runs.total.high - runs.total.low < 0.01 * expected.total().value);
  CHECK(runs.mean.total().value == Approx(runs.total.value));
  CHECK(runs.mean.failures == Approx(expected.failures).epsilon(0.02));
  CHECK(runs.mean.checkpoints.value == Approx(expected.checkpoints.value).epsilon(0.01));
  CHECK(runs.mean.lost_work.value == Approx(expected.lost_work.value).epsilon(0.05));
  CHECK(runs.mean.restarts.value == Approx(expected.restarts.value).epsilon(0.05));
  CHECK(runs.mean.waiting.value == Approx(expected.waiting.value).epsilon(0.05));
  CHECK(runs.mean.slower.value == Approx(expected.slower.value).epsilon(0.05));
}

} // namespace

TEST_CASE("the mean of simulated trainings is the expected time: blocking checkpoints") {
  // The best interval is 1,999.243 s: 3.6e6 / 1,999.243 x 18,000 exp(900 / 18,000)
  // (exp(2,119.243 / 18,000) - 1) = 1,182.624 h running, 236.5 failures. B(2, 0.75 x 4 / 5) =
  // 0.101124 of all time is spent waiting: 1,182.624 / 0.898876 = 1,315.669 h.
  const JobFailures stopping = often_stopped();
  const Seconds interval = best_interval(stopping);
  CHECK(interval.value == Approx(1999.243));
  CHECK(waiting_share(1, 0.75 * 4.0 / 5.0) == Approx(0.101124).epsilon(1e-5));
  CHECK(expected_run(stopping, {3.6e6}, interval).failures == Approx(236.525));
  check_agreement(stopping, interval, 1315.669);
}

TEST_CASE("the mean of simulated trainings is the expected time: asynchronous, NICs lost") {
  // A NIC is down 1 - exp(-4 / 40) of the time, at 0.8 of the speed: 1,019.402 h of steps.
  // 1,019.402 h / 1,200 s x 18,000 exp(1,500 / 18,000) (exp(1,205 / 18,000) - 1) = 1,150.695 h
  // running, and as above / 0.898876 = 1,280.148 h.
  JobFailures stopping = often_stopped();
  stopping.stall = {5.0};
  stopping.write_delay = {600.0};
  stopping.nic_loss_mtbf = {40.0 * 3600.0};
  stopping.degraded_speed = 0.8;
  check_agreement(stopping, {1200.0}, 1280.148);
}

TEST_CASE("a simulated training without failures is its work and its checkpoints") {
  // 10,000 s with a checkpoint of 120 s after each 3,000 s: 3 of them, none at the end.
  JobFailures stopping = often_stopped();
  stopping.mtbf.fill({1e15});
  const RunTime time = simulated_run(stopping, {10'000.0}, {3000.0}, 1, 0);
  CHECK(time.total().value == Approx(10'360.0));
  CHECK(time.checkpoints.value == Approx(360.0));
  CHECK(time.lost_work.value == Approx(0.0).margin(1e-6));
}

TEST_CASE("a simulated training is the same for the same seed, another for another") {
  const auto total = [](std::uint64_t seed, std::uint64_t number) {
    return simulated_run(often_stopped(), {3.6e6}, {2000.0}, seed, number).total().value;
  };
  CHECK(total(1, 0) == total(1, 0));
  CHECK(total(1, 0) != total(2, 0));
  CHECK(total(1, 0) != total(1, 1));
}
