#include "sim/study/plan_row.hpp"

#include "sim/study/validated_distance.hpp"

#include "tests/support/calibration.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

PlanRow row_of(const std::string& candidate, double gpus, double days, double cost,
               double deadline = no_value) {
  PlanRow row;
  row.candidate = candidate;
  row.gpus = gpus;
  row.status = "ok";
  row.training.days = {days, 0.9 * days, 1.1 * days};
  row.training.cost = {cost, cost, cost};
  row.deadline_days = deadline;
  return row;
}

} // namespace

TEST_CASE("days, cost and energy of a rented cluster") {
  // 1e9 tokens at 1e6 a step are 1,000 steps of 86.4 s: 1 day. 24 h x 100 GPUs = 2,400 GPU-hours at
  // 2: 4,800. 2,400 h x 700 W x 1.5 x 1.25 = 3,150,000 Wh = 3.15 MWh. Lower by half, upper twice.
  const TrainingCost found =
      training_cost({86'400.0, 43'200.0, 172'800.0}, {.tokens = 1e9,
                                                      .tokens_per_step = 1e6,
                                                      .gpus = 100.0,
                                                      .board_power_w = 700.0,
                                                      .price = {.per_gpu_hour = 2.0}});
  CHECK(found.days.value == Approx(1.0));
  CHECK(found.days.low == Approx(0.5));
  CHECK(found.days.high == Approx(2.0));
  CHECK(found.gpu_hours.value == Approx(2400.0));
  CHECK(found.cost.value == Approx(4800.0));
  CHECK(found.cost.low == Approx(2400.0));
  CHECK(found.cost.high == Approx(9600.0));
  CHECK(found.energy_mwh.value == Approx(3.15));
}

TEST_CASE("idle GPUs are paid for and draw nothing") {
  // 1 day of 64 + 8 GPUs: 1,728 GPU-hours at 3: 5,184. 24 h x 64 x 1,000 W x 1.875 = 2.88 MWh.
  const TrainingCost found =
      training_cost({86'400e3, 86'400e3, 86'400e3}, {.tokens = 1.0,
                                                     .tokens_per_step = 1.0,
                                                     .gpus = 64.0,
                                                     .idle_gpus = 8.0,
                                                     .board_power_w = 1000.0,
                                                     .price = {.per_gpu_hour = 3.0}});
  CHECK(found.gpu_hours.value == Approx(1728.0));
  CHECK(found.cost.value == Approx(5184.0));
  CHECK(found.energy_mwh.value == Approx(2.88));
}

