#include "sim/study/goodput.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

/// A job that software alone stops, each 1,000 s: no host is ever away.
JobFailures stopped_each_1000_s() {
  JobFailures stopping;
  stopping.mtbf.fill({INFINITY});
  stopping.mtbf[index(FailingPart::software)] = {1000.0};
  stopping.nic_loss_mtbf = {INFINITY};
  stopping.stall = {10.0};
  stopping.write_delay = {20.0};
  stopping.restart = {50.0};
  stopping.repair = {500.0};
  return stopping;
}

} // namespace

TEST_CASE("the intervals of Young and Daly") {
  // A stall of 60 s, a failure a day: sqrt(2 x 60 x 86,400) = 3,219.938 s. 60 / (2 x 86,400) =
  // 0.000347222, its root 0.0186339: 3,219.938 x (1 + 0.0062113 + 0.0000386) - 60 = 3,180.06 s.
  CHECK(young_interval({60.0}, {86'400.0}).value == Approx(3219.938));
  CHECK(daly_interval({60.0}, {86'400.0}).value == Approx(3180.06));
  CHECK(daly_interval({200.0}, {100.0}).value == Approx(100.0)); // stall = 2 mtbf: mtbf
}

TEST_CASE("the best interval is that of the least expected time") {
  JobFailures stopping = stopped_each_1000_s();
  const Seconds best = best_interval(stopping);
  // x = best / 1,000 solves (1 - x) exp(x + 0.01) = 1; Daly's is within 0.1 % of it.
  const double x = best.value / 1000.0;
  CHECK((1.0 - x) * std::exp(x + 0.01) == Approx(1.0));
  CHECK(daly_interval(stopping.stall, {1000.0}).value == Approx(best.value).epsilon(1e-3));
  const double least = expected_run(stopping, {1e6}, best).total().value;
  CHECK(expected_run(stopping, {1e6}, 0.9 * best).total().value > least);
  CHECK(expected_run(stopping, {1e6}, 1.1 * best).total().value > least);
  stopping.write_delay = {600.0}; // not written before 600 s: 590 s of steps and the stall of 10 s
  CHECK(best_interval(stopping).value == Approx(590.0));
}

TEST_CASE("expected times of a training by use") {
  // 10,000 s of work are 100 intervals. Each takes 1,000 exp(0.05 + 0.02) (exp(0.11) - 1) =
  // 1,000 x 1.0725082 x 0.1162781 = 124.7092 s: 12,470.92 s, 12.47 failures. Checkpoints: 100 x 10
  // s. Restarts: 12,470.92 x (1 - exp(-0.05)) = 608.21 s. The rest is lost: 862.71 s.
  const RunTime time = expected_run(stopped_each_1000_s(), {10'000.0}, {100.0});
  CHECK(time.failures == Approx(12.47092));
  CHECK(time.checkpoints.value == Approx(1000.0));
  CHECK(time.restarts.value == Approx(608.21).epsilon(1e-5));
  CHECK(time.lost_work.value == Approx(862.71).epsilon(1e-4));
  CHECK(time.waiting.value == 0.0);
  CHECK(time.slower.value == 0.0);
  CHECK(time.total().value == Approx(12'470.92));
}

TEST_CASE("a job without spares waits as Erlang's formula says") {
  // B(1, 0.5) = 0.5 / 1.5; B(2, 0.5) = 0.5 x 1/3 / (2 + 0.5 x 1/3) = 1/13.
  CHECK(waiting_share(0, 0.5) == Approx(1.0 / 3.0));
  CHECK(waiting_share(1, 0.5) == Approx(1.0 / 13.0));
  // A host fails each 1,000 s and is away for 500 s: half a host is away, a third of all time is
  // spent waiting, so as much again as half of the rest.
  JobFailures stopping = stopped_each_1000_s();
  std::swap(stopping.mtbf[index(FailingPart::software)], stopping.mtbf[index(FailingPart::host)]);
  const RunTime time = expected_run(stopping, {10'000.0}, {100.0});
  CHECK(time.waiting.value == Approx(0.5 * 12'470.92));
}

TEST_CASE("a lost NIC slows the step for as long as its repair takes") {
  // A NIC is lost each 5,000 s, for 500 s: some NIC is down 1 - exp(-0.1) = 9.516 % of the time, at
  // half the speed: 10,000 / (1 - 0.04758) = 10,499.6 s for the same steps.
  JobFailures stopping = stopped_each_1000_s();
  stopping.nic_loss_mtbf = {5000.0};
  stopping.degraded_speed = 0.5;
  CHECK(expected_run(stopping, {10'000.0}, {100.0}).slower.value == Approx(499.6).epsilon(1e-4));
}

TEST_CASE("Llama 3 405B keeps more than 90 % of its time, as published") {
  // arXiv 2407.21783, section 3.3.4: 419 interruptions in 54 days, "higher than 90 %". 405.85e9
  // parameters x 14 bytes / 2 TB/s = 2.84 s; detection and restart as by default, 15 minutes.
  JobFailures stopping = stopped_each_1000_s();
  stopping.mtbf[index(FailingPart::software)] = {54.0 * 86'400.0 / 419.0};
  stopping.stall = {2.84};
  stopping.write_delay = {0.0};
  stopping.restart = {902.84};
  const RunTime time = expected_run(stopping, {49.0 * 86'400.0}, best_interval(stopping));
  // 1 / (exp(902.84 / 11,135) x (1 + 2 x 2.84 / 251.5)) = 0.902.
  CHECK(time.work / time.total() == Approx(0.902).epsilon(2e-3));
}
