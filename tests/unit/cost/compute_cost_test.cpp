#include "sim/cost/compute_cost.hpp"

#include "sim/base/input_error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const fs::path calibration = fs::path(MOESIM_SOURCE_DIR) / "calibration";

DevicePeaks h100() {
  return {"h100-sxm", tflops(989), tflops(1979), gbyte_per_s(3350), 132, "nvlink4"};
}

Kernel product(std::int64_t m, std::int64_t n, std::int64_t k,
               Precision precision = Precision::bf16) {
  return gemm(KernelPart::dense, precision, m, n, k);
}

double microseconds_of(const KernelTime& time) {
  return time.time.value * 1e6;
}

/// A calibration folder of one device, "toy": the repository's constants and one GEMM table.
fs::path toy_calibration(const std::string& name, const std::string& gemm_csv) {
  const fs::path folder = fs::temp_directory_path() / ("moesim_compute_cost_" + name);
  fs::remove_all(folder);
  fs::create_directories(folder / "toy");
  fs::copy_file(calibration / "compute_constants.csv", folder / "compute_constants.csv");
  std::ofstream(folder / "toy" / "gemm.csv") << gemm_csv;
  return folder;
}

DevicePeaks toy() {
  return {"toy", tflops(1), tflops(1), gbyte_per_s(1000), 100, "nvlink4"};
}

