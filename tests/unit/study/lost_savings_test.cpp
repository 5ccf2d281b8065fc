#include "sim/study/lost_savings.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

/// A step of 100 ms beside a dense twin of 200 ms where the saving on paper is 4: half the loss.
StepResult compared() {
  StepResult result;
  result.step_time_ms = 100.0;
  result.compute_ms = 50.0;
  result.router_ms = 4.0;
  result.permute_ms = 6.0;
  result.ep_exposed_ms = 20.0;
  result.ep_scale_out_ms = 15.0;
  result.pp_bubble_ms = 15.0;
  result.tp_exposed_ms = 5.0;
  result.dp_exposed_ms = 4.0;
  result.optimizer_ms = 4.0;
  result.other_ms = 2.0;
  result.imbalance_ms = 6.0;
  result.imbalance_gemm_ms = 4.0;
  result.imbalance_all_to_all_ms = 2.0;
  result.ideal_speedup = 4.0;
  result.savings_kept_percent = 100.0 * (200.0 / 100.0 - 1.0) / (4.0 - 1.0);
  return result;
}

const Waterfall dense{.optimizer = Seconds{6e-3},
                      .compute = Seconds{160e-3},
                      .ep_exposed = {},
                      .tp_exposed = Seconds{20e-3},
                      .dp_exposed = Seconds{4e-3},
                      .pp_bubble = Seconds{8e-3},
                      .other = Seconds{2e-3}};

} // namespace

// The ideal step takes 200 / 4 = 50 ms. Kept are 100 (2 - 1) / (4 - 1) = 33 1/3 percent, so the 50
// ms beyond it lose 66 2/3 points: 4/3 points a millisecond.
TEST_CASE("the lost saving is split over the parts of the step beyond a quarter of the twin's") {
  StepResult result = compared();
  fill_lost_savings(dense, result);
  const double points = 4.0 / 3;
  CHECK(result.lost_router_percent == Approx(10 * points));
  CHECK(result.lost_expert_gemm_percent == Approx(-4 * points)); // 50 - 10 - 4 - 160 / 4
  CHECK(result.lost_imbalance_percent == Approx(6 * points));
  CHECK(result.lost_ep_scale_out_percent == Approx(13.5 * points)); // 3/4 of 20 - 2
  CHECK(result.lost_ep_scale_up_percent == Approx(4.5 * points));
  CHECK(result.lost_pp_percent == Approx(13 * points));                // 15 - 8 / 4
  CHECK(result.lost_tp_percent == Approx(0.0).margin(1e-12));          // 5 - 20 / 4
  CHECK(result.lost_dp_percent == Approx(3 * points));                 // 4 - 4 / 4
  CHECK(result.lost_optimizer_percent == Approx(2.5 * points));        // 4 - 6 / 4
  CHECK(result.lost_other_percent == Approx(1.5 * points));            // 2 - 2 / 4
  CHECK(10.0 - 4 + 6 + 13.5 + 4.5 + 13 + 3 + 2.5 + 1.5 == Approx(50)); // the whole loss
}

TEST_CASE("a step without exposed all-to-all loses nothing to it") {
  StepResult result = compared();
  result.ep_exposed_ms = 0.0;
  result.ep_scale_out_ms = 0.0;
  result.imbalance_all_to_all_ms = 0.0;
  fill_lost_savings(dense, result);
  CHECK(result.lost_ep_scale_out_percent == 0.0);
  CHECK(result.lost_ep_scale_up_percent == 0.0);
}

TEST_CASE("without a comparison no lost saving is known") {
  StepResult result = compared();
  result.savings_kept_percent = no_value;
  fill_lost_savings({}, result);
  CHECK(std::isnan(result.lost_router_percent));
  CHECK(std::isnan(result.lost_other_percent));
}
