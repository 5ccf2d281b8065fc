#include "sim/study/sensitivity.hpp"

#include "sim/base/input_error.hpp"
#include "sim/study/column_condition.hpp"
#include "tests/support/calibration.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

/// The effects of some constants on a step of one layer.
SensitivityTable sensitivity_of(const std::string& file, const std::vector<std::string>& settings,
                                const std::set<std::string>& constants,
                                const std::string& column = "step_time_ms",
                                Replanning replanning = Replanning::keep) {
  std::vector<std::string> all = {"model.layers=1"};
  all.insert(all.end(), settings.begin(), settings.end());
  const Scenario scenario =
      read_scenario(std::string(MOESIM_SOURCE_DIR) + "/workloads/mixtral-8x7b/" + file, all);
  std::vector<CostLever> levers = cost_levers(calibration_folder, scenario);
  std::erase_if(levers, [&](const CostLever& lever) { return !constants.contains(lever.name); });
  REQUIRE(levers.size() == constants.size());
  return measure_sensitivity(scenario, result_column(column, "--column"), calibration_folder,
                             levers, replanning, [](std::size_t, std::size_t) {});
}

const std::vector<std::string> one_gpu = {"cluster.gpus=1", "parallel.pipeline=1",
                                          "parallel.expert=1", "training.global_batch=1"};

std::map<std::string, Sensitivity> by_name(const SensitivityTable& table) {
  std::map<std::string, Sensitivity> rows;
  for (const Sensitivity& row : table.rows)
    rows[row.constant] = row;
  return rows;
}

} // namespace

// One GPU computes alone: products and attention take P / ratio, all else M. The ratio changes by
// 8 %, so that the step changes by P / ratio x (1 / 0.92 - 1) and P / ratio x (1 - 1 / 1.08).
TEST_CASE("a step changes with the clocks under long load as its products do") {
  const SensitivityTable table =
      sensitivity_of("scenario.toml", one_gpu, {"sustained_throughput h100-sxm"});
  const Sensitivity clocks = by_name(table).at("sustained_throughput h100-sxm");
  CHECK(clocks.provenance == "fitted");
  CHECK(clocks.error_percent == Approx(8.0));
  CHECK(clocks.low > table.base);
  CHECK(clocks.high < table.base);
  CHECK((clocks.low - table.base) / (table.base - clocks.high) ==
        Approx((1.0 / 0.92 - 1.0) / (1.0 - 1.0 / 1.08)).epsilon(1e-6));
  CHECK(clocks.effect_percent == Approx(100.0 * (clocks.low / table.base - 1.0)));
  CHECK_THAT(clocks.measurement, Contains("sustained"));
}

TEST_CASE("the rows of a step are its own constants, the largest effect first") {
  const SensitivityTable table =
      sensitivity_of("scenario.toml", one_gpu,
                     {"permute_time_ratio", "attention table", "grouped_gemm table",
                      "rate all_to_all on nvlink4", "ring_sms_nvlink4"});
  REQUIRE(table.rows.size() == 3);
  CHECK(table.without_effect == 2); // no network
  for (std::size_t row = 1; row < table.rows.size(); ++row)
    CHECK(table.rows[row].effect_percent <= table.rows[row - 1].effect_percent);
  const std::map<std::string, Sensitivity> rows = by_name(table);
  CHECK(rows.at("permute_time_ratio").error_percent == Approx(10.0)); // none is known
  // Each time of a table changes by its own error: the same up and down.
  const Sensitivity& attention = rows.at("attention table");
  CHECK(attention.high - table.base == Approx(table.base - attention.low).epsilon(1e-6));
  CHECK(attention.error_percent > 1.0);
  CHECK(attention.error_percent < 30.0);
}

TEST_CASE("a step between GPUs depends on the curves that it uses") {
  const SensitivityTable table = sensitivity_of(
      "scenario.toml", {"cluster.gpus=8", "parallel.pipeline=1", "training.global_batch=8"},
      {"rate all_to_all on nvlink4", "rate all_to_all on pcie"});
  REQUIRE(table.rows.size() == 1);
  const Sensitivity& all_to_all = table.rows.front();
  CHECK(all_to_all.error_percent == Approx(8.0)); // network_startup.csv
  CHECK(all_to_all.low > all_to_all.high);        // a lower rate takes longer
  CHECK_THAT(all_to_all.measurement, Contains("alltoall_perf"));
}

TEST_CASE("a searched step keeps its plan, or finds another for each change") {
  const std::vector<std::string> small = {"cluster.gpus=8",
                                          "training.global_batch=8",
                                          "parallel.tensor=[1, 2]",
                                          "parallel.context=1",
                                          "parallel.virtual_stages=1",
                                          "parallel.recompute=none",
                                          "parallel.zero_stage=1",
                                          "parallel.expert=8",
                                          "communication.overlap=none",
                                          "training.micro_batch=1",
                                          "communication.dispatcher=alltoall"};
  const std::set<std::string> clocks = {"sustained_throughput h100-sxm"};
  const SensitivityTable kept = sensitivity_of("best-plan.toml", small, clocks);
  const SensitivityTable searched =
      sensitivity_of("best-plan.toml", small, clocks, "step_time_ms", Replanning::search);
  CHECK(kept.base == searched.base);
  CHECK(kept.plan == searched.plan);
  // Another plan is a faster one.
  CHECK(searched.rows.front().low <= kept.rows.front().low * (1.0 + 1e-9));
}

TEST_CASE("a column without a number has no sensitivity") {
  CHECK_THROWS_WITH(sensitivity_of("scenario.toml", one_gpu, {}, "bottleneck"),
                    Contains("--column: error: bottleneck is a text"));
  CHECK_THROWS_WITH(sensitivity_of("scenario.toml", one_gpu, {}, "straddling_ms"),
                    Contains("straddling_ms has no value in this step"));
}
