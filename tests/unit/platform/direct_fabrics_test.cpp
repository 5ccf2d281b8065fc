#include "tests/unit/platform/small_cluster.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// Groups of 2 routers of 2 nodes of 2 GPUs: rank r is at router r / 4, in group r / 8.
TopologySpec dragonfly() {
  TopologySpec spec = small_cluster(FabricKind::dragonfly, 2, 2);
  spec.fabric.routers_per_group = 2;
  spec.fabric.local_link = gbyte_per_s(25);
  spec.fabric.global_link = gbyte_per_s(12.5);
  return spec;
}

/// A torus with one GPU at each router: rank r is at x = r mod size_x, and so on.
TopologySpec torus(std::int64_t size_x, std::int64_t size_y, std::int64_t size_z) {
  TopologySpec spec = small_cluster(FabricKind::torus, 1, 1);
  spec.fabric.nodes_per_leaf = 1;
  spec.fabric.dimensions = {size_x, size_y, size_z};
  spec.fabric.torus_link = gbyte_per_s(10);
  return spec;
}

void check_shares(const Shares& shares, const Shares& expected) {
  CHECK(shares.size() == expected.size());
  for (const auto& [name, share] : expected) {
    INFO(name);
    REQUIRE(shares.contains(name));
    CHECK(shares.at(name) == Approx(share));
  }
}

const std::string from_origin = "Router[0,0,0].To";

} // namespace

// 24 GPUs: 12 nodes, 6 routers, 3 groups.
TEST_CASE("a dragonfly joins all routers of a group and all groups") {
  const Topology topology(dragonfly(), 24);
  CHECK(topology.count(VertexKind::network_switch) == 6);
  CHECK(topology.count(VertexKind::leaf) == 0);
  CHECK(topology.count(VertexKind::nic) == 24);
  // Both directions of: 24 GPUs to their switch and to PCIe, 24 NICs, a cable in each of the 3
  // groups, and 3 pairs of groups.
  CHECK(topology.links() == 2 * (24 + 24 + 24 + 3 + 3));
  CHECK(capacity_gbyte_per_s(topology, "Group[1].Router[0].Local[1]") == Approx(25));
  // Cable (2 - 0 - 1) = 1 of group 0 leads to group 2 and is at its router 1.
  CHECK(capacity_gbyte_per_s(topology, "Group[0].Router[1].Global[2]") == Approx(12.5));
  CHECK_FALSE(topology.regular());
}

TEST_CASE("a dragonfly builds whole groups") {
  // 9 GPUs are 5 nodes on 3 routers: the second group has its second router all the same.
  const Topology topology(dragonfly(), 9);
  CHECK(topology.count(VertexKind::network_switch) == 4);
  CHECK(topology.count(VertexKind::nic) == 10);
}

TEST_CASE("a dragonfly route within a router crosses no other") {
  const Topology topology(dragonfly(), 24);
  CHECK(link_names(topology, 0, 3) == Names{"Node[0].Gpu[0].PcieEgress", "Node[0].Nic[0].Egress",
                                            "Node[1].Nic[1].Ingress",
                                            "Node[1].Gpu[1].PcieIngress"});
  CHECK(latency_us(topology, 0, 3) == Approx(2 * 0.6));
}

TEST_CASE("a dragonfly route within a group takes one local link") {
  const Topology topology(dragonfly(), 24);
  CHECK(link_names(topology, 0, 4) == Names{"Node[0].Gpu[0].PcieEgress", "Node[0].Nic[0].Egress",
                                            "Group[0].Router[0].Local[1]", "Node[2].Nic[0].Ingress",
                                            "Node[2].Gpu[0].PcieIngress"});
  CHECK(latency_us(topology, 0, 4) == Approx(2 * 0.6 + 0.5));
}

// The 3 global cables: cable 0 of group g, at its router 0, leads to group g + 1, where it is the
// cable number (g - (g + 1) - 1) mod 3 = 1, at router 1.
TEST_CASE("a dragonfly route between groups is local, global, local") {
  const Topology topology(dragonfly(), 24);
  SECTION("no local link where both routers hold the cable") {
    check_shares(switch_shares(topology, 0, 12), {{"Group[0].Router[0].Global[1]", 1}});
    CHECK(latency_us(topology, 0, 12) == Approx(2 * 0.6 + 0.5));
  }
  SECTION("a local link in the sink's group") {
    check_shares(switch_shares(topology, 0, 8),
                 {{"Group[0].Router[0].Global[1]", 1}, {"Group[1].Router[1].Local[0]", 1}});
  }
  SECTION("a local link in both, though two global links by way of group 1 are as many hops") {
    CHECK(link_names(topology, 0, 20) ==
          Names{"Node[0].Gpu[0].PcieEgress", "Node[0].Nic[0].Egress", "Group[0].Router[0].Local[1]",
                "Group[0].Router[1].Global[2]", "Group[2].Router[0].Local[1]",
                "Node[10].Nic[0].Ingress", "Node[10].Gpu[0].PcieIngress"});
    CHECK(latency_us(topology, 0, 20) == Approx(2 * 0.6 + 3 * 0.5));
  }
}

// With 5 groups a router holds 2 cables, and two global links are often fewer hops than three.
TEST_CASE("no dragonfly route crosses two global links") {
  const Topology topology(dragonfly(), 40);
  for (std::uint32_t sink = 8; sink < 40; ++sink) {
    double global = 0.0;
    for (const auto& [name, share] : switch_shares(topology, 0, sink))
      if (name.find(".Global[") != std::string::npos)
        global += share;
    INFO("to rank " << sink);
    CHECK(global == Approx(1.0));
  }
}

