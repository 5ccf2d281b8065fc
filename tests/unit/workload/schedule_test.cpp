#include "sim/workload/schedule.hpp"
#include "tests/support/plan_of.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace moesim;

TEST_CASE("a schedule is found by its name") {
  CHECK(schedule_names() ==
        std::vector<std::string>{"1f1b", "interleaved", "zero-bubble", "dualpipe"});
  CHECK(schedule_named("zero-bubble") == Schedule::zero_bubble);
  CHECK_FALSE(schedule_named("1f1b") == Schedule::interleaved);
}

TEST_CASE("the stages of each schedule hold every virtual stage, as often as they are copies") {
  for (const Schedule* schedule : schedules)
    for (const std::int64_t chunks : {1, 2}) {
      const ParallelPlan plan = plan_of(*schedule, 8, schedule->virtual_stages ? chunks : 1);
      INFO(schedule->name << " with " << chunks << " chunks");
      std::multiset<std::int64_t> held;
      for (std::int64_t stage = 0; stage < plan.pipeline; ++stage)
        for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
          const std::int64_t virtual_stage = plan.virtual_stage(stage, chunk);
          held.insert(virtual_stage);
          CHECK(plan.holder(virtual_stage, chunk) == stage);
        }
      for (std::int64_t virtual_stage = 0; virtual_stage < plan.virtual_stage_count();
           ++virtual_stage)
        CHECK(static_cast<std::int64_t>(held.count(virtual_stage)) == plan.holders());
    }
}

TEST_CASE("a schedule has the kinds of pass that it says, and no others") {
  for (const Schedule* schedule : schedules) {
    INFO(schedule->name);
    // 8 stages: long enough for every kind.
    const ParallelPlan plan = plan_of(*schedule, 8, schedule == &Schedule::interleaved ? 2 : 1);
    for (const Pass pass : enumerators<Pass>) {
      bool found = false;
      for (std::int64_t stage = 0; stage < plan.pipeline; ++stage)
        for (const ChunkPass& planned : plan.schedule.order(plan, stage, 16))
          found |= planned.pass == pass;
      CHECK(found == has_pass(*schedule, pass));
    }
  }
}
