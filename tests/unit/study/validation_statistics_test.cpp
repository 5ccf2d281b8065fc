#include "sim/study/validation_statistics.hpp"

#include "sim/study/rank_correlation.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <cmath>

using namespace moesim;

namespace {

ValidationCase a_case(const std::string& tier) {
  ValidationCase found;
  found.tier = tier;
  found.quantity = "time_us";
  found.measured = 200.0;
  found.tolerance_percent = 10.2;
  return found;
}

/// `count` cases of a tier, measured 200, of which number i is predicted i percent too slow.
void add_tier(const std::string& tier, int count, ValidationSet& set,
              std::vector<CaseResult>& results) {
  for (int i = 1; i <= count; ++i) {
    set.cases.push_back(a_case(tier));
    results.push_back(compare(set.cases.back(), 200.0 + 2.0 * i));
  }
}

/// A tier "t" of which one thing is asked.
TierTolerance limit(std::optional<double> TierTolerance::*member, double value) {
  TierTolerance tolerance;
  tolerance.tier = "t";
  tolerance.*member = value;
  return tolerance;
}

} // namespace

TEST_CASE("a tier has the median and the nearest rank of its absolute errors") {
  ValidationSet set;
  std::vector<CaseResult> results;
  add_tier("ten", 10, set, results);
  add_tier("eleven", 11, set, results);
  set.cases.push_back(a_case("ten"));
  results.push_back(compare(set.cases.back(), 198.0)); // 1 % too fast
  const auto tiers = tier_statistics(set, results);
  REQUIRE(tiers.size() == 2);
  CHECK(tiers[0].tier == "ten");
  CHECK(tiers[0].cases == 11);
  CHECK(tiers[0].outside == 0);
  CHECK(tiers[0].median_percent == Approx(5.0));
  CHECK(tiers[0].percentile_90_percent == Approx(9.0));
  CHECK(tiers[0].passes());
  CHECK(tiers[1].median_percent == Approx(6.0));
  CHECK(tiers[1].percentile_90_percent == Approx(10.0));
  CHECK(tiers[1].outside == 1);
  CHECK_FALSE(tiers[1].passes());
}

TEST_CASE("a tier fails where its median is above its tolerance") {
  ValidationSet set;
  std::vector<CaseResult> results;
  add_tier("t", 5, set, results);
  set.tiers = {limit(&TierTolerance::median_tolerance_percent, 3.1)};
  CHECK(tier_statistics(set, results).front().passes());
  set.tiers = {limit(&TierTolerance::median_tolerance_percent, 2.9)};
  CHECK_FALSE(tier_statistics(set, results).front().passes());
}

TEST_CASE("a case without a prediction fails its tier and has no error") {
  ValidationSet set;
  std::vector<CaseResult> results;
  add_tier("t", 3, set, results);
  set.cases.push_back(a_case("t"));
  results.push_back({"illegal", "8 experts"});
  set.cases.push_back(a_case("none"));
  results.push_back({"out-of-memory", "3 GiB"});
  const auto tiers = tier_statistics(set, results);
  CHECK(tiers[0].median_percent == Approx(2.0));
  CHECK(tiers[0].cases == 4);
  CHECK(tiers[0].outside == 1);
  CHECK_FALSE(tiers[0].passes());
  CHECK(std::isnan(tiers[1].median_percent));
  CHECK_FALSE(tiers[1].passes());
}

// Errors 1 to 10 %: nine of ten are at most 9 %.
TEST_CASE("a tier fails where its 90th percentile is above its tolerance") {
  ValidationSet set;
  std::vector<CaseResult> results;
  add_tier("t", 10, set, results);
  set.tiers = {limit(&TierTolerance::p90_tolerance_percent, 9.1)};
  CHECK(tier_statistics(set, results).front().passes());
  set.tiers = {limit(&TierTolerance::p90_tolerance_percent, 8.9)};
  CHECK_FALSE(tier_statistics(set, results).front().passes());
}

