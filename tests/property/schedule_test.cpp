#include "sim/schedule/pipeline_times.hpp"
#include "tests/support/plan_of.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <tuple>

using namespace moesim;

namespace {

/// Every micro-batch passes forward once and has both gradients once, through every chunk; under
/// DualPipe the first half through chunk 0 and the others through chunk 1. Nothing else happens.
void require_complete(const ParallelPlan& plan, std::int64_t stage, std::int64_t micro_batches) {
  std::multiset<std::tuple<Pass, std::int64_t, std::int64_t>> passes;
  for (const auto& [pass, micro_batch, chunk, beside, turn] :
       pipeline_order(plan, stage, micro_batches))
    if (pass == Pass::backward) {
      passes.insert({Pass::backward_input, chunk, micro_batch});
      passes.insert({Pass::backward_weight, chunk, micro_batch});
    } else {
      passes.insert({pass, chunk, micro_batch});
    }
  std::multiset<std::tuple<Pass, std::int64_t, std::int64_t>> expected;
  for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk)
    for (std::int64_t micro_batch = 0; micro_batch < micro_batches; ++micro_batch)
      for (const Pass pass : {Pass::forward, Pass::backward_input, Pass::backward_weight})
        if (plan.schedule != Schedule::dual_pipe || micro_batch * 2 / micro_batches == chunk)
          expected.insert({pass, chunk, micro_batch});
  REQUIRE(passes == expected);
}

/// No stage waits for ever, and all are complete.
void require_sound(const ParallelPlan& plan, std::int64_t micro_batches) {
  REQUIRE(pipeline_times(plan, micro_batches, PassTimes{}));
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage)
    require_complete(plan, stage, micro_batches);
}

} // namespace

TEST_CASE("every pass runs once and no stage waits for ever, under every schedule") {
  for (std::int64_t stages = 1; stages <= 16; ++stages)
    for (std::int64_t micro_batches = 1; micro_batches <= 64; ++micro_batches) {
      INFO("stages " << stages << " micro-batches " << micro_batches);
      require_sound(plan_of(Schedule::one_forward_one_backward, stages, 1), micro_batches);
      require_sound(plan_of(Schedule::zero_bubble, stages, 1), micro_batches);
      require_sound(plan_of(Schedule::zero_bubble, stages, 2), micro_batches);
      for (const bool overlap : {false, true}) {
        ParallelPlan plan = plan_of(Schedule::dual_pipe, stages, 1);
        plan.overlap_batches = overlap;
        if (stages % 2 == 0 && micro_batches % 2 == 0 && micro_batches >= 2 * stages)
          require_sound(plan, micro_batches);
      }
      for (std::int64_t chunks = 2; chunks <= 4 && stages > 1 && micro_batches % stages == 0;
           ++chunks) {
        const ParallelPlan plan = plan_of(Schedule::interleaved, stages, chunks);
        ParallelPlan paired = plan;
        paired.overlap_batches = true;
        require_sound(plan, micro_batches);
        require_sound(paired, micro_batches);
      }
    }
}
