#include "tests/unit/platform/small_cluster.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// Three tiers with half of the capacity up from a leaf, and a quarter of that up from a pod.
TopologySpec three_tiers(FabricKind kind, std::int64_t leaves_per_pod) {
  TopologySpec spec = small_cluster(kind, 2, 2);
  spec.fabric.tiers = 3;
  spec.fabric.leaves_per_pod = leaves_per_pod;
  spec.fabric.oversubscription = 2.0;
  spec.fabric.pod_oversubscription = 4.0;
  return spec;
}

} // namespace

// 32 GPUs: 16 nodes of 2, 8 leaves of 2 nodes, 4 pods of 2 leaves.
TEST_CASE("a three-tier leaf-spine fabric has a spine a pod under one core") {
  const Topology topology(three_tiers(FabricKind::leaf_spine, 2), 32);
  CHECK(topology.nodes() == 16);
  CHECK(topology.count(VertexKind::scale_up_switch) == 16);
  CHECK(topology.count(VertexKind::nic) == 32);
  CHECK(topology.count(VertexKind::leaf) == 8);
  CHECK(topology.count(VertexKind::spine) == 4);
  CHECK(topology.count(VertexKind::core) == 1);
  CHECK(topology.count(VertexKind::network_switch) == 0);
  // Both directions of: each GPU to its switch and to PCIe, 32 NICs, 8 leaves, 4 pods.
  CHECK(topology.links() == 2 * (32 + 32 + 32 + 8 + 4));
}

TEST_CASE("a three-tier leaf-spine fabric is oversubscribed tier by tier") {
  const Topology topology(three_tiers(FabricKind::leaf_spine, 2), 32);
  // Down from a leaf: 2 nodes x 2 NICs x 50 = 200 GB/s, up half of it.
  CHECK(capacity_gbyte_per_s(topology, "Leaf[0].Uplink") == Approx(100));
  CHECK(capacity_gbyte_per_s(topology, "Leaf[7].Downlink") == Approx(100));
  // Down from the spines of a pod: 2 leaves x 100 = 200 GB/s, up a quarter of it.
  CHECK(capacity_gbyte_per_s(topology, "Pod[0].Spine.Uplink") == Approx(50));
  CHECK(capacity_gbyte_per_s(topology, "Pod[3].Spine.Downlink") == Approx(50));
  // Ranks 0 … 15 are pods 0 and 1: what they can send the rest is 2 x 50 GB/s.
  const Bisection bisection = topology.bisection();
  CHECK(bisection.rate.value == Approx(100e9));
  CHECK(bisection.cut == Cut{{"spine_uplink", 2}});
}

// Rank r is GPU r mod 2 of node r / 2, its leaf is r / 4, its pod r / 8.
TEST_CASE("a three-tier leaf-spine route turns round at the lowest tier that both share") {
  const Topology topology(three_tiers(FabricKind::leaf_spine, 2), 32);
  const Names out = {"Node[0].Gpu[0].PcieEgress", "Node[0].Nic[0].Egress"};
  SECTION("its leaf") {
    CHECK(link_names(topology, 0, 3) ==
          Names{out[0], out[1], "Node[1].Nic[1].Ingress", "Node[1].Gpu[1].PcieIngress"});
    CHECK(latency_us(topology, 0, 3) == Approx(2 * 0.6));
  }
  SECTION("the spine of its pod") {
    CHECK(link_names(topology, 0, 4) == Names{out[0], out[1], "Leaf[0].Uplink", "Leaf[1].Downlink",
                                              "Node[2].Nic[0].Ingress",
                                              "Node[2].Gpu[0].PcieIngress"});
    CHECK(latency_us(topology, 0, 4) == Approx(2 * 0.6 + 2 * 0.5));
  }
  SECTION("the core") {
    CHECK(link_names(topology, 0, 29) ==
          Names{out[0], out[1], "Leaf[0].Uplink", "Pod[0].Spine.Uplink", "Pod[3].Spine.Downlink",
                "Leaf[7].Downlink", "Node[14].Nic[1].Ingress", "Node[14].Gpu[1].PcieIngress"});
    CHECK(latency_us(topology, 0, 29) == Approx(2 * 0.6 + 4 * 0.5));
  }
}