// Four things: 6 pairs. Swapping the last two leaves 5 concordant pairs and 1 discordant: 4/6. A
// tie of the predictions leaves 5 that are in order. The first two of 3, 3.02 and 4 are within the
// scatter of 1 %: 2 pairs, one of them out of order here.
TEST_CASE("Kendall's tau counts the pairs that the measurement tells apart") {
  CHECK(kendall_tau({{1, 10}, {2, 20}, {3, 30}, {4, 40}}, 0) == 1.0);
  CHECK(kendall_tau({{1, 40}, {2, 30}, {3, 20}, {4, 10}}, 0) == -1.0);
  CHECK(kendall_tau({{1, 10}, {2, 20}, {3, 40}, {4, 30}}, 0).value() == Approx(4.0 / 6.0));
  CHECK(kendall_tau({{1, 10}, {2, 20}, {3, 30}, {4, 30 * (1 + 1e-12)}}, 0).value() ==
        Approx(5.0 / 6.0));
  CHECK(kendall_tau({{1, 10}, {2, 10}, {3, 10}}, 0) == 0.0);
  CHECK(kendall_tau({{3, 20}, {3.02, 10}, {4, 15}}, 0.01) == 0.0);
  CHECK_FALSE(kendall_tau({{1, 10}, {1.005, 20}}, 0.01));
  CHECK_FALSE(kendall_tau({{1, 10}}, 0));
}

TEST_CASE("a group of five plans is asked for its order, a smaller one is not") {
  ValidationSet set;
  std::vector<CaseResult> results;
  set.tiers = {limit(&TierTolerance::kendall_tau_min, 0.8)};
  const auto add = [&](const std::string& group, double measured, double predicted) {
    set.cases.push_back(a_case("t"));
    set.cases.back().group = group;
    set.cases.back().plan = fmt::format("{} {}", group, predicted);
    set.cases.back().measured = measured;
    results.push_back(compare(set.cases.back(), predicted));
  };
  for (const double value : {1.0, 2.0, 3.0, 4.0}) {
    add("small", value, -value);
    add("sorted", value, 10.0 * value);
  }
  add("sorted", 5.0, 50.0);
  add("", 6.0, 1.0);
  auto groups = group_statistics(set, results);
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].group == "sorted");
  CHECK(groups[0].cases == 5);
  CHECK(groups[0].plans == 5);
  CHECK(groups[0].kendall_tau == 1.0);
  CHECK(groups[0].passes());
  // The fifth case out of order with all others: 6 concordant pairs, 4 discordant, 2 / 10.
  results[8] = compare(set.cases[8], 5.0);
  groups = group_statistics(set, results);
  CHECK(groups[0].kendall_tau.value() == Approx(0.2));
  CHECK_FALSE(groups[0].passes());
  // The same plan once more, measured at 1: a mean of 3, within the scatter of the third plan and
  // in order with the rest but for the first two, which stay predicted above it.
  add("sorted", 1.0, 5.0);
  set.cases.back().plan = set.cases[8].plan;
  groups = group_statistics(set, results);
  CHECK(groups[0].cases == 6);
  CHECK(groups[0].plans == 5);
  CHECK(groups[0].kendall_tau.value() == Approx((6.0 + 1.0 - 2.0) / 9.0));
  CHECK_FALSE(groups[0].passes());
  // The order of four plans is not checked.
  set.cases[8].plan = set.cases.back().plan = set.cases[1].plan;
  groups = group_statistics(set, results);
  CHECK(groups[0].plans == 4);
  CHECK(groups[0].passes());
}

// Measured 1, 3, 2, 4 and predicted 10, 20, 30, 25: of 6 pairs (3, 2) and (2, 4) are out of order,
// tau = (4 - 2) / 6. The fastest, 4, is predicted second.
TEST_CASE("the plans of a comparison have ranks, whatever their tiers") {
  ValidationSet set;
  std::vector<CaseResult> results;
  const auto add = [&](const std::string& comparison, double measured, double predicted) {
    set.cases.push_back(a_case(fmt::format("tier {}", set.cases.size())));
    set.cases.back().name = fmt::format("case {}", set.cases.size());
    set.cases.back().comparison = comparison;
    set.cases.back().plan = fmt::format("{} {}", comparison, predicted);
    set.cases.back().measured = measured;
    results.push_back(compare(set.cases.back(), predicted));
  };
  add("four", 1, 10);
  add("two", 1, 1);
  add("four", 3, 20);
  add("", 9, 9);
  add("four", 2, 30);
  add("two", 2, 2);
  add("four", 4, 25);
  const auto orders = plan_orders(set, results);
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].comparison == "four");
  REQUIRE(orders[0].plans.size() == 4);
  CHECK(orders[0].plans[1].name == "case 3");
  CHECK(orders[0].kendall_tau.value() == Approx(2.0 / 6.0));
  std::vector<std::size_t> ranks;
  for (const RankedPlan& plan : orders[0].plans)
    ranks.insert(ranks.end(), {plan.measured_rank, plan.predicted_rank});
  CHECK(ranks == std::vector<std::size_t>{4, 4, 2, 3, 3, 1, 1, 2});
  CHECK(orders[0].predicted_rank_of_best() == 2);
}
