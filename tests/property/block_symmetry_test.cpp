#include "sim/replay/class_flows.hpp"
#include "sim/replay/rank_classes.hpp"
#include "sim/replay/traffic_planner.hpp"
#include "tests/property/case_count.hpp"
#include "tests/property/random_cluster.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

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

bool is_tree(FabricKind kind) {
  return kind != FabricKind::torus && kind != FabricKind::dragonfly &&
         kind != FabricKind::explicit_graph;
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
  CHECK(block->class_of_position == all->class_of_position);
  CHECK(block->first_alike == all->first_alike);
}

/// Works of groups of each kind.
std::vector<CollectiveWork> all_works() {
  std::vector<CollectiveWork> works;
  const auto add = [&](GroupKind group, const std::vector<Collective>& kinds) {
    for (const Collective kind : kinds) {
      works.push_back({.kind = kind, .group = group, .bytes = Bytes{1 << 20}});
      works.back().fan_out = {256, 8, 4, 4};
      works.back().any_algorithm = true;
    }
  };
  for (const GroupKind group : enumerators<GroupKind>)
    if (group == GroupKind::expert)
      add(group, {Collective::all_to_all, Collective::two_phase_all_to_all, Collective::dispatch,
                  Collective::combine});
    else
      add(group, {Collective::all_gather, Collective::reduce_scatter, Collective::all_reduce,
                  Collective::all_reduce_tree, Collective::all_reduce_in_switch});
  return works;
}

/// Links, amounts and times of a plan.
std::string text_of(const TrafficPlan& plan, const LinkFolding& folding) {
  std::string text;
  for (const TrafficPhase& phase : plan.phases) {
    text += fmt::format("start-up {}\n", phase.startup.value);
    for (const PlannedFlow& flow : phase.flows) {
      text += fmt::format("{} bytes, amount {}, weight {}:", flow.bytes, flow.amount,
                          flow.route.weight);
      for (const MachineRoute::Hop& hop : flow.route.hops)
        text += fmt::format(" {} times {}", index(folding.originals()[hop.link]), hop.times);
      text += "\n";
    }
  }
  return text;
}

/// Plans the works of each stage after those of the stages before, then in a planner that knows no
/// other stage, and compares the plans and the numbers of links.
void check_stages(const ReplayLayout& layout, const ParallelPlan& plan, const Topology& topology,
                  const NetworkCost& network) {
  TrafficPlanner all(layout, plan, topology, network, nullptr);
  const std::vector<Device>& devices = layout.layout.devices;
  for (std::uint32_t device = 0; device < devices.size(); ++device) {
    TrafficPlanner alone(layout, plan, topology, network, nullptr);
    const std::size_t known = all.folding().originals().size();
    for (const CollectiveWork& work : all_works()) {
      INFO(collective_name(work.kind) << " of device " << device);
      const DeviceGroup group{work.group, {DeviceId(device)}};
      CHECK(text_of(all.collective(work, group), all.folding()) ==
            text_of(alone.collective(work, group), alone.folding()));
    }
    if (devices.size() != static_cast<std::size_t>(plan.pipeline))
      continue; // devices of a stage share links
    const std::vector<LinkId>& links = all.folding().originals();
    CHECK(std::vector<LinkId>(links.begin() + static_cast<std::ptrdiff_t>(known), links.end()) ==
          alone.folding().originals());
  }
}

/// Folds the flows of the first stage's groups of the kind of `work` that have ranks of its first
/// class: the flows that all ranks send, or those of the first block.
FoldedFlows fold_stage(const CollectiveWork& work, const ReplayLayout& layout,
                       const ParallelPlan& plan, const Topology& topology, LinkFolding& folding,
                       const std::optional<BlockSymmetry>& symmetry) {
  std::vector<std::vector<RankFlow>> groups;
  for (const std::vector<RankId>& ranks : groups_of_stage(plan, work.group, 0)) {
    const std::size_t senders = members_in_first_block(symmetry, ranks);
    const bool of_class = std::any_of(ranks.begin(), ranks.end(), [&](RankId rank) {
      return layout.layout.device_of(rank) == DeviceId(0);
    });
    if (of_class && senders > 0)
      groups.push_back(CollectiveFlows(work, ranks, topology).sent_by_first(senders, 0));
  }
  return fold_flows(groups, layout.layout, topology, folding, symmetry);
}

void check_folds(const ReplayLayout& layout, const ParallelPlan& plan, const Topology& topology,
                 const BlockSymmetry& symmetry) {
  for (const CollectiveWork& work : all_works()) {
    INFO(collective_name(work.kind));
    LinkFolding folding(layout, plan, topology);
    const FoldedFlows all = fold_stage(work, layout, plan, topology, folding, std::nullopt);
    const FoldedFlows block = fold_stage(work, layout, plan, topology, folding, symmetry);
    CHECK(block.even == all.even);
    REQUIRE(block.flows.size() == all.flows.size());
    for (std::size_t flow = 0; flow < all.flows.size(); ++flow) {
      CHECK(block.flows[flow].flow == all.flows[flow].flow);
      CHECK(block.flows[flow].route.hops == all.flows[flow].route.hops);
      CHECK(block.flows[flow].parts == all.flows[flow].parts);
      CHECK(block.flows[flow].mixed == all.flows[flow].mixed);
    }
  }
}

} // namespace

TEST_CASE("collectives of a stage are those of its copies, and those of a block of it") {
  const NetworkCost network =
      NetworkCost::load(std::filesystem::path(MOESIM_SOURCE_DIR) / "calibration");
  std::size_t repeat = 0;
  for (std::uint64_t seed = 0; seed < cases(150); ++seed) {
    const RandomCollective drawn = random_collective(seed, {64, 128, 192, 256});
    if (!is_tree(drawn.cluster.fabric.kind))
      continue; // not regular
    const ParallelPlan plan = random_plan(seed, drawn.gpus);
    const Topology topology(drawn.cluster, drawn.gpus);
    const auto symmetry = BlockSymmetry::find(plan, topology);
    if (!symmetry || plan.pipeline == 1)
      continue;
    INFO(drawn.text() << "; " << text_of(plan));
    ++repeat;
    check_stages(fold_stages(plan), plan, topology, network);
    for (const bool rings_together : {false, true}) {
      auto classes = find_rank_classes(
          plan, topology, {.rings_together = rings_together, .classes_max = 16}, symmetry);
      if (!classes)
        continue;
      const ReplayLayout layout{one_rank_per_class(plan, std::move(classes->class_of_position)),
                                LoadModel::classes, false, std::move(classes->first_alike)};
      check_stages(layout, plan, topology, network);
      check_folds(layout, plan, topology, *symmetry);
    }
  }
  CHECK(repeat >= of_that_kind(20));
}

TEST_CASE("one block of a stage shows the classes of all ranks and links") {
  std::size_t repeat = 0;
  std::size_t of_several_classes = 0;
  for (std::uint64_t seed = 0; seed < cases(400); ++seed) {
    RandomCollective drawn = random_collective(seed, {64, 128, 256, 384, 512});
    if (seed % 8 == 0) // nodes of one GPU: scale-up links carry nothing
      drawn.cluster.node.gpus = drawn.cluster.node.nics = drawn.cluster.node.scale_up_gpus =
          drawn.cluster.node.scale_up_switch_gpus = 1;
    if (!is_tree(drawn.cluster.fabric.kind))
      continue; // not regular
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
