#include "sim/metrics/step_result.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace moesim;

TEST_CASE("columns follow from the step time, or do not") {
  StepResult step;
  step.step_time_ms = 100.0;
  step.tokens_per_s = 1000.0;
  step.dense_step_time_ms = 300.0;
  step.active_dense_step_time_ms = 80.0;
  step.ideal_speedup = 5.0;
  const auto at = [&](const std::string& name, double step_time_ms) {
    const auto columns = result_columns();
    const auto column = std::find_if(columns.begin(), columns.end(),
                                     [&](const ResultColumn& one) { return one.name == name; });
    return column_at_step_time(step, *column, step_time_ms);
  };
  CHECK(at("step_time_ms", 120.0) == 120.0);
  CHECK(*at("tokens_per_s", 125.0) == Approx(800.0)); // 1000 x 100/125
  // 100 (300/120 - 1)/(5 - 1)
  CHECK(*at("savings_kept_percent", 120.0) == Approx(37.5));
  CHECK(*at("moe_tax_percent", 120.0) == Approx(50.0)); // 120/80 - 1
  CHECK(!at("memory_gib_per_gpu", 120.0));
}
