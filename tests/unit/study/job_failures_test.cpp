#include "sim/study/job_failures.hpp"

#include "tests/support/calibration.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// 128 H100 in 16 hosts with 128 NICs, of which each kind of part fails each 100 h.
JobFailures failures_with(std::vector<std::string> settings, double degraded_speed = 1.0) {
  settings.insert(settings.end(),
                  {"failures.gpu_mtbf_hours=12800", "failures.nic_mtbf_hours=12800",
                   "failures.switch_mtbf_hours=12800", "failures.host_mtbf_hours=1600",
                   "failures.software_mtbf_hours=12800"});
  const Scenario scenario = read_scenario(
      std::string(MOESIM_SOURCE_DIR) + "/workloads/mixtral-8x7b/scenario.toml", settings);
  return job_failures(scenario, read_failure_rates(calibration_folder, scenario.failures),
                      degraded_speed);
}

constexpr double hour = 3600.0;

} // namespace

TEST_CASE("a job fails as often as all of its parts") {
  // Five kinds, each 100 h: 20 h. All but software take a host away: 0.8. On the way to repair are
  // 0.8 x 24 / 20 = 0.96 hosts: B(5, 0.96) = 0.0026, B(6, 0.96) = 0.00042: 5 spares.
  const JobFailures stopping = failures_with({});
  CHECK(stopping.stop_mtbf().value == Approx(20.0 * hour));
  CHECK(stopping.host_share() == Approx(0.8));
  CHECK(stopping.spares == 5);
  CHECK(stopping.host_gpus == 8);
  CHECK(failures_with({"failures.spare_hosts=0"}).spares == 0);
}

TEST_CASE("a job that goes on without a NIC fails less often") {
  const JobFailures stopping = failures_with({"failures.nic_failure=go-on"}, 0.9);
  CHECK(stopping.stop_mtbf().value == Approx(25.0 * hour)); // four kinds
  CHECK(stopping.host_share() == Approx(0.75));
  CHECK(stopping.nic_loss_mtbf.value == Approx(100.0 * hour));
  CHECK(stopping.degraded_speed == 0.9);
}

TEST_CASE("a checkpoint takes as long as its bytes, blocking or not") {
  // 46,702,792,704 parameters x (2 + 4 + 4 + 4) bytes at 128 x 2 TB/s / 16,384 = 15.625 GB/s:
  // 41.8457 s. Detection 10 minutes, restart 5.
  const JobFailures blocking = failures_with({});
  CHECK(blocking.checkpoint.value == 46'702'792'704 * 14);
  CHECK(blocking.stall.value == Approx(41.8457));
  CHECK(blocking.write_delay.value == 0.0);
  CHECK(blocking.restart.value == Approx(941.8457));
  // Asynchronous: 653.84 GB / 128 over PCIe at 63 GB/s stall the step, the storage 6.5384 s later.
  const JobFailures late =
      failures_with({"failures.checkpoint=asynchronous", "failures.storage_gbyte_per_s=100"});
  CHECK(late.stall.value == Approx(653.839098 / 128.0 / 63.0));
  CHECK(late.write_delay.value == Approx(6.53839098));
}