// 16 GPUs: 8 nodes of 2, 4 groups of 2 nodes with a leaf for each of the 2 rails, 2 pods of 4
// leaves. Leaf 2 g + n is that of rail n of group g.
TEST_CASE("a three-tier rail-optimised fabric joins the rails of a pod") {
  const Topology topology(three_tiers(FabricKind::rail_optimised, 4), 16);
  CHECK(topology.count(VertexKind::leaf) == 8);
  CHECK(topology.count(VertexKind::spine) == 2);
  CHECK(topology.count(VertexKind::core) == 1);
  CHECK(topology.links() == 2 * (16 + 16 + 16 + 8 + 2));
  // Down from a leaf: one NIC of 2 nodes, 100 GB/s; down from a pod: 4 leaves x 50 = 200 GB/s.
  CHECK(capacity_gbyte_per_s(topology, "Leaf[0].Uplink") == Approx(50));
  CHECK(capacity_gbyte_per_s(topology, "Pod[0].Spine.Uplink") == Approx(50));
  // Rank 9 is GPU 1 of node 4, the first of pod 1 (group 2): the bytes of rank 0 change to rail 1
  // before they leave.
  CHECK(link_names(topology, 0, 9) ==
        Names{"Node[0].Gpu[0].ScaleUpEgress", "Node[0].Gpu[1].ScaleUpIngress",
              "Node[0].Gpu[1].PcieEgress", "Node[0].Nic[1].Egress", "Leaf[1].Uplink",
              "Pod[0].Spine.Uplink", "Pod[1].Spine.Downlink", "Leaf[5].Downlink",
              "Node[4].Nic[1].Ingress", "Node[4].Gpu[1].PcieIngress"});
  CHECK(latency_us(topology, 0, 9) == Approx(2 * 0.25 + 2 * 0.6 + 4 * 0.5));
  CHECK(topology.bisection().rate.value == Approx(50e9)); // one pod to the other
}

// 16 GPUs: 4 nodes of 4, 2 groups of 2 nodes with a leaf for each of the 4 planes.
TEST_CASE("a multi-plane fabric has a spine for each plane, and they do not meet") {
  const Topology topology(small_cluster(FabricKind::multi_plane, 4, 4), 16);
  CHECK(topology.count(VertexKind::leaf) == 8);
  CHECK(topology.count(VertexKind::spine) == 4);
  CHECK(topology.count(VertexKind::core) == 0);
  CHECK(topology.links() == 2 * (16 + 16 + 16 + 8));
  const Topology::Graph& graph = topology.graph();
  for (auto [edge, end] = boost::edges(graph); edge != end; ++edge)
    if (graph[*edge].name == "Leaf[5].Uplink") // plane 1 of group 1
      CHECK(graph[boost::target(*edge, graph)].name == "Plane[1].Spine");
  // Ranks 0 … 7 are group 0: 4 leaves of 2 x 50 GB/s up.
  CHECK(topology.bisection().rate.value == Approx(400e9));
}

TEST_CASE("a multi-plane route lies in the plane of its sink") {
  const Topology topology(small_cluster(FabricKind::multi_plane, 4, 4), 16);
  CHECK(link_names(topology, 0, 11) ==
        Names{"Node[0].Gpu[0].ScaleUpEgress", "Node[0].Gpu[3].ScaleUpIngress",
              "Node[0].Gpu[3].PcieEgress", "Node[0].Nic[3].Egress", "Leaf[3].Uplink",
              "Leaf[7].Downlink", "Node[2].Nic[3].Ingress", "Node[2].Gpu[3].PcieIngress"});
  CHECK(latency_us(topology, 0, 11) == Approx(2 * 0.25 + 2 * 0.6 + 2 * 0.5));
}

// Rank 0 sends 1, 2, 3 and 4 to the GPUs of node 2: its plane carries what its GPU gets.
TEST_CASE("a multi-plane fabric takes the share of each sink's GPU in its plane") {
  const Topology topology(small_cluster(FabricKind::multi_plane, 4, 4), 16);
  std::vector<double> loads(topology.links(), 0.0);
  topology.add_loads(RankId(0), {RankId(8), RankId(9), RankId(10), RankId(11)}, {1, 2, 3, 4},
                     loads);
  Shares up;
  for (std::uint32_t link = 0; link < topology.links(); ++link)
    if (topology.link(LinkId(link)).kind == LinkKind::leaf_uplink && loads[link] > 0.0)
      up[topology.link(LinkId(link)).name] = loads[link];
  CHECK(up == Shares{{"Leaf[0].Uplink", 1},
                     {"Leaf[1].Uplink", 2},
                     {"Leaf[2].Uplink", 3},
                     {"Leaf[3].Uplink", 4}});
}

// 16 GPUs: 8 nodes of 2, 4 groups, of each plane one leaf; pods of 2 leaves of a plane.
TEST_CASE("a three-tier multi-plane fabric has pods and a core in each plane") {
  const Topology topology(three_tiers(FabricKind::multi_plane, 2), 16);
  CHECK(topology.count(VertexKind::leaf) == 8);
  CHECK(topology.count(VertexKind::spine) == 4); // 2 pods x 2 planes
  CHECK(topology.count(VertexKind::core) == 2);
  CHECK(topology.links() == 2 * (16 + 16 + 16 + 8 + 4));
  // Leaf: one NIC of 2 nodes, halved. Pod of a plane: 2 leaves x 50 GB/s over 4.
  CHECK(capacity_gbyte_per_s(topology, "Leaf[0].Uplink") == Approx(50));
  CHECK(capacity_gbyte_per_s(topology, "Plane[1].Pod[1].Spine.Uplink") == Approx(25));
  // From rail 1 of group 0 to rail 1 of group 2, leaf 5.
  CHECK(link_names(topology, 1, 9) ==
        Names{"Node[0].Gpu[1].PcieEgress", "Node[0].Nic[1].Egress", "Leaf[1].Uplink",
              "Plane[1].Pod[0].Spine.Uplink", "Plane[1].Pod[1].Spine.Downlink", "Leaf[5].Downlink",
              "Node[4].Nic[1].Ingress", "Node[4].Gpu[1].PcieIngress"});
}

