#include "sim/study/validation.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace moesim;

namespace {

ValidationCase one_case(const std::string& tier) {
  ValidationCase found;
  found.tier = tier;
  found.quantity = "time_us";
  found.measured = 200.0;
  found.tolerance_percent = 10.2;
  return found;
}

} // namespace

TEST_CASE("an error is of predicted over measured, and outside beyond the tolerance") {
  const ValidationCase found = one_case("t");
  CHECK(compare(found, 219.0).status == "ok");
  CHECK(compare(found, 219.0).error_percent == Approx(9.5));
  CHECK(compare(found, 221.0).status == "outside");
  CHECK(compare(found, 179.0).status == "outside");
  CHECK(compare(found, 179.0).error_percent == Approx(-10.5));
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
    cases.push_back(one_case("t"));
    cases.back().quantity = quantity;
    cases.back().scenario = read_collective(document, "");
  }
  cases.insert(cases.begin() + 1, one_case("t"));
  cases[1].failure = {"illegal", "too many"};
  const auto results =
      predict_cases(cases, std::filesystem::path(MOESIM_SOURCE_DIR) / "calibration", 2);
  REQUIRE(results.size() == 4);
  CHECK(results[1].status == "illegal");
  CHECK(results[1].reason == "too many");
  // 1 GB in so many microseconds; the bus carries 7/8 of it.
  CHECK(results[2].predicted == Approx(1e6 / results[0].predicted));
  CHECK(results[3].predicted == Approx(results[2].predicted * 7.0 / 8.0));
}

TEST_CASE("a case may say whether a step fits") {
  ValidationCase found = one_case("t");
  const std::filesystem::path root(MOESIM_SOURCE_DIR);
  found.quantity = status_quantity;
  std::vector<ValidationCase> cases(2, found);
  const std::filesystem::path scenario = root / "workloads/mixtral-8x7b/scenario.toml";
  cases[0].scenario = read_scenario(scenario, {});
  cases[0].measured_status = "ok";
  cases[1].plan = "another";
  cases[1].scenario =
      read_scenario(scenario, {"training.micro_batch=64", "training.global_batch=4096"});
  cases[1].measured_status = "ok";
  const auto results = predict_cases(cases, root / "calibration", 2);
  CHECK(results[0].status == "ok");
  CHECK(results[1].status == "outside");
  CHECK_THAT(results[1].reason, Catch::Contains("GiB are missing"));
  cases[1].measured_status = "out-of-memory";
  CHECK(predict_cases(cases, root / "calibration", 2)[1].status == "ok");
}

TEST_CASE("cases of one plan are each answered with what they ask for") {
  const std::filesystem::path root(MOESIM_SOURCE_DIR);
  std::vector<ValidationCase> cases(3, one_case("t"));
  const Scenario scenario = read_scenario(root / "workloads/mixtral-8x7b/scenario.toml", {});
  const std::vector<std::string> quantities = {"step_time_ms", "compute_ms", status_quantity};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    cases[i].scenario = scenario;
    cases[i].quantity = quantities[i];
    cases[i].measured_status = "ok";
  }
  const auto together = predict_cases(cases, root / "calibration", 2);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto alone = predict_cases({cases[i]}, root / "calibration", 1);
    CHECK(together[i].status == alone.front().status);
    if (i < 2)
      CHECK(together[i].predicted == alone.front().predicted);
  }
  CHECK(together[0].predicted > together[1].predicted);
}