std::string message_of(const fs::path& folder) {
  try {
    ComputeCost::load(folder, toy());
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

} // namespace

// DeepSeek-V3: 20 of 132 SMs communicate, 112 compute (arXiv 2412.19437, section 3.2). NCCL's
// all-to-all holds 16 across nodes.
TEST_CASE("communication takes its SMs from the compute beside it") {
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  CHECK(cost.slowdown_beside(Collective::dispatch) == Approx(132.0 / 112.0));
  CHECK(cost.slowdown_beside(Collective::all_to_all) == Approx(132.0 / 116.0));
}

TEST_CASE("a shape in the GEMM table takes its measured time") {
  // The row bf16,8192,8192,8192 of the H100 table says 1404.8 us.
  const KernelTime time = ComputeCost::load(calibration, h100()).time(product(8192, 8192, 8192));
  CHECK(microseconds_of(time) == Approx(1404.8).epsilon(1e-3));
  CHECK(time.basis == CostBasis::measured);
}

TEST_CASE("between two shapes the efficiency is interpolated in the logarithm of the size") {
  // Peak 1 TFLOPS. m = 64: 2·64·64·64 FLOP = 524288 in 2.097152 us, an efficiency of 1/4.
  // m = 256: 2097152 FLOP in 4.194304 us, 1/2. m = 128 is half way in log2: 3/8, and its
  // 1048576 FLOP take 1.048576 / (3/8) us.
  const fs::path folder = toy_calibration("between", "precision,m,n,k,time_us\n"
                                                     "bf16,64,64,64,2.097152\n"
                                                     "bf16,256,64,64,4.194304\n");
  const ComputeCost cost = ComputeCost::load(folder, toy());
  const KernelTime time = cost.time(product(128, 64, 64));
  CHECK(microseconds_of(time) == Approx(1.048576 / 0.375).epsilon(1e-9));
  CHECK(time.basis == CostBasis::measured);

  SECTION("below the table a product is padded to its edge") {
    const KernelTime small = cost.time(product(1, 64, 64));
    CHECK(microseconds_of(small) == Approx(2.097152).epsilon(1e-9));
    CHECK(small.basis == CostBasis::extrapolated);
  }
  SECTION("above the table the efficiency of the edge stays") {
    const KernelTime large = cost.time(product(1024, 64, 64));
    CHECK(microseconds_of(large) == Approx(4 * 4.194304).epsilon(1e-9));
    CHECK(large.basis == CostBasis::extrapolated);
  }
  SECTION("a device without faster fp8 runs fp8 as bf16") {
    CHECK(microseconds_of(cost.time(product(256, 64, 64, Precision::fp8))) ==
          Approx(4.194304).epsilon(1e-9));
  }
}

TEST_CASE("a time that would beat the peak is held at the peak") {
  const fs::path folder = toy_calibration("peak", "precision,m,n,k,time_us\nbf16,64,64,64,0.1\n");
  // 524288 FLOP at 1 TFLOPS: 0.524288 us, not 0.1.
  CHECK(microseconds_of(ComputeCost::load(folder, toy()).time(product(64, 64, 64))) ==
        Approx(0.524288).epsilon(1e-9));
}

TEST_CASE("the two grouped products of a measured layer add up to its time") {
  // The H100 row bf16, hidden 4096, moe_ffn 14336, 8 groups of 256: a layer kind of the table, not
  // capped by the single product.
  std::ifstream file(calibration / "h100-sxm" / "grouped_gemm.csv");
  std::string line;
  double expected_us = 0.0;
  while (std::getline(file, line))
    if (line.rfind("bf16,4096,14336,8,256,", 0) == 0)
      expected_us = std::stod(line.substr(line.rfind(',') + 1));
  REQUIRE(expected_us > 0.0);
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  const auto part = KernelPart::expert;
  const KernelTime gate_up = cost.time(grouped_gemm(part, Precision::bf16, 8, 256, 28672, 4096));
  const KernelTime down = cost.time(grouped_gemm(part, Precision::bf16, 8, 256, 4096, 14336));
  CHECK(microseconds_of(gate_up) + microseconds_of(down) == Approx(expected_us).epsilon(1e-6));
}

TEST_CASE("no product of any shape beats the peak") {
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  for (const Precision precision : {Precision::bf16, Precision::fp8})
    for (std::int64_t m = 1; m <= 1000000; m *= 10)
      for (std::int64_t n = 1; n <= 1000000; n *= 10)
        for (std::int64_t k = 1; k <= 1000000; k *= 10) {
          const Kernel kernel = product(m, n, k, precision);
          const double peak = precision == Precision::fp8 ? 1979e12 : 989e12;
          const double time = cost.time(kernel).time.value;
          CHECK(std::isfinite(time));
          CHECK(time >= kernel.flops.value / peak * (1.0 - 1e-12));
        }
}

TEST_CASE("more tokens are never faster on a coarse scan") {
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  for (const Precision precision : {Precision::bf16, Precision::fp8}) {
    Seconds dense;
    Seconds grouped;
    Seconds attention;
    for (std::int64_t tokens = 64; tokens <= 65536; tokens *= 4) {
      const Seconds next_dense = cost.time(product(tokens, 4096, 4096, precision)).time;
      const Seconds next_grouped =
          cost.time(grouped_gemm(KernelPart::expert, precision, 8, tokens, 3072, 4096)).time;
      const Seconds next_attention =
          cost.time(attention_forward({1, tokens, 32, 8, 128, 128})).time;
      CHECK(next_dense >= dense);
      CHECK(next_grouped >= grouped);
      CHECK(next_attention >= attention);
      dense = next_dense;
      grouped = next_grouped;
      attention = next_attention;
    }
  }
}

TEST_CASE("attention backward takes its FLOPs over the stated share of the forward efficiency") {
  // 2.5 times the FLOPs at 0.79 of the efficiency: 2.5 / 0.79 of the forward time.
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  const AttentionShape shape{1, 4096, 32, 8, 128, 128};
  const KernelTime forward = cost.time(attention_forward(shape));
  const KernelTime backward = cost.time(attention_backward(shape));
  CHECK(backward.time / forward.time == Approx(2.5 / 0.79).epsilon(1e-9));
  CHECK(forward.basis == CostBasis::measured);
  CHECK(backward.basis == CostBasis::extrapolated);
}

TEST_CASE("a kind whose row names no tables falls to the roofline and says so") {
  const ComputeCost cost = ComputeCost::load(
      calibration, {"l40s", tflops(1000), tflops(2000), gbyte_per_s(4000), 132, "nvlink4"});
  // 2·4096³ FLOP at 0.76 of 1000 TFLOPS, plus 2.6 us.
  const KernelTime time = cost.time(product(4096, 4096, 4096));
  CHECK(time.time.value == Approx(2.0 * 4096.0 * 4096.0 * 4096.0 / 0.76e15 + 2.6e-6).epsilon(1e-9));
  CHECK(time.basis == CostBasis::datasheet);
  CHECK(cost.time(attention_forward({1, 4096, 32, 8, 128, 128})).basis == CostBasis::datasheet);
  // 332 MB at 0.83 of 4000 GB/s: 100 us, plus 2.6 us.
  CHECK(microseconds_of(cost.time(memory_bound(KernelPart::permute, Bytes{332000000}))) ==
        Approx(102.6).epsilon(1e-9));
}

TEST_CASE("malformed GEMM tables are refused with their place") {
  const fs::path unknown = toy_calibration("unknown", "precision,m,n,k,time_us\n"
                                                      "bf17,64,64,64,1\n");
  CHECK(message_of(unknown) == (unknown / "toy" / "gemm.csv").string() +
                                   ":2:1: error: precision: \"bf17\" is not bf16 or fp8\n"
                                   "  bf17,64,64,64,1\n"
                                   "  ^\n"
                                   "  hint: did you mean \"bf16\"?");
  const fs::path twice = toy_calibration("twice", "precision,m,n,k,time_us\n"
                                                  "bf16,64,64,64,1\n"
                                                  "bf16,64,64,64,2\n");
  CHECK(message_of(twice) == (twice / "toy" / "gemm.csv").string() +
                                 ":3:6: error: this shape is given twice\n"
                                 "  bf16,64,64,64,2\n"
                                 "       ^");
}