TEST_CASE("a bought cluster costs its share of the years and its power") {
  // 73 days of 2 x 365 are a tenth of the capital of 5e6: 500,000. 73 d x 24 h x 1,000 GPUs x 1,000
  // W x 1.875 = 3,285 MWh = 3,285,000 kWh at 0.1: 328,500.
  const TrainingCost found = training_cost(
      {73.0 * 86'400e3, 0.0, 0.0}, {.tokens = 1.0,
                                    .tokens_per_step = 1.0,
                                    .gpus = 1000.0,
                                    .board_power_w = 1000.0,
                                    .price = {.capital = 5e6, .years = 2.0, .power_per_kwh = 0.1}});
  CHECK(found.energy_mwh.value == Approx(3285.0));
  CHECK(found.cost.value == Approx(828'500.0));
}

TEST_CASE("the interval of a step widens with the distance, and never below zero") {
  StepResult step;
  step.step_time_ms = 100.0;
  step.step_time_low_ms = 90.0;
  step.step_time_high_ms = 110.0;
  // 10 ms x (1 + 0.1 x 5) = 15 ms.
  CHECK(widened_step(step, 0.0).low == Approx(90.0));
  CHECK(widened_step(step, 5.0).low == Approx(85.0));
  CHECK(widened_step(step, 5.0).high == Approx(115.0));
  CHECK(widened_step(step, 200.0).low == 0.0);
}

TEST_CASE("a step's distance from a published one counts factors of two and what differs") {
  const StepTraits own{"", "h100-sxm", 989.4, Precision::bf16, true, 8e9, 2e9, 64, 2, 1, 4, 8};
  StepTraits other = own;
  CHECK(distance_between(own, other) == 0.0);
  other.parameters = 32e9; // 2
  other.gpus = 128;        // 1
  other.tensor = 1;        // 1
  other.expert = 64;       // 3
  CHECK(distance_between(own, other) == Approx(7.0));
  other.precision = Precision::fp8; // 1
  other.moe = false;                // 1
  CHECK(distance_between(own, other) == Approx(9.0));
  other.gpu_kind = "h200-sxm"; // 1, with the same peak
  CHECK(distance_between(own, other) == Approx(10.0));
  other.bf16_tflops = 2.0 * 989.4; // 1
  CHECK(distance_between(own, other) == Approx(11.0));
  StepTraits nearer = own;
  nearer.name = "nearer";
  nearer.pipeline = 2;
  const NearestStep nearest = nearest_step(own, {other, nearer});
  CHECK(nearest.name == "nearer");
  CHECK(nearest.distance == Approx(1.0));
}

TEST_CASE("a published step that is scored has the distance 0 from the scored steps") {
  const std::vector<StepTraits> scored = scored_steps(calibration_folder);
  REQUIRE(scored.size() > 200);
  for (const StepTraits& step : scored)
    CHECK(nearest_step(step, scored).distance == 0.0);
}

TEST_CASE("equal plans are those within the interval of the best, and differ in these settings") {
  PlanRow row;
  fill_equal_plans({{10.0, "a=1 b=2"}, {10.5, "a=1 b=4 c=\"x\""}, {12.0, "a=9 b=2"}}, 11.0, row);
  CHECK(row.equal_plans == 2.0);
  CHECK(row.equal_plans_differ == "b 2 or 4; c left out or \"x\"");
  fill_equal_plans({{10.0, "a=1"}}, 11.0, row);
  CHECK(row.equal_plans == 1.0);
  CHECK(row.equal_plans_differ.empty());
}

TEST_CASE("rows are judged by the deadline and by each other") {
  // The deadline of 20 days: 40 is late by 20; 21 (18.9 to 23.1) and 19 (17.1 to 20.9) lie near it.
  std::vector<PlanRow> rows = {row_of("a", 8, 40, 100, 20), row_of("a", 16, 19, 110, 20),
                               row_of("a", 32, 10, 130, 20), row_of("b", 8, 21, 120, 20)};
  rows.push_back(row_of("b", 16, 0, 0, 20));
  rows.back().status = "out-of-memory";
  rows.back().reason = "too small";
  judge_rows(rows);
  CHECK(rows[0].meets_deadline == "no");
  CHECK(rows[1].meets_deadline == "likely");
  CHECK(rows[2].meets_deadline == "yes");
  CHECK(rows[3].meets_deadline == "unlikely");
  CHECK(rows[4].meets_deadline == "no");
  CHECK(rows[0].on_pareto_front == "yes");
  CHECK(rows[2].on_pareto_front == "yes");
  CHECK(rows[3].on_pareto_front == "no");
  CHECK(rows[4].on_pareto_front.empty());
  CHECK(rows[0].verdict == "20.0 days after the deadline: a step must be 2.00 x as fast; no other "
                           "is both as fast and as cheap");
  CHECK(rows[1].verdict == "meets the deadline, with the fewest GPUs of this candidate; no other "
                           "is both as fast and as cheap");
  CHECK(rows[2].verdict == "meets the deadline; no other is both as fast and as cheap");
  CHECK(rows[3].verdict == "1.0 days after the deadline: a step must be 1.05 x as fast; a on 16 "
                           "GPUs is at least as fast and as cheap");
  CHECK(rows[4].verdict == "stopped: too small");
}