// 2 flows on 2 cables, each cable with Binomial(2, 1/2) flows of its own: none with probability
// 1/4, at most 1 with 3/4. The fuller of two has on average
// (1 - (1/4)^2) + (1 - (3/4)^2) = 15/16 + 7/16 = 11/8 flows, the mean cable has 1: a stage ends
// when the fullest does, so 8/11 of the capacity is reached. (Were the cables not taken as
// independent, the fuller would have 3/2: both flows meet in one of two cases.)
TEST_CASE("hashing 2 flows onto 2 cables reaches 8/11 of a leaf's capacity") {
  TopologySpec spec = small_cluster(FabricKind::leaf_spine, 2, 2);
  spec.fabric.nodes_per_leaf = 1;
  spec.fabric.ecmp_flows_per_nic = 1;
  const Topology topology(spec, 4);
  CHECK(capacity_gbyte_per_s(topology, "Leaf[0].Uplink") == Approx(2 * 50.0 * 8 / 11));
  CHECK(capacity_gbyte_per_s(topology, "Leaf[1].Downlink") == Approx(2 * 50.0 * 8 / 11));
  CHECK(capacity_gbyte_per_s(topology, "Node[0].Nic[0].Egress") == Approx(50)); // no choice there
}

// 4 flows on 2 cables, Binomial(4, 1/2): at most 0, 1, 2, 3 flows with 1/16, 5/16, 11/16, 15/16.
// The fuller has 4 - (1 + 25 + 121 + 225) / 256 = 163/64 flows where the mean is 2: 128/163.
TEST_CASE("hashing with an oversubscribed leaf spreads all of its flows over the cables left") {
  TopologySpec spec = small_cluster(FabricKind::leaf_spine, 2, 2);
  spec.fabric.oversubscription = 2.0; // 2 nodes x 2 NICs on 2 cables
  spec.fabric.ecmp_flows_per_nic = 1;
  const Topology topology(spec, 8);
  CHECK(capacity_gbyte_per_s(topology, "Leaf[0].Uplink") == Approx(2 * 50.0 * 128 / 163));
}

// One NIC a leaf and a plane has one cable up: there is nothing to hash.
TEST_CASE("hashing onto one cable loses nothing") {
  TopologySpec spec = small_cluster(FabricKind::rail_optimised, 2, 2);
  spec.fabric.nodes_per_leaf = 1;
  spec.fabric.ecmp_flows_per_nic = 4;
  CHECK(capacity_gbyte_per_s(Topology(spec, 4), "Leaf[0].Uplink") == Approx(50));
}

// A leaf of 2 NICs, halved: 1 cable up, nothing to hash. A pod of 2 such leaves has 2 cables up,
// and the flows of all 4 NICs below may leave it, slowed by the leaf but no fewer: 4 flows on 2
// cables.
TEST_CASE("hashing at the spine counts the flows of all NICs below it") {
  TopologySpec spec = small_cluster(FabricKind::leaf_spine, 2, 2);
  spec.fabric.nodes_per_leaf = 1;
  spec.fabric.tiers = 3;
  spec.fabric.leaves_per_pod = 2;
  spec.fabric.oversubscription = 2.0;
  spec.fabric.ecmp_flows_per_nic = 1;
  const Topology topology(spec, 8);
  CHECK(capacity_gbyte_per_s(topology, "Leaf[0].Uplink") == Approx(50));
  CHECK(capacity_gbyte_per_s(topology, "Pod[0].Spine.Uplink") == Approx(2 * 50.0 * 128 / 163));
}

// The binomial's fullest comes near the mean as flows grow: 64 flows on 2 cables lose less.
TEST_CASE("hashing more flows fills the cables better") {
  TopologySpec spec = small_cluster(FabricKind::leaf_spine, 2, 2);
  spec.fabric.nodes_per_leaf = 1;
  double before = 2 * 50.0 * 8 / 11;
  for (const std::int64_t flows : {2, 8, 32, 1024}) {
    spec.fabric.ecmp_flows_per_nic = flows;
    const double now = capacity_gbyte_per_s(Topology(spec, 4), "Leaf[0].Uplink");
    CHECK(now > before);
    CHECK(now < 100.0);
    before = now;
  }
}
