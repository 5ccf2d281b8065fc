#include "sim/cost/compute_cost.hpp"

#include "sim/base/input_error.hpp"
#include "sim/cost/compute_constants.hpp"
#include "sim/cost/sustained_throughput.hpp"

#include "tests/support/toy_errors.hpp"

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
  return {"h100-sxm", tflops(989.4), tflops(1978.9), gbyte_per_s(3350), 132, "nvlink4"};
}

Kernel product(std::int64_t m, std::int64_t n, std::int64_t k,
               Precision precision = Precision::bf16) {
  return gemm(KernelPart::dense, precision, m, n, k);
}

/// Rate of H100 in a long run over that of its tables, which is fitted (sustained_throughput.csv).
double long_run_rate() {
  return sustained_throughput(calibration, "h100-sxm", {}).ratio.value;
}

/// A time of the H100 tables in a long run, which is slower.
double in_a_long_run(double table_us) {
  return table_us / long_run_rate();
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
  std::ofstream(folder / "compute_errors.csv") << toy_errors("toy");
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
  CHECK(cost.slowdown_beside(Collective::hybrid_dispatch) == Approx(132.0 / 100.0));
  CHECK(cost.slowdown_beside(Collective::all_to_all) == Approx(132.0 / 116.0));
}

TEST_CASE("kernels that move tokens are slower beside computes") {
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  CHECK(cost.rate_beside_compute(Collective::combine).value == Approx(0.68));
  CHECK(cost.rate_beside_compute(Collective::combine).error == Approx(0.17));
  CHECK(cost.rate_beside_compute(Collective::all_to_all).value == Approx(0.80));
  CHECK(cost.rate_beside_compute(Collective::all_gather).value == 1.0); // not known
}

TEST_CASE("communication takes at most half of the memory bandwidth from what streams") {
  const ComputeCost cost = ComputeCost::load(calibration, h100()); // 3,350 GB/s
  CHECK(cost.bandwidth_slowdown_beside(gbyte_per_s(670), 1.0) == Approx(1.25));
  CHECK(cost.bandwidth_slowdown_beside(gbyte_per_s(3000), 1.0) == Approx(2.0));
}

TEST_CASE("grouped products with biases are as slow as the steps that have them") {
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  Kernel kernel = grouped_gemm(KernelPart::expert, Precision::bf16, 8, 1024, 2880, 2880);
  const double plain = microseconds_of(cost.time(kernel));
  kernel.bias = true;
  const double bias = ComputeConstants::read(calibration / "compute_constants.csv")
                          .grouped_bias_efficiency_ratio.value;
  CHECK(microseconds_of(cost.time(kernel)) == Approx(plain / bias));
}

// The toy streams 1000 GB/s x 0.83 ± 5 %: 1 MB in 1.2048 us, on top of 2.1 us ± 2 %.
TEST_CASE("a product that adds itself to a sum takes the time to read and write it besides") {
  const fs::path folder = toy_calibration("sum", "precision,m,n,k,time_us\nbf16,64,64,64,2.1\n"
                                                 "bf16,256,64,64,4.2\n");
  Kernel kernel = product(64, 64, 64);
  kernel.accumulated = Bytes{1'000'000};
  const KernelTime time = ComputeCost::load(folder, toy()).time(kernel);
  const double sum = 1.0 / 0.83;
  CHECK(microseconds_of(time) == Approx(2.1 + sum).epsilon(1e-6));
  CHECK(time.error == Approx(std::hypot(2.1 * 0.02, sum * 0.05) / (2.1 + sum)).epsilon(1e-6));
}

TEST_CASE("a shape in the GEMM table takes its measured time") {
  // The row bf16,8192,8192,8192 of the H100 table says 1404.8 us.
  const KernelTime time = ComputeCost::load(calibration, h100()).time(product(8192, 8192, 8192));
  CHECK(microseconds_of(time) == Approx(in_a_long_run(1404.8)).epsilon(1e-3));
  CHECK(time.basis == CostBasis::measured);
}

