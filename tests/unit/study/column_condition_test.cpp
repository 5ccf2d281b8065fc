#include "sim/study/column_condition.hpp"

#include "sim/base/input_error.hpp"

#include <catch2/catch.hpp>

using namespace moesim;
using Catch::Matchers::Contains;

TEST_CASE("a condition holds by its sign") {
  StepResult step;
  step.mfu_percent = 40.0;
  step.bottleneck = "Node[0].Nic[1]";
  const auto holds = [&](const std::string& text) { return parse_condition(text).holds(step); };
  CHECK(holds("mfu_percent >= 40"));
  CHECK(holds("mfu_percent<=40"));
  CHECK_FALSE(holds("mfu_percent > 40"));
  CHECK_FALSE(holds("mfu_percent < 4e1"));
  CHECK(holds("mfu_percent == 40"));
  CHECK(holds("mfu_percent != 41"));
  CHECK(holds("bottleneck == \"Node[0].Nic[1]\""));
  CHECK_FALSE(holds("bottleneck != Node[0].Nic[1]"));
}

TEST_CASE("a condition that cannot be read says why") {
  CHECK_THROWS_WITH(parse_condition("mfu_percent"), Contains("expected COLUMN OP VALUE"));
  CHECK_THROWS_WITH(parse_condition("mfu_percent = 3"), Contains("expected COLUMN OP VALUE"));
  CHECK_THROWS_WITH(parse_condition("mfu_per_cent > 3"), Contains("did you mean \"mfu_percent\"?"));
  CHECK_THROWS_WITH(parse_condition("mfu_percent > 3 %"), Contains("\"3 %\" is not a number"));
  CHECK_THROWS_WITH(parse_condition("bottleneck > 3"), Contains("bottleneck is a text"));
}
