#include "sim/replay/rank_classes.hpp"
#include "tests/property/case_count.hpp"
#include "tests/property/random_cluster.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace moesim;

namespace {

/// A plan with degrees drawn from a seed; its data-parallel degree is what the GPUs leave.
ParallelPlan random_plan(std::uint64_t seed, std::int64_t gpus) {
  Draw draw(seed);
  ParallelPlan plan;
  plan.gpus = gpus;
  plan.pipeline = draw.one_of<std::int64_t>({1, 2, 2, 4});
  plan.tensor = draw.one_of<std::int64_t>({1, 1, 2, 4});
  plan.context = draw.one_of<std::int64_t>({1, 1, 2});
  plan.expert = draw.one_of<std::int64_t>({1, 2, 4, 8, 16});
  plan.expert_tensor = draw.one_of<std::int64_t>({1, 1, 2});
  if (plan.pipeline > 1 && draw.one_in(3))
    plan.schedule = Schedule::dual_pipe;
  return plan;
}

std::string text_of(const ParallelPlan& plan) {
  return fmt::format("pipeline {}, tensor {}, context {}, expert {}, expert tensor {}",
                     plan.pipeline, plan.tensor, plan.context, plan.expert, plan.expert_tensor);
}

void check_same(const std::optional<RankClasses>& block, const std::optional<RankClasses>& all) {
  REQUIRE(block.has_value() == all.has_value());
  if (!all)
    return;
  CHECK(block->count == all->count);
  CHECK(block->class_of_place == all->class_of_place);
  CHECK(block->first_alike == all->first_alike);
}

} // namespace

TEST_CASE("one block of a stage shows the classes of all ranks and links") {
  std::size_t repeat = 0;
  std::size_t of_several_classes = 0;
  for (std::uint64_t seed = 0; seed < cases(400); ++seed) {
    RandomCollective drawn = random_collective(seed, {64, 128, 256, 384, 512});
    if (seed % 8 == 0) // nodes of one GPU: scale-up links carry nothing
      drawn.cluster.node.gpus = drawn.cluster.node.nics = drawn.cluster.node.scale_up_gpus =
          drawn.cluster.node.scale_up_switch_gpus = 1;
    if (drawn.cluster.fabric.kind > FabricKind::multi_plane)
      continue; // no tree, so not regular
    const ParallelPlan plan = random_plan(seed, drawn.gpus);
    const Topology topology(drawn.cluster, drawn.gpus);
    const auto symmetry = BlockSymmetry::find(plan, topology);
    if (!symmetry || (symmetry->blocks() == 1 && plan.pipeline == 1))
      continue;
    INFO(drawn.text() << "; " << text_of(plan));
    ++repeat;
    for (const bool experts_alike : {true, false})
      for (const bool rings_together : {true, false}) {
        INFO("experts alike " << experts_alike << ", rings together " << rings_together);
        const ClassRules rules{experts_alike, rings_together, 512};
        const auto all = find_rank_classes(plan, topology, rules);
        check_same(find_rank_classes(plan, topology, rules, symmetry), all);
        of_several_classes += all && all->count > 1 && experts_alike ? 1 : 0;
      }
  }
  CHECK(repeat >= of_that_kind(60));
  CHECK(of_several_classes >= of_that_kind(30));
}

// Each rank sends to 255 others. The routes of 2,048 ranks have few enough links, those of 8,192
// have too many.
TEST_CASE("a block gives up on as many flows as all ranks do") {
  RandomCollective drawn = random_collective(1, {512});
  drawn.cluster.gpus_max = 8192;
  drawn.cluster.fabric.kind = FabricKind::leaf_spine;
  for (const std::int64_t gpus : {2048, 8192}) {
    ParallelPlan plan;
    plan.gpus = gpus;
    plan.expert = 256;
    const Topology topology(drawn.cluster, gpus);
    INFO(gpus << " GPUs");
    const auto symmetry = BlockSymmetry::find(plan, topology);
    REQUIRE(symmetry);
    const ClassRules rules{.classes_max = 512};
    const auto all = find_rank_classes(plan, topology, rules);
    CHECK(all.has_value() == (gpus < 8192));
    check_same(find_rank_classes(plan, topology, rules, symmetry), all);
  }
}
