#include "sim/study/interval_fit.hpp"

#include "sim/scenario/scenario.hpp"
#include "sim/study/cross_statistics.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace moesim;

namespace {

/// Steps of one plan a fold, each predicted 1 token/s, and their measurements.
struct Steps {
  std::vector<ValidationCase> cases;
  std::vector<CaseResult> results;

  void add(const std::string& fold, const std::string& plan, double measured, double low = 0.5,
           double high = 2.0) {
    ValidationCase found;
    found.fold = fold;
    found.plan = plan;
    found.quantity = comparable_quantity;
    found.measured = measured;
    found.scenario = Scenario{};
    cases.push_back(std::move(found));
    CaseResult result{"ok", "", 1.0, 0.0, CaseInterval{low, high, 5.0}};
    results.push_back(result);
  }
};

} // namespace

TEST_CASE("a plan counts once in the errors, however often it was measured") {
  Steps steps;
  steps.add("a", "p", 1.0 / 1.10); // measured time is 1.1 of the predicted: 10 % too fast
  steps.add("a", "p", 1.0 / 1.10);
  steps.add("a", "p", 1.0 / 1.10);
  steps.add("a", "q", 1.0 / 0.98);
  steps.add("b", "r", 1.0 / 0.95);
  const StepsInside inside{true, true, false, true, true};
  const auto all = statistics_by_kind(steps.cases, steps.results, inside).back();
  CHECK(all.kind == "all");
  CHECK(all.cases == 5);
  CHECK(all.plans == 3);
  CHECK(all.folds == 2);
  CHECK(all.median_percent == Approx(5.0));
  CHECK(all.percentile_90_percent == Approx(10.0));
  CHECK(all.bias_percent == Approx(-2.0));
  CHECK(all.inside_percent == Approx(100.0 * (2.0 / 3.0 + 1.0 + 1.0) / 3.0));
}

TEST_CASE("nine in ten plans lie inside intervals that were made without their source") {
  Steps steps;
  for (int fold = 0; fold < 40; ++fold)
    steps.add(fmt::format("f{}", fold), fmt::format("p{}", fold), 1.0 / (0.81 + 0.01 * fold));
  const IntervalFit fit = fit_intervals(steps.cases, steps.results);
  CHECK(fit.coverage_percent >= 90.0);
  CHECK(fit.coverage_percent < 96.0);
  const StepInterval& interval = fit.intervals[index(StepLaunch::by_host)].interval;
  CHECK(interval.low_ratio >= 0.80);
  CHECK(interval.high_ratio <= 1.21);
  CHECK(interval.typical_cost_error == Approx(0.05));
}

TEST_CASE("measurements inside the printed interval are counted by plan") {
  Steps steps;
  steps.add("a", "p", 1.0);
  steps.add("a", "p", 3.0);
  steps.add("a", "q", 1.9);
  CHECK(inside_percent(steps.cases, steps.results) == Approx(75.0));
}
