#include "sim/calibrate/constants_fit.hpp"

#include "sim/base/input_error.hpp"
#include "sim/calibrate/streaming_fit.hpp"
#include "sim/calibrate/sustained_fit.hpp"
#include "sim/cost/compute_cost.hpp"
#include "sim/cost/sustained_throughput.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/toy_constants.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace moesim;

namespace {

namespace fs = std::filesystem;

/// A calibration with a GPU "toy" that has no published table: 1000 GB/s, kernels start in 1 us.
class Toy : public TemporaryFolder {
public:
  Toy() {
    fs::create_directories(path() / "toy" / "measured");
    write("compute_constants.csv", toy_constants());
    write("gpus.csv", "device,borrows,bf16_tflops,fp8_tflops,memory_gbyte_per_s,board_power_w,"
                      "driver_names,sms,scale_up,scale_up_gbyte_per_s,provenance,source\n"
                      "toy,none,100,200,1000,500,none,100,nvlink4,450,assumption,none\n");
  }
  void measure(const std::string& name, const std::string& text) const {
    write("toy/measured/" + name, text);
  }
};

double value_of(const std::vector<MeasuredConstant>& constants, const std::string& name) {
  const auto found = std::find_if(constants.begin(), constants.end(),
                                  [&](const auto& constant) { return constant.name == name; });
  REQUIRE(found != constants.end());
  return found->value;
}

} // namespace

TEST_CASE("streaming kernels give the share of the bandwidth and the time to start") {
  // 3 us + bytes / (1000 GB/s x 0.5).
  const Toy toy;
  toy.measure("memory_bound.csv", "operation,tokens,hidden,bytes,time_us\n"
                                  "rms_norm,64,64,1000000,5\nswiglu,64,64,10000000,23\n"
                                  "adam,64,64,100000000,203\ncast_fp8,64,64,1000000,900\n");
  const auto fit = fit_streaming(toy.path() / "toy/measured", gbyte_per_s(1000));
  REQUIRE(fit);
  CHECK(fit->share == Approx(0.5));
  CHECK(fit->fixed_time_us == Approx(3.0));
  CHECK(fit->rows == 3);
  const auto constants = fit_device_constants(toy.path(), "toy");
  CHECK(value_of(constants, "memory_bandwidth_share") == Approx(0.5));
  CHECK(value_of(constants, "accumulation_bandwidth_share") == Approx(0.5));
}

TEST_CASE("copies alone stand for all streaming kernels, and for sums of gradients anyway") {
  const Toy toy;
  toy.measure("copy.csv", "kind,bytes,time_us\ndevice_to_device,1000,1\n"
                          "device_to_device,100000000,250\ndevice_to_device,100000000,200\n"
                          "device_to_device,100000000,400\nhost_to_device,100000000,2000\n");
  // 200 MB in 250, 200 and 400 us: 800, 1000 and 500 GB/s.
  const auto constants = fit_device_constants(toy.path(), "toy");
  CHECK(value_of(constants, "memory_bandwidth_share") == Approx(0.8));
  CHECK(value_of(constants, "accumulation_bandwidth_share") == Approx(0.8));
  CHECK(constants.front().source == "measured/copy.csv, 3 rows");
  // The middle one is 20 % less than the first and 60 % more than the last.
  CHECK(constants.front().error_percent == Approx(60.0));
}

TEST_CASE("a permutation in a precision that is not known is refused") {
  const Toy toy;
  toy.measure("permute.csv", "operation,precision,tokens,hidden,experts,top_k,time_us\n"
                             "permute,fp4,1000,1000,8,2,10\n");
  CHECK_THROWS_AS(fit_device_constants(toy.path(), "toy"), InputError);
}

