#include "sim/cost/sustained_throughput.hpp"

#include "sim/base/median.hpp"
#include "sim/cost/compute_cost.hpp"
#include "sim/input/csv_table.hpp"
#include "tests/support/calibration.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/toy_constants.hpp"
#include "tests/support/toy_errors.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>
#include <vector>

using namespace moesim;

namespace {

Kernel product_of(std::int64_t m, std::int64_t n, std::int64_t k) {
  return gemm(KernelPart::dense, Precision::bf16, m, n, k);
}

} // namespace

TEST_CASE("a kind without a row runs as the constants say, and long runs are never faster") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "slow");
  folder.write("slow/gemm.csv", "precision,m,n,k,time_us\nbf16,64,64,64,2\n");
  folder.write("compute_errors.csv", toy_errors("slow"));
  folder.write("compute_constants.csv", toy_constants());
  const std::string head = "device,ratio,bf16_gemm_ratio,error_percent,provenance,source\n";
  const auto write = [&](const std::string& rows) {
    folder.write("sustained_throughput.csv", head + rows);
  };
  const auto loaded = [&] {
    return ComputeCost::load(folder.path(),
                             {"slow", tflops(1), tflops(1), gbyte_per_s(1000), 100, "nvlink4"});
  };
  write("other,0.5,,7,measured,x\n");
  CHECK(loaded().time(product_of(64, 64, 64)).time.value * 1e6 == Approx(2));
  write("slow,0.5,,7,measured,x\n");
  CHECK(loaded().time(product_of(64, 64, 64)).time.value * 1e6 == Approx(4));
  CHECK(loaded().common_error() == Approx(0.07));
  write("slow,0.5,0.4,7,measured,x\n");
  CHECK(loaded().time(product_of(64, 64, 64)).time.value * 1e6 == Approx(5));
  write("slow,1.1,,7,measured,x\n");
  CHECK_THROWS_WITH(loaded(), Catch::Contains("sustained_throughput.csv:2:6: error: ratio: long "
                                              "runs are never faster"));
  write("slow,0.5,,7,measured,x\nslow,0.6,,7,measured,x\n");
  CHECK_THROWS_WITH(loaded(), Catch::Contains("\"slow\" is given twice"));
}

// The rates of long_gemm.csv are shares of 2,250 TFLOPS; a weight gradient also reads and writes
// its sum in fp32, at 0.83 of 8,000 GB/s, which moesim times apart.
TEST_CASE("B200's bf16 products in a long loop are as much slower as was measured") {
  const CsvTable table = CsvTable::read(calibration_folder / "b200-sxm" / "long_gemm.csv");
  const ComputeCost cost =
      ComputeCost::load(calibration_folder, {"b200-sxm", tflops(2250), tflops(4500),
                                             gbyte_per_s(8000), 148, "nvlink5"});
  std::vector<double> ratios;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto m = table.integer(row, 1);
    const auto n = table.integer(row, 2);
    const auto k = table.integer(row, 3);
    const double sizes = static_cast<double>(m * n);
    double measured_us = 2e6 * sizes * static_cast<double>(k) / (table.number(row, 4) * 2250e12);
    if (table.text(row, 0) == "weight-gradient")
      measured_us -= 8e6 * sizes / (0.83 * 8e12);
    if (measured_us > 300.0)
      ratios.push_back(measured_us / (cost.time(product_of(m, n, k)).time.value * 1e6));
  }
  CHECK(ratios.size() > 70);
  CHECK(median(ratios) == Approx(1.0).margin(0.02));
}
