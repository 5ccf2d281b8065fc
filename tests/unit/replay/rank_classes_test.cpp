#include "sim/replay/class_flows.hpp"
#include "sim/replay/rank_classes.hpp"
#include "sim/replay/timeline.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>

using namespace moesim;

namespace {

/// Nodes of 8 H100s on one leaf, `nics` a node.
TopologySpec h100(const std::string& settings = "") {
  const TomlDocument document = TomlDocument::parse(settings, "settings.toml");
  return read_topology(std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies" /
                           "hgx-h100-ndr400.toml",
                       document.root());
}

ParallelPlan plan_of(std::int64_t gpus, std::int64_t pipeline, std::int64_t expert) {
  ParallelPlan plan;
  plan.gpus = gpus;
  plan.pipeline = pipeline;
  plan.expert = expert;
  return plan;
}

using Classes = std::vector<std::uint32_t>;

} // namespace

TEST_CASE("ranks at equal places of their expert-parallel groups are a class") {
  const Topology topology(h100(), 16);
  const ParallelPlan plan = plan_of(16, 1, 8);
  const auto classes =
      find_rank_classes(plan, topology, {.experts_alike = false, .classes_max = 8});
  REQUIRE(classes);
  CHECK(classes->count == 8);
  CHECK(classes->class_of_position == Classes{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7});
  const auto alike = [&](std::uint32_t a, std::uint32_t b, LinkKind kind) {
    return classes->first_alike[index(topology.own_link(RankId(a), kind))] ==
           classes->first_alike[index(topology.own_link(RankId(b), kind))];
  };
  CHECK(alike(3, 11, LinkKind::scale_up_egress));
  CHECK(alike(3, 11, LinkKind::nic_ingress));
  CHECK_FALSE(alike(3, 4, LinkKind::scale_up_egress));
  CHECK_FALSE(find_rank_classes(plan, topology, {.experts_alike = false, .classes_max = 7}));
}

TEST_CASE("ranks that carry alike and sit alike are one class in each stage") {
  const Topology topology(h100(), 32);
  const auto classes = find_rank_classes(plan_of(32, 2, 8), topology, {.classes_max = 16});
  REQUIRE(classes);
  CHECK(classes->count == 1);
  CHECK(classes->class_of_position == Classes(16, 0));
}

// A node of 8 ranks and one of 4. The ring of the gradients goes 0, 1, …, 11 and back to 0: ranks
// differ by how far they are from the borders.
TEST_CASE("ranks of unlike nodes are unlike classes") {
  const Topology topology(h100(), 12);
  const auto classes = find_rank_classes(plan_of(12, 1, 4), topology, {.classes_max = 12});
  REQUIRE(classes);
  CHECK(classes->class_of_position[0] != classes->class_of_position[8]);
  CHECK(classes->class_of_position[7] != classes->class_of_position[6]);
}

// Two stages of 8 ranks, two to a NIC. The flows of a stage cross each NIC of its node twice: one
// flow represents 8.
TEST_CASE("a flow of a class loads a link as often as the class does") {
  const Topology topology(h100("nics = 4"), 16);
  const ParallelPlan plan = plan_of(16, 2, 8);
  auto classes = find_rank_classes(plan, topology, {.classes_max = 8});
  REQUIRE(classes);
  REQUIRE(classes->count == 1);
  const ReplayLayout layout{one_rank_per_class(plan, classes->class_of_position),
                            LoadModel::classes, false, classes->first_alike};
  LinkFolding folding(layout, plan, topology);
  std::vector<std::vector<RankFlow>> sent;
  for (std::uint32_t rank = 0; rank < 8; ++rank)
    sent.push_back({{RankId(rank), RankId(rank + 8), 1.0, 1.0}});
  const FoldedFlows folded = fold_flows(sent, layout.layout, topology, folding);
  CHECK(folded.even);
  const std::vector<ClassFlow>& flows = folded.flows;
  REQUIRE(flows.size() == 1);
  std::size_t nics = 0;
  for (const MachineRoute::Hop& hop : flows.front().route.hops) {
    const LinkKind kind = topology.link(folding.originals()[hop.link]).kind;
    const bool nic = kind == LinkKind::nic_egress || kind == LinkKind::nic_ingress;
    nics += nic ? 1 : 0;
    if (nic)
      CHECK(hop.times == 2);
    if (kind == LinkKind::pcie_egress || kind == LinkKind::scale_up_egress)
      CHECK(hop.times == 1);
  }
  CHECK(nics == 2);
}

// Three nodes, two on one leaf. The rings of gradients leave the leaf at one of its nodes and come
// back to the other: nodes are told apart by that, unless rings go together.
TEST_CASE("ranks of a ring are alike if its flows go together") {
  const Topology topology(h100("nodes_per_leaf = 2"), 24);
  const ParallelPlan plan = plan_of(24, 1, 8);
  const auto apart = find_rank_classes(plan, topology, {.classes_max = 24});
  const auto together =
      find_rank_classes(plan, topology, {.rings_together = true, .classes_max = 24});
  REQUIRE(apart);
  REQUIRE(together);
  CHECK(apart->count > 1);
  CHECK(together->count == 1);
}

// One class of ranks in three nodes, the first two on one leaf. Around a ring one node sends inside
// the leaf and two over the spine, one flow in the other's stead. In the second pattern one node
// sends twice, and another not at all.
TEST_CASE("flows that stand in for each other are told, and links that carry more") {
  const Topology topology(h100("nodes_per_leaf = 2"), 24);
  const ParallelPlan plan = plan_of(24, 1, 8);
  auto classes = find_rank_classes(plan, topology, {.rings_together = true, .classes_max = 24});
  REQUIRE(classes);
  const ReplayLayout layout{one_rank_per_class(plan, classes->class_of_position),
                            LoadModel::classes, false, classes->first_alike};
  const auto fold = [&](const std::vector<std::pair<std::uint32_t, std::uint32_t>>& pairs) {
    LinkFolding folding(layout, plan, topology);
    std::vector<RankFlow> flows;
    for (const auto& [source, sink] : pairs)
      for (std::uint32_t local = 0; local < 8; ++local)
        flows.push_back({RankId(source + local), RankId(sink + local), 1.0, 1.0});
    return fold_flows({flows}, layout.layout, topology, folding);
  };
  const FoldedFlows ring = fold({{0, 8}, {8, 16}, {16, 0}});
  REQUIRE(ring.flows.size() == 2); // inside the leaf, and over the spine
  CHECK(ring.even);
  CHECK(ring.flows[0].mixed);
  CHECK(ring.flows[1].mixed);
  CHECK_FALSE(fold({{0, 8}, {8, 16}, {8, 0}}).even);
}

TEST_CASE("a rank stands for its class if flows that stand in for each other end together") {
  Timeline timeline;
  timeline.mixed = {true, true, false};
  const auto flow = [](std::uint32_t load, double finish) {
    return FlowSpan{OpId(0), load, Seconds{1.0}, Seconds{finish}};
  };
  timeline.flows = {flow(0, 2.0), flow(1, 2.0), flow(2, 3.0)};
  CHECK(stood_for_all(timeline));
  timeline.flows[1].finish = Seconds{2.001};
  CHECK_FALSE(stood_for_all(timeline));
  timeline.flows[1].finish = Seconds{2.0};
  timeline.uneven = true;
  CHECK_FALSE(stood_for_all(timeline));
}