TEST_CASE("between two shapes the time is interpolated linearly in the size") {
  // 128 is a third of the way from 64 to 256: 2.1 + (4.2 - 2.1) / 3 us.
  const fs::path folder = toy_calibration("between", "precision,m,n,k,time_us\n"
                                                     "bf16,64,64,64,2.1\n"
                                                     "bf16,256,64,64,4.2\n");
  const ComputeCost cost = ComputeCost::load(folder, toy());
  const KernelTime time = cost.time(product(128, 64, 64));
  CHECK(microseconds_of(time) == Approx(2.8).epsilon(1e-9));
  CHECK(time.basis == CostBasis::measured);
  CHECK(time.error == Approx(0.02));

  SECTION("below the table a product is padded to its edge") {
    const KernelTime small = cost.time(product(1, 64, 64));
    CHECK(microseconds_of(small) == Approx(2.1).epsilon(1e-9));
    CHECK(small.basis == CostBasis::beyond_table);
    CHECK(small.error == Approx(0.1));
  }
  SECTION("above the table the efficiency of the edge stays") {
    const KernelTime large = cost.time(product(1024, 64, 64));
    CHECK(microseconds_of(large) == Approx(4 * 4.2).epsilon(1e-9));
    CHECK(large.basis == CostBasis::beyond_table);
  }
  SECTION("a device without faster fp8 runs fp8 as bf16") {
    CHECK(microseconds_of(cost.time(product(256, 64, 64, Precision::fp8))) ==
          Approx(4.2).epsilon(1e-9));
  }
}

TEST_CASE("a table of one point times every shape from that point") {
  const fs::path folder = toy_calibration("one", "precision,m,n,k,time_us\nbf16,64,64,64,2\n");
  const ComputeCost cost = ComputeCost::load(folder, toy());
  CHECK(microseconds_of(cost.time(product(64, 64, 64))) == Approx(2.0));
  // Twice as large in each size: eight times the work at the same efficiency.
  const KernelTime large = cost.time(product(128, 128, 128));
  CHECK(microseconds_of(large) == Approx(16.0));
  CHECK(large.basis == CostBasis::beyond_table);
}

// 4 x 16 rows are 64. 1,000 single rows: 8.28 us; 1,000 x (64 + 4096 + 64) bf16 at 830 GB/s: 10.18.
TEST_CASE("a batched product takes the time of one with all rows, and that of its bytes") {
  const fs::path folder = toy_calibration("batch", "precision,m,n,k,time_us\nbf16,64,64,64,0.53\n");
  const ComputeCost cost = ComputeCost::load(folder, toy());
  const auto time = [&](const Kernel& kernel) { return microseconds_of(cost.time(kernel)); };
  CHECK(time(batched_gemm(KernelPart::attention, 4, 16, 64, 64)) == Approx(0.53));
  CHECK(time(batched_gemm(KernelPart::attention, 1000, 1, 64, 64)) == Approx(8.448 / 0.83));
}

TEST_CASE("a gap in a table is filled from its neighbours and not called measured") {
  // (128, 128) is missing: along m half way between 2 and 6, along n between 3 and 5: both 4.
  const fs::path folder = toy_calibration("gap", "precision,m,n,k,time_us\n"
                                                 "bf16,64,64,64,2\nbf16,64,128,64,2\n"
                                                 "bf16,64,192,64,4\nbf16,128,64,64,3\n"
                                                 "bf16,128,192,64,5\nbf16,192,64,64,4\n"
                                                 "bf16,192,128,64,6\nbf16,192,192,64,14\n");
  const KernelTime time = ComputeCost::load(folder, toy()).time(product(128, 128, 64));
  CHECK(microseconds_of(time) == Approx(4.0));
  CHECK(time.basis == CostBasis::beyond_table);
}

TEST_CASE("a table whose error is not known is refused with the command that measures it") {
  const fs::path folder = toy_calibration("errors", "precision,m,n,k,time_us\nbf16,64,64,64,2\n");
  fs::remove(folder / "compute_errors.csv");
  const std::string message = message_of(folder);
  CHECK(message.find("the error of gemm bf16 of toy, inside, is not known") != std::string::npos);
  CHECK(message.find("moesim calibrate") != std::string::npos);
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
  CHECK(microseconds_of(gate_up) + microseconds_of(down) ==
        Approx(in_a_long_run(expected_us)).epsilon(1e-6));
}

