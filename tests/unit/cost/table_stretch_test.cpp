#include "sim/cost/compute_cost.hpp"

#include "sim/base/units.hpp"
#include "tests/support/calibration.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("a stretched table gives longer times of its own kernels alone") {
  ComputeCost cost = ComputeCost::load(calibration_folder, {.kind = "h100-sxm",
                                                            .bf16 = tflops(989.4),
                                                            .fp8 = tflops(1978.9),
                                                            .memory_bandwidth = gbyte_per_s(3350),
                                                            .sms = 132});
  const Kernel product = gemm(KernelPart::dense, Precision::bf16, 4096, 4096, 4096);
  const KernelTime as_measured = cost.time(product);
  REQUIRE(as_measured.basis == CostBasis::measured);
  cost.stretch(KernelTable::gemm, {.ratio = 0.1});
  CHECK(cost.time(product).time / as_measured.time == Approx(1.1)); // 1 + 0.1
  cost.stretch(KernelTable::gemm, {.errors = 1.0});
  CHECK(cost.time(product).time / as_measured.time == Approx(1.0 + as_measured.error));
  cost.stretch(KernelTable::attention, {.ratio = 0.1});
  CHECK(cost.time(product).time == as_measured.time);
}