// Ranks 0 … 7 are group 0, which one cable of 12.5 GB/s joins to group 1.
TEST_CASE("the bisection of a dragonfly of two groups is their cable") {
  const Bisection bisection = Topology(dragonfly(), 16).bisection();
  CHECK(bisection.rate.value == Approx(12.5e9));
  CHECK(bisection.cut == Cut{{"global_link", 1}});
}

// 4 x 2 x 3 routers. Rings of 4 and of 3: 2 neighbours each; the ring of 2: one.
TEST_CASE("a torus has a router for each place and a link to each neighbour") {
  const Topology topology(torus(4, 2, 3), 24);
  CHECK(topology.count(VertexKind::network_switch) == 24);
  CHECK(topology.links() == 2 * (24 + 24 + 24) + 24 * (2 + 1 + 2));
  CHECK(capacity_gbyte_per_s(topology, "Router[3,0,0].To[0,0,0]") == Approx(10));
  CHECK(capacity_gbyte_per_s(topology, "Router[3,1,2].To[3,1,0]") == Approx(10));
}

TEST_CASE("a torus that a job fills partly keeps its routers") {
  const Topology topology(torus(4, 2, 3), 5);
  CHECK(topology.count(VertexKind::network_switch) == 24);
  CHECK(topology.links() == 2 * (5 + 5 + 5) + 24 * 5);
  // Rank 3 is one step back round the ring, over no router of another rank.
  check_shares(switch_shares(topology, 0, 3), {{from_origin + "[3,0,0]", 1}});
}

TEST_CASE("a flat dimension of a torus has no links") {
  const Topology topology(torus(4, 1, 1), 4);
  CHECK(topology.links() == 2 * (4 + 4 + 4) + 4 * 2);
}

TEST_CASE("a torus route goes the shorter way round a ring") {
  const Topology topology(torus(4, 2, 3), 24);
  SECTION("forward") {
    CHECK(link_names(topology, 0, 1) == Names{"Node[0].Gpu[0].PcieEgress", "Node[0].Nic[0].Egress",
                                              "Router[0,0,0].To[1,0,0]", "Node[1].Nic[0].Ingress",
                                              "Node[1].Gpu[0].PcieIngress"});
    CHECK(latency_us(topology, 0, 1) == Approx(2 * 0.6 + 0.5));
    check_shares(switch_shares(topology, 0, 8), {{from_origin + "[0,0,1]", 1}});
  }
  SECTION("backward") {
    check_shares(switch_shares(topology, 0, 3), {{from_origin + "[3,0,0]", 1}});
    check_shares(switch_shares(topology, 0, 16), {{from_origin + "[0,0,2]", 1}});
  }
  SECTION("the one way of a ring of two") {
    check_shares(switch_shares(topology, 0, 4), {{from_origin + "[0,1,0]", 1}});
  }
  SECTION("half each way to the far side") {
    check_shares(switch_shares(topology, 0, 2), {{from_origin + "[1,0,0]", 0.5},
                                                 {"Router[1,0,0].To[2,0,0]", 0.5},
                                                 {from_origin + "[3,0,0]", 0.5},
                                                 {"Router[3,0,0].To[2,0,0]", 0.5}});
    CHECK(latency_us(topology, 0, 2) == Approx(2 * 0.6 + 2 * 0.5)); // each way has two links
  }
}

// No order of the dimensions: the bytes take every shortest way.
TEST_CASE("a torus route across two dimensions splits at each router that has a choice") {
  const Topology topology(torus(4, 2, 3), 24);
  SECTION("one step in each") {
    check_shares(switch_shares(topology, 0, 5), {{from_origin + "[1,0,0]", 0.5},
                                                 {"Router[1,0,0].To[1,1,0]", 0.5},
                                                 {from_origin + "[0,1,0]", 0.5},
                                                 {"Router[0,1,0].To[1,1,0]", 0.5}});
  }
  // To (2,1,0) backwards: a third each from (1,1), (3,1) and (2,0); of each third one half comes
  // by way of (0,1), by (1,0) or (3,0).
  SECTION("half a ring in one, a step in the other") {
    const double third = 1.0 / 3.0;
    const double sixth = 1.0 / 6.0;
    check_shares(switch_shares(topology, 0, 6), {{from_origin + "[1,0,0]", third},
                                                 {from_origin + "[3,0,0]", third},
                                                 {from_origin + "[0,1,0]", third},
                                                 {"Router[1,0,0].To[2,0,0]", sixth},
                                                 {"Router[3,0,0].To[2,0,0]", sixth},
                                                 {"Router[1,0,0].To[1,1,0]", sixth},
                                                 {"Router[3,0,0].To[3,1,0]", sixth},
                                                 {"Router[0,1,0].To[1,1,0]", sixth},
                                                 {"Router[0,1,0].To[3,1,0]", sixth},
                                                 {"Router[2,0,0].To[2,1,0]", third},
                                                 {"Router[1,1,0].To[2,1,0]", third},
                                                 {"Router[3,1,0].To[2,1,0]", third}});
    CHECK(latency_us(topology, 0, 6) == Approx(2 * 0.6 + 3 * 0.5));
  }
}

// A ring of 4 cut in two halves: the cables 1-2 and 3-0, 10 GB/s each.
TEST_CASE("the bisection of a torus ring is two cables") {
  const Bisection bisection = Topology(torus(4, 1, 1), 4).bisection();
  CHECK(bisection.rate.value == Approx(20e9));
  CHECK(bisection.cut == Cut{{"torus_link", 2}});
}
