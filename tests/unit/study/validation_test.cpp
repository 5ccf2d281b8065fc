#include "sim/study/validation.hpp"

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

} // namespace

TEST_CASE("an error is of predicted over measured, and outside beyond the tolerance") {
  const ValidationCase found = a_case("t");
  CHECK(compare(found, 219.0).status == "ok");
  CHECK(compare(found, 219.0).error_percent == Approx(9.5));
  CHECK(compare(found, 221.0).status == "outside");
  CHECK(compare(found, 179.0).status == "outside");
  CHECK(compare(found, 179.0).error_percent == Approx(-10.5));
}

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
  set.tiers = {{"t", 3.1, ""}};
  CHECK(tier_statistics(set, results).front().passes());
  set.tiers = {{"t", 2.9, ""}};
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

TEST_CASE("cases are predicted in their order, and one that cannot run is a row") {
  const std::string topology = fmt::format("{}/topologies/hgx-h100-ndr400.toml", MOESIM_SOURCE_DIR);
  std::vector<ValidationCase> cases;
  for (const char* quantity : {"time_us", "algbw_gbyte_per_s", "busbw_gbyte_per_s"}) {
    TomlDocument document = TomlDocument::parse(
        fmt::format("[collective]\nname = \"all-to-all\"\nbytes = 1000000000\n[cluster]\n"
                    "topology = \"{}\"\ngpus = 8\n",
                    topology),
        "test");
    cases.push_back(a_case("t"));
    cases.back().quantity = quantity;
    cases.back().scenario = read_collective(document, "");
  }
  cases.insert(cases.begin() + 1, a_case("t"));
  cases[1].illegal_reason = "too many";
  const auto results =
      predict_cases(cases, std::filesystem::path(MOESIM_SOURCE_DIR) / "calibration", 2);
  REQUIRE(results.size() == 4);
  CHECK(results[1].status == "illegal");
  CHECK(results[1].reason == "too many");
  // 1 GB in so many microseconds; the bus carries 7/8 of it.
  CHECK(results[2].predicted == Approx(1e6 / results[0].predicted));
  CHECK(results[3].predicted == Approx(results[2].predicted * 7.0 / 8.0));
}
