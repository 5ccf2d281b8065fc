#include "sim/cost/compute_tables.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/cost/compute_cost.hpp"

#include "tests/support/calibration.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <array>

using namespace moesim;

namespace {

constexpr std::array only_bf16 = {Precision::bf16};

} // namespace

TEST_CASE("of the rows of other precisions than those asked for only the names are read") {
  const TemporaryFolder folder;
  const std::string head = "precision,m,n,k,time_us\nbf16,64,32,16,7\n";
  folder.write("gemm.csv", head + "fp8,64,32,16,soon\n");
  const std::map<Precision, TimeTable> tables = read_gemm_tables(folder.path(), only_bf16);
  REQUIRE(tables.size() == 1);
  CHECK(tables.at(Precision::bf16).at(0).seconds == Approx(7e-6));
  CHECK_THROWS_WITH(read_gemm_tables(folder.path()),
                    Catch::Contains("gemm.csv:3:14: error: time_us: \"soon\" is not a number"));
  folder.write("gemm.csv", head + "fp9,64,32,16,soon\n");
  CHECK_THROWS_WITH(read_gemm_tables(folder.path(), only_bf16),
                    Catch::Contains("\"fp9\" is not bf16 or fp8 or fp8_per_tensor"));
}

TEST_CASE("a shape that is given twice is refused, whatever the order of the rows") {
  const TemporaryFolder folder;
  folder.write("gemm.csv", "precision,m,n,k,time_us\n"
                           "bf16,64,32,16,7\n"
                           "fp8,32,32,16,3\n"
                           "bf16,32,32,16,4\n"
                           "bf16,64,32,16,7\n"
                           "bf16,32,32,16,4\n");
  CHECK_THROWS_WITH(read_gemm_tables(folder.path()),
                    Catch::Contains("gemm.csv:5:6: error: this shape is given twice"));
}

TEST_CASE("a kernel of a precision that was not read is a defect") {
  const ComputeCost cost = ComputeCost::load(
      calibration_folder,
      {"h100-sxm", tflops(989.4), tflops(1978.9), gbyte_per_s(3350), 132, "nvlink4"}, only_bf16);
  CHECK(cost.time(gemm(KernelPart::dense, Precision::bf16, 64, 64, 64)).time > Seconds{});
  CHECK_THROWS_AS(cost.time(gemm(KernelPart::dense, Precision::fp8, 64, 64, 64)), InternalError);
}
