#include "sim/study/result_text.hpp"

#include "sim/base/check.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

/// A result whose numbers have no short decimal, each another.
StepResult full_result() {
  StepResult result;
  result.status = "ok";
  result.reason = "two\nlines, \"quoted\"";
  double value = 1.0 / 3.0;
  for (const ResultColumn& column : result_columns())
    if (const auto* number = std::get_if<double StepResult::*>(&column.member))
      result.*(*number) = value += 1.0 / 7.0;
    else
      result.*std::get<std::string StepResult::*>(column.member) = column.name;
  return result;
}

} // namespace

TEST_CASE("a result is one line, and reads back with every bit") {
  const StepResult before = full_result();
  const std::string text = result_text(before);
  CHECK(text.find('\n') == std::string::npos);
  const StepResult after = result_from_text(text);
  CHECK(after.status == before.status);
  CHECK(after.reason == before.reason);
  for (const ResultColumn& column : result_columns()) {
    INFO(column.name);
    if (const auto* number = std::get_if<double StepResult::*>(&column.member))
      CHECK(after.*(*number) == before.*(*number));
    else
      CHECK(after.*std::get<std::string StepResult::*>(column.member) == column.name);
  }
}

TEST_CASE("the best plans of a search read back with their result") {
  const std::string text =
      result_text(full_result(), {{1.0 / 3.0, "a=\"x\" b=1"}, {2.0, "a=\"y\" b=1"}});
  CHECK(text.find('\n') == std::string::npos);
  CHECK(result_from_text(text).status == "ok");
  const std::vector<PlanRank> plans = best_plans_from_text(text);
  REQUIRE(plans.size() == 2);
  CHECK(plans[0].step_time_ms == 1.0 / 3.0);
  CHECK(plans[0].plan == "a=\"x\" b=1");
  CHECK(plans[1].plan == "a=\"y\" b=1");
  CHECK(best_plans_from_text(result_text(full_result())).empty());
}

TEST_CASE("a result of which no column is known reads back as such") {
  StepResult illegal;
  illegal.status = "illegal";
  const StepResult after = result_from_text(result_text(illegal));
  CHECK(after.status == "illegal");
  CHECK(std::isnan(after.step_time_ms));
  CHECK(after.bottleneck.empty());
}

// A member without a column would be lost in the text.
TEST_CASE("every member of a result but its status and reason has a column") {
  std::size_t bytes = 2 * sizeof(std::string);
  for (const ResultColumn& column : result_columns())
    bytes += std::holds_alternative<double StepResult::*>(column.member) ? sizeof(double)
                                                                         : sizeof(std::string);
  CHECK(bytes == sizeof(StepResult));
}

TEST_CASE("a twin's answer reads back, with its failure and without a plan") {
  const Waterfall waterfall{Seconds{1.0 / 3}, Seconds{1.0 / 7},  Seconds{},
                            Seconds{1.0 / 9}, Seconds{1.0 / 11}, Seconds{1.0 / 13},
                            Seconds{1.0 / 17}};
  const TwinAnswer found = twin_from_text(twin_text({100.0 / 3.0, waterfall, "tensor 8", ""}));
  CHECK(found.step_time_ms == 100.0 / 3.0);
  CHECK(found.waterfall == waterfall);
  CHECK(found.plan == "tensor 8");
  CHECK(found.failure.empty());
  const TwinAnswer failed = twin_from_text(twin_text({no_value, {}, "", "broken"}));
  CHECK(std::isnan(failed.step_time_ms));
  CHECK(failed.failure == "broken");
}

TEST_CASE("another text is no result") {
  CHECK_THROWS_AS(result_from_text("half a li"), InternalError);
  CHECK_THROWS_AS(result_from_text("{}"), InternalError);
  CHECK_THROWS_AS(twin_from_text("{\"step_time_ms\": \"soon\", \"plan\": \"\"}"), InternalError);
}