TEST_CASE("a permutation twice as slow as its bytes doubles that part alone") {
  const Toy toy;
  // (1 + 2) x 1000 tokens of 1000 values of 2 bytes: 6 us, and 1 us to start.
  toy.measure("permute.csv", "operation,precision,tokens,hidden,experts,top_k,time_us\n"
                             "permute,bf16,1000,1000,8,2,14\n");
  CHECK(value_of(fit_device_constants(toy.path(), "toy"), "permute_time_ratio") == Approx(2.0));
  const ComputeCost cost = ComputeCost::load(
      toy.path(), {"toy", tflops(100), tflops(200), gbyte_per_s(1000), 100, "nvlink4"});
  CHECK(cost.time(memory_bound(KernelPart::permute, Bytes{6000000})).time.value == Approx(14e-6));
  CHECK(cost.time(memory_bound(KernelPart::dense, Bytes{6000000})).time.value == Approx(7e-6));
}

TEST_CASE("a host that launches in twice the time of a Xeon is twice as slow") {
  const Toy toy;
  const DevicePeaks peaks{"toy", tflops(100), tflops(200), gbyte_per_s(1000), 100, "nvlink4"};
  const Seconds before = ComputeCost::load(toy.path(), peaks).host().launch_time(3, 0);
  toy.measure("launch.csv", "quantity,time_us\nempty_kernel,1\nhost_launch,4\n"); // the Xeon's: 2
  CHECK(value_of(fit_device_constants(toy.path(), "toy"), "host_call_time") == Approx(4.0));
  CHECK(ComputeCost::load(toy.path(), peaks).host().launch_time(3, 0).value ==
        Approx(2.0 * before.value));
}

TEST_CASE("a product beside a kernel slows by the SMs and the bandwidth that it loses") {
  const Toy toy;
  // 20 us alone at 100 TFLOPS, and 1 us to start. Without 20 of 100 SMs 1.5 times that, where the
  // SMs alone say 1.25; with half the bandwidth taken, 1.2 times more.
  toy.measure("interference.csv", "operation,held_sms,held_bandwidth_percent,m,n,k,time_us\n"
                                  "hold_sms,0,0,1000,1000,1000,21\n"
                                  "hold_sms,20,0,1000,1000,1000,31.5\n"
                                  "hold_bandwidth,20,50,1000,1000,1000,37.8\n");
  const auto constants = fit_device_constants(toy.path(), "toy");
  CHECK(value_of(constants, "sm_loss_slowdown") == Approx(2.0));
  CHECK(value_of(constants, "gemm_bandwidth_slowdown") == Approx(0.4));
}

TEST_CASE("a product that was not alone is compared with the tables") {
  const Toy toy;
  toy.measure("interference.csv", "operation,held_sms,held_bandwidth_percent,m,n,k,time_us\n"
                                  "hold_sms,0,0,1000,1000,1000,42\n"
                                  "hold_sms,20,0,1000,1000,1000,63\n");
  CHECK(value_of(fit_device_constants(toy.path(), "toy"), "sm_loss_slowdown") == Approx(8.0));
}

TEST_CASE("a hot product slower than a cold one lowers the throughput of long steps") {
  const Toy toy;
  toy.write("sustained_throughput.csv",
            "device,ratio,bf16_gemm_ratio,error_percent,provenance,source\n"
            "other,0.9,,8,fitted,x\ntoy,0.8,,8,fitted,x\n");
  toy.measure("sustained.csv", "precision,m,n,k,state,time_us\n"
                               "bf16,8192,8192,8192,cold,70\nbf16,8192,8192,8192,hot,100\n");
  fit_sustained(toy.path(), "toy");
  const SustainedThroughput found = sustained_throughput(toy.path(), "toy", {1.0, 0.1});
  CHECK(found.bf16_gemm == Approx(0.7));
  CHECK(found.ratio.value == Approx(0.8));
  CHECK(sustained_throughput(toy.path(), "other", {1.0, 0.1}).ratio.value == Approx(0.9));
}

TEST_CASE("a measured GPU without datasheet rates is refused, with where to write them") {
  const Toy toy;
  fs::create_directories(toy.path() / "newer" / "measured");
  CHECK_THROWS_WITH(fit_device_constants(toy.path(), "newer"),
                    Catch::Contains("no row for the measured GPU \"newer\""));
}
