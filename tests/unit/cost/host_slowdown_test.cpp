#include "sim/cost/host_slowdown.hpp"

#include "sim/base/input_error.hpp"
#include "sim/cost/compute_cost.hpp"
#include "tests/support/calibration.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <string>

using namespace moesim;

namespace {

/// A calibration with the shipped constants, a GPU kind "bare", and the given rows of hosts.
void write_hosts(const TemporaryFolder& folder, const std::string& rows) {
  for (const char* name : {"compute_constants.csv", "compute_errors.csv"})
    std::filesystem::copy_file(calibration_folder / name, folder.path() / name,
                               std::filesystem::copy_options::overwrite_existing);
  folder.write(
      "gpus.csv",
      "device,borrows,bf16_tflops,fp8_tflops,memory_gbyte_per_s,board_power_w,driver_names,"
      "provenance,source\n"
      "bare,none,1,1,1000,100,none,datasheet,for the test\n");
  folder.write("hosts.csv", "host,time_ratio,error_percent,provenance,source\n" + rows);
}

} // namespace

TEST_CASE("the host takes its time for each call and each further launch, a slow one longer") {
  const TemporaryFolder folder;
  write_hosts(folder, "slow,2,10,measured,x\n");
  const ComputeConstants constants =
      ComputeConstants::read(folder.path() / "compute_constants.csv");
  const double expected_us =
      3 * constants.host_operator_time_us.value + 5 * constants.host_launch_time_us.value;
  DevicePeaks peaks{"bare", tflops(1), tflops(1), gbyte_per_s(1000), 100, "nvlink4"};
  CHECK(ComputeCost::load(folder.path(), peaks).host().launch_time(3, 5).value ==
        Approx(expected_us * 1e-6));
  peaks.host = "slow";
  const ComputeCost slow = ComputeCost::load(folder.path(), peaks);
  CHECK(slow.host().launch_time(3, 5).value == Approx(2 * expected_us * 1e-6));
  CHECK(slow.host().launch_error(1, 0) ==
        Approx(std::hypot(constants.host_operator_time_us.error, 0.1)));
  CHECK(slow.host().launch_error(0, 1) ==
        Approx(std::hypot(constants.host_launch_time_us.error, 0.1)));
  CHECK(slow.host().launch_error(0, 0) == 0.0);
}

TEST_CASE("an unknown host is refused with the nearest one, one that is given twice too") {
  const TemporaryFolder folder;
  write_hosts(folder, "slow,2,10,measured,x\n");
  CHECK(host_slowdown(folder.path(), {"xeon"}).value == 1.0);
  CHECK_THROWS_WITH(
      host_slowdown(folder.path(), {"slo", {"t.toml", 7, 8}}),
      Catch::StartsWith("t.toml:7:8: error: host: \"slo\" is not one of slow, xeon") &&
          Catch::Contains("\"slow\"?"));
  write_hosts(folder, "xeon,2,10,measured,x\n");
  CHECK_THROWS_WITH(host_slowdown(folder.path(), {"xeon"}),
                    Catch::Contains("hosts.csv:2:1") && Catch::Contains("given twice"));
}
