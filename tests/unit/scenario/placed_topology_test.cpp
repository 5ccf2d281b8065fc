#include "sim/scenario/placed_topology.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace moesim;

namespace {

/// Scale-up domains of 72 GPUs in 18 nodes.
TopologySpec racks() {
  return read_topology(std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies/gb200-nvl72.toml");
}

ParallelPlan plan_of(std::int64_t gpus, std::int64_t expert) {
  ParallelPlan plan;
  plan.gpus = gpus;
  plan.expert = expert;
  return plan;
}

} // namespace

TEST_CASE("a domain holds whole expert groups, and the rest of it stays idle") {
  // 64 of 72 in each of 2 domains.
  CHECK(domain_gpus_used(racks(), plan_of(128, 64)) == 64);
  CHECK(idle_gpus(racks(), plan_of(128, 64)) == 16);
  CHECK(placed_topology(racks(), plan_of(128, 64)).node.scale_up_gpus == 64);
  CHECK(!groups_straddle(racks(), plan_of(128, 64)));
  // 9 groups of 8 fill a domain.
  CHECK(domain_gpus_used(racks(), plan_of(144, 8)) == 72);
  CHECK(idle_gpus(racks(), plan_of(144, 8)) == 0);
}

TEST_CASE("a group larger than a domain leaves none of its GPUs idle") {
  CHECK(domain_gpus_used(racks(), plan_of(256, 128)) == 72);
  CHECK(!groups_straddle(racks(), plan_of(256, 128)));
}

TEST_CASE("packed groups straddle domains, and leave no GPU idle") {
  TopologySpec packed = racks();
  packed.placement = GroupPlacement::packed;
  CHECK(domain_gpus_used(packed, plan_of(128, 64)) == 72);
  CHECK(idle_gpus(packed, plan_of(128, 64)) == 0);
  CHECK(groups_straddle(packed, plan_of(128, 64)));
  CHECK(!groups_straddle(packed, plan_of(64, 64))); // one domain
}

TEST_CASE("a cluster with its groups placed whole may have to be larger") {
  TopologySpec packed = racks();
  packed.placement = GroupPlacement::packed;
  const TopologySpec whole = whole_topology(packed, plan_of(128, 64)).value();
  CHECK(idle_gpus(whole, plan_of(128, 64)) == 16);
  CHECK(whole.gpus_max == packed.gpus_max);
  packed.gpus_max = 128; // 2 domains of 72, of which whole groups leave 8 idle each
  CHECK(whole_topology(packed, plan_of(128, 64)).value().gpus_max == 144);
}

TEST_CASE("groups that do not divide a node cannot be placed whole") {
  TopologySpec nodes = racks();
  nodes.node.gpus = nodes.node.scale_up_gpus = nodes.node.scale_up_switch_gpus = 8;
  CHECK(groups_straddle(nodes, plan_of(24, 6)));
  CHECK(!whole_topology(nodes, plan_of(24, 6)));
}