TEST_CASE("no product of any shape beats the peak") {
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  for (const Precision precision : {Precision::bf16, Precision::fp8})
    for (std::int64_t m = 1; m <= 1000000; m *= 10)
      for (std::int64_t n = 1; n <= 1000000; n *= 10)
        for (std::int64_t k = 1; k <= 1000000; k *= 10) {
          const Kernel kernel = product(m, n, k, precision);
          const double peak = precision == Precision::fp8 ? 1978.9e12 : 989.4e12;
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

TEST_CASE("experts that no table has take the middle of the three nearest that cover them") {
  // One product k x n = 64 x 64 of 2 groups of 32 rows takes 2 us as one product of 64 rows. The
  // three nearest experts lose factors of 2, 3 and 10; the fourth, of 1, is too far.
  const fs::path folder = toy_calibration("middle", "precision,m,n,k,time_us\n"
                                                    "bf16,64,64,64,2\nbf16,64,128,64,4\n"
                                                    "bf16,64,64,128,4\nbf16,64,128,128,8\n"
                                                    "bf16,64,64,256,8\nbf16,64,512,64,16\n"
                                                    "bf16,64,256,64,8\nbf16,64,64,512,16\n");
  const auto layer = [](const char* sizes, double factor, double single_us) {
    return std::string("bf16,") + sizes + ",2,32,0," + std::to_string(factor * single_us) + "\n";
  };
  // Gate and up together are hidden x 2 ffn, down is ffn x hidden.
  std::ofstream(folder / "toy" / "grouped_gemm.csv")
      << "precision,hidden,moe_ffn,groups,tokens_per_group,fused_time_us,products_time_us\n"
      << layer("64,128", 2, 8 + 4)   // 256 x 64 and 64 x 128
      << layer("128,64", 3, 8 + 4)   // 128 x 128 and 128 x 64
      << layer("64,256", 10, 16 + 8) // 512 x 64 and 64 x 256
      << layer("64,512", 1, 32 + 16);
  const KernelTime time =
      ComputeCost::load(folder, toy())
          .time(grouped_gemm(KernelPart::expert, Precision::bf16, 2, 32, 64, 64));
  CHECK(microseconds_of(time) == Approx(3 * 2.0));
  CHECK(time.basis == CostBasis::other_experts);
  CHECK(time.error == Approx(std::hypot(0.02, 0.2)));
}

TEST_CASE("the gradient of grouped weights takes the time of the forward product") {
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  const auto part = KernelPart::expert;
  const KernelTime forward = cost.time(grouped_gemm(part, Precision::bf16, 8, 256, 28672, 4096));
  const KernelTime gradient =
      cost.time(grouped_weight_gradient(part, Precision::bf16, 8, 256, 28672, 4096));
  CHECK(gradient.time / forward.time == Approx(1.0).epsilon(1e-9));
  CHECK(gradient.basis == CostBasis::rule);
  CHECK(gradient.error > forward.error);
}

TEST_CASE("attention backward takes its FLOPs over the stated share of the forward efficiency") {
  // 2.5 times the FLOPs at 0.79 of the efficiency: 2.5 / 0.79 of the forward time.
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  const AttentionShape shape{1, 4096, 32, 8, 128, 128};
  const KernelTime forward = cost.time(attention_forward(shape));
  const KernelTime backward = cost.time(attention_backward(shape));
  CHECK(backward.time / forward.time == Approx(2.5 / 0.79).epsilon(1e-9));
  CHECK(forward.basis == CostBasis::measured);
  CHECK(backward.basis == CostBasis::rule);
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

TEST_CASE("cut, negative and unit-less GEMM tables are refused with their place") {
  const auto message = [](const std::string& text) {
    const std::string whole = message_of(toy_calibration("bad", text));
    return whole.substr(whole.find("gemm.csv"), whole.find('\n') - whole.find("gemm.csv"));
  };
  CHECK(message("precision,m,n,k,time_us\nbf16,64,64,64,1") ==
        "gemm.csv:2:16: error: the last line has no end");
  CHECK(message("precision,m,n,k,time_us\nbf16,64,64\n").rfind("gemm.csv:2:", 0) == 0);
  CHECK(message("precision,m,n,k,time_us\nbf16,64,64,64,-1\n").rfind("gemm.csv:2:15: ", 0) == 0);
  CHECK(message("precision,m,n,k,time\nbf16,64,64,64,1\n").rfind("gemm.csv:1:17: ", 0) == 0);
  CHECK(message("precision,m,n,k,time_us\n") == "gemm.csv:1:1: error: no row follows the header");
}

TEST_CASE("malformed GEMM tables are refused with their place") {
  const fs::path unknown = toy_calibration("unknown", "precision,m,n,k,time_us\n"
                                                      "bf17,64,64,64,1\n");
  CHECK(message_of(unknown) ==
        (unknown / "toy" / "gemm.csv").string() +
            ":2:1: error: precision: \"bf17\" is not bf16 or fp8 or fp8_per_tensor\n"
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

// Half the bf16 time of 64 x 64 x 64 is 2 us, so the cast before it took 3 of 5 us: 1 us for each
// of its 3 bytes a value. 64 x 256 x 64 keeps 9 - 3 us, twice the rows keep 10 of 16.
TEST_CASE("what the narrowest products take beyond half of bf16 is their cast") {
  const fs::path folder = toy_calibration("casts", "precision,m,n,k,time_us\n"
                                                   "bf16,64,64,64,4\nbf16,128,64,64,8\n"
                                                   "bf16,64,256,64,8\nbf16,16,64,64,1.9\n"
                                                   "fp8,64,64,64,5\nfp8,64,256,64,9\n"
                                                   "fp8,128,64,64,10\nfp8,128,256,64,16\n");
  DevicePeaks peaks = toy();
  peaks.fp8 = tflops(2);
  const ComputeCost cost = ComputeCost::load(folder, peaks);
  Kernel wide = product(64, 256, 64, Precision::fp8);
  CHECK(microseconds_of(cost.time(wide)) == Approx(6.0));
  CHECK(microseconds_of(cost.time(product(128, 256, 64, Precision::fp8))) == Approx(10.0));
  SECTION("a product with a cast of its own takes as long as that moves bytes") {
    wide.cast.input = 4;
    CHECK(microseconds_of(cost.time(wide)) == Approx(6.0 + 4.0));
    wide.precision = Precision::fp8_per_tensor; // no such row: as with scales of blocks
    CHECK(microseconds_of(cost.time(wide)) == Approx(6.0 + 4.0));
  }
  SECTION("experts are cast together or one by one, to MXFP8 more slowly") {
    Kernel experts = grouped_gemm(KernelPart::expert, Precision::fp8, 2, 64, 256, 64);
    const double plain = microseconds_of(cost.time(experts));
    experts.cast = {.input = 3, .together = true};
    CHECK(microseconds_of(cost.time(experts)) == Approx(plain + 6.0)); // 128 rows in one launch
    experts.cast.together = false;
    const double stretch = ComputeConstants::read(calibration / "compute_constants.csv")
                               .mx_grouped_cast_time_ratio.value;
    CHECK(microseconds_of(cost.time(experts)) == Approx(plain + stretch * 2 * 3.0));
  }
}

// deepseek-ai/DeepGEMM@a6d97a1, README: 184.45 and 708.45 us on H800, whose chip is H100's.
TEST_CASE("without its cast a published fp8 product takes what a bare one takes") {
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  const auto table_us = [&](std::int64_t n, std::int64_t k) {
    return long_run_rate() * microseconds_of(cost.time(product(4096, n, k, Precision::fp8)));
  };
  CHECK(table_us(4096, 7168) == Approx(184.45).epsilon(0.05));
  CHECK(table_us(7168, 16384) == Approx(708.45).epsilon(0.05));
}

TEST_CASE("products of one scale a tensor are faster than those of blocks") {
  const ComputeCost cost = ComputeCost::load(calibration, h100());
  const Seconds blocks = cost.time(product(8192, 8192, 8192, Precision::fp8)).time;
  const Seconds tensor = cost.time(product(8192, 8192, 8192, Precision::fp8_per_tensor)).time;
  CHECK(blocks / tensor == Approx(1.22).epsilon(0.03)); // 866 and 710 us without casts
}
