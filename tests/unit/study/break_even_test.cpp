#include "sim/study/break_even.hpp"

#include "sim/base/input_error.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

/// A step of 100 ms and 1000 ms over the knob, with an interval of 5 % on both sides.
StepResult falling_step(double knob) {
  StepResult step;
  step.step_time_ms = 100.0 + 1000.0 / knob;
  step.step_time_low_ms = 0.95 * step.step_time_ms;
  step.step_time_high_ms = 1.05 * step.step_time_ms;
  step.tokens_per_s = 10.0 * knob;
  step.bottleneck = knob < 64.0 ? "NIC" : "GPU";
  return step;
}

StepResult in_eights(double knob) {
  StepResult step = falling_step(knob);
  if (std::fmod(knob, 8.0) != 0.0)
    step.status = "illegal";
  return step;
}

BreakEven between(double from, double to, const std::string& condition,
                  const KnobReplay& replay = falling_step, bool whole = false) {
  return find_break_even({.key = "a.b", .from = from, .to = to, .whole = whole},
                         parse_condition(condition), replay);
}

} // namespace

// 100 + 1000/x = 110 at x = 100. At the lower end of the interval 0.95 (100 + 1000/x) = 110, so
// x = 1000 / (110/0.95 - 100) = 63.3; at the upper end x = 1000 / (110/1.05 - 100) = 210.
TEST_CASE("a condition flips within one percent of its crossing, in at most twelve replays") {
  const BreakEven found = between(25.0, 400.0, "step_time_ms <= 110");
  REQUIRE(found.value);
  CHECK(*found.value >= 100.0);
  CHECK(*found.value <= 101.0);
  CHECK(*found.fails < 100.0);
  CHECK(*found.fails >= 99.0);
  REQUIRE(found.low);
  REQUIRE(found.high);
  CHECK(*found.low == Approx(63.3).epsilon(0.02));
  CHECK(*found.high == Approx(210.0).epsilon(0.02));
  CHECK(found.curve.size() <= 12);
  CHECK(found.flips == 1);
  CHECK(found.skipped.empty());
}

TEST_CASE("the other sense of a condition holds on the other side of the crossing") {
  const BreakEven found = between(25.0, 400.0, "step_time_ms > 110");
  CHECK(*found.value < 100.0);
  CHECK(*found.value >= 99.0);
  CHECK(*found.fails >= 100.0);
}

TEST_CASE("a range from zero is halved by differences") {
  const BreakEven found = between(0.0, 160.0, "tokens_per_s >= 1000");
  CHECK(*found.value >= 100.0);
  CHECK(*found.value <= 101.0);
}

TEST_CASE("a column that jumps is halved, and has no interval") {
  const BreakEven found = between(8.0, 512.0, "bottleneck == GPU");
  CHECK(*found.value >= 64.0);
  CHECK(*found.value <= 64.64);
  CHECK(*found.fails < 64.0);
  CHECK(!found.low);
  CHECK(!found.high);
}

// 10 x >= 1000 from x = 100; of the multiples of 8 the first is 104.
TEST_CASE("a whole knob steps through the numbers that can run") {
  const BreakEven found = between(30.0, 515.0, "tokens_per_s >= 1000", in_eights, true);
  CHECK(found.value == 104.0);
  CHECK(found.fails == 96.0);
  CHECK(!found.skipped.empty());
  for (const KnobPoint& point : found.curve)
    CHECK(std::fmod(point.value, 8.0) == 0.0);
}

TEST_CASE("a condition that holds everywhere or nowhere has no crossing, and a curve") {
  for (const char* condition : {"step_time_ms <= 1000", "step_time_ms <= 1"}) {
    const BreakEven found = between(25.0, 400.0, condition);
    CHECK(!found.value);
    CHECK(!found.low);
    CHECK(found.curve.size() == 5);
    CHECK(found.curve.front().value == 25.0);
    CHECK(found.curve.back().value == 400.0);
  }
}

TEST_CASE("steps that do not fit are left out") {
  const BreakEven found = between(25.0, 400.0, "step_time_ms <= 110", [](double knob) {
    StepResult step = falling_step(knob);
    step.status = knob > 300.0 ? "out-of-memory" : "ok";
    return step;
  });
  CHECK(*found.value == Approx(100.0).epsilon(0.01));
  REQUIRE(found.skipped.size() == 1);
  CHECK(found.skipped.front().value == 400.0);
}

TEST_CASE("of several flips the one nearest to the scenario's own value is found") {
  // Holds from 10 to 100 and from 200 on.
  const auto step = [](double knob) {
    StepResult result;
    result.step_time_ms = knob < 100.0 ? 1.0 : knob < 200.0 ? 3.0 : 1.0;
    return result;
  };
  const auto near = [&](double own) {
    return find_break_even({.key = "a.b", .from = 10.0, .to = 1000.0, .own = own},
                           parse_condition("step_time_ms < 2"), step);
  };
  CHECK(near(20.0).flips == 2);
  CHECK(*near(20.0).value == Approx(100.0).epsilon(0.01));
  CHECK(*near(900.0).value == Approx(200.0).epsilon(0.01));
}

TEST_CASE("a knob without effect, and one that cannot run, are errors") {
  CHECK_THROWS_WITH(
      between(1.0, 2.0, "step_time_ms < 1", [](double) { return StepResult{}; }),
      Contains("--knob a.b: error: a.b changes nothing: every column of the result is "
               "the same between 1 and 2"));
  CHECK_THROWS_WITH(between(1.0, 2.0, "step_time_ms < 1",
                            [](double) {
                              StepResult step;
                              step.status = "illegal";
                              step.reason = "too few GPUs";
                              return step;
                            }),
                    Contains("fewer than two values between 1 and 2 can run") &&
                        Contains("1: illegal: too few GPUs"));
}
