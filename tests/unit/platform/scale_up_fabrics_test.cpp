#include "tests/unit/platform/small_cluster.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

TopologySpec shipped(const std::string& name, const std::string& cluster = "") {
  const TomlDocument document = TomlDocument::parse(cluster, "s.toml");
  return read_topology(std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies" / (name + ".toml"),
                       document.root());
}

/// The error of reading the file under the keys of `cluster`.
std::string refusal_of(const std::string& name, const std::string& cluster) {
  try {
    shipped(name, cluster);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// Domains of 4 nodes of 4 GPUs, 8 GPUs a first-level switch, half of the capacity up.
TopologySpec two_levels() {
  TopologySpec spec = small_cluster(FabricKind::rail_optimised, 4, 4);
  spec.node.scale_up_gpus = 16;
  spec.node.scale_up_switch_gpus = 8;
  spec.node.scale_up_oversubscription = 2.0;
  return spec;
}

/// 4 GPUs and 2 NICs on the PCIe switch of a node.
TopologySpec pcie_only(FabricKind kind) {
  TopologySpec spec = small_cluster(kind, 4, 2);
  spec.node.scale_up_interconnect = "pcie";
  spec.node.scale_up = gbyte_per_s(60);
  return spec;
}

} // namespace

// 144 GPUs: 2 racks of 18 trays of 4 GPUs and 4 NICs; 32 trays a leaf of each of the 4 rails.
TEST_CASE("two NVL72 racks have a scale-up switch each and a fabric between them") {
  const Topology topology(shipped("gb200-nvl72"), 144);
  CHECK(topology.nodes() == 36);
  CHECK(topology.domains() == 2);
  CHECK(topology.domain_gpus() == 72);
  CHECK(topology.domain_of(RankId(71)) == 0);
  CHECK(topology.domain_of(RankId(72)) == 1);
  CHECK(topology.node_of(RankId(72)) == 18);
  CHECK(topology.count(VertexKind::scale_up_switch) == 2);
  CHECK(topology.count(VertexKind::nic) == 144);
  CHECK(topology.count(VertexKind::leaf) == 8); // trays 0 … 31, and 32 … 35
  CHECK(topology.count(VertexKind::spine) == 1);
  CHECK(topology.links() == 2 * (144 + 144 + 144 + 8));
  CHECK(capacity_gbyte_per_s(topology, "Leaf[7].Uplink") == Approx(32 * 50.0));
  // 72 NICs of 50 GB/s leave a rack.
  CHECK(topology.bisection().rate.value == Approx(72 * 50e9));
}

TEST_CASE("one NVL72 rack needs no fabric") {
  const Topology topology(shipped("gb200-nvl72"), 72);
  CHECK_FALSE(topology.has_fabric());
  CHECK(topology.links() == 2 * 72);
  CHECK(topology.bisection().rate.value == Approx(36 * 900e9));
}

TEST_CASE("trays of an NVL72 rack talk over its scale-up switch, racks over the rails") {
  const Topology topology(shipped("gb200-nvl72"), 144);
  SECTION("tray to tray") {
    CHECK(link_names(topology, 0, 71) ==
          Names{"Node[0].Gpu[0].ScaleUpEgress", "Node[17].Gpu[3].ScaleUpIngress"});
    CHECK(latency_us(topology, 0, 71) == Approx(2 * 0.25));
  }
  SECTION("rack to rack, under one leaf") {
    CHECK(link_names(topology, 0, 73) ==
          Names{"Node[0].Gpu[0].ScaleUpEgress", "Node[0].Gpu[1].ScaleUpIngress",
                "Node[0].Gpu[1].PcieEgress", "Node[0].Nic[1].Egress", "Node[18].Nic[1].Ingress",
                "Node[18].Gpu[1].PcieIngress"});
    CHECK(latency_us(topology, 0, 73) == Approx(2 * 0.25 + 2 * 0.6));
  }
  SECTION("rack to rack, over the spine") {
    CHECK(link_names(topology, 1, 141) ==
          Names{"Node[0].Gpu[1].PcieEgress", "Node[0].Nic[1].Egress", "Leaf[1].Uplink",
                "Leaf[5].Downlink", "Node[35].Nic[1].Ingress", "Node[35].Gpu[1].PcieIngress"});
    CHECK(latency_us(topology, 1, 141) == Approx(2 * 0.6 + 2 * 0.45));
  }
}

// 32 GPUs: 2 domains, each of 2 first-level switches under one spine; 8 nodes in 4 groups of 2,
// each with a leaf for each of 4 rails.
TEST_CASE("a two-level scale-up network has a spine a domain") {
  const Topology topology(two_levels(), 32);
  CHECK(topology.domains() == 2);
  CHECK(topology.count(VertexKind::scale_up_switch) == 2 * (1 + 2));
  CHECK(topology.count(VertexKind::leaf) == 16); // 4 groups of 2 nodes, 4 rails
  CHECK(topology.links() == 2 * (32 + 4 + 32 + 32 + 16));
  // Down 8 x 450 = 3600 GB/s, up half of it.
  CHECK(capacity_gbyte_per_s(topology, "Domain[0].ScaleUpSwitch[0].Uplink") == Approx(1800));
  CHECK(capacity_gbyte_per_s(topology, "Domain[1].ScaleUpSwitch[1].Downlink") == Approx(1800));
}

TEST_CASE("a two-level scale-up network builds the switches of the GPUs that there are") {
  // 8 GPUs of a domain of 16: one first-level switch, and its links to the spine.
  const Topology topology(two_levels(), 8);
  CHECK(topology.count(VertexKind::scale_up_switch) == 2);
  CHECK(topology.links() == 2 * (8 + 1));
}

TEST_CASE("a two-level scale-up route takes the spine only between first-level switches") {
  const Topology topology(two_levels(), 32);
  SECTION("under one switch, though in another node") {
    CHECK(link_names(topology, 0, 7) ==
          Names{"Node[0].Gpu[0].ScaleUpEgress", "Node[1].Gpu[3].ScaleUpIngress"});
    CHECK(latency_us(topology, 0, 7) == Approx(2 * 0.25));
  }
  SECTION("between the switches of a domain") {
    CHECK(link_names(topology, 0, 8) ==
          Names{"Node[0].Gpu[0].ScaleUpEgress", "Domain[0].ScaleUpSwitch[0].Uplink",
                "Domain[0].ScaleUpSwitch[1].Downlink", "Node[2].Gpu[0].ScaleUpIngress"});
    CHECK(latency_us(topology, 0, 8) == Approx(4 * 0.25));
  }
  SECTION("between domains") {
    CHECK(link_names(topology, 0, 16) ==
          Names{"Node[0].Gpu[0].PcieEgress", "Node[0].Nic[0].Egress", "Leaf[0].Uplink",
                "Leaf[8].Downlink", "Node[4].Nic[0].Ingress", "Node[4].Gpu[0].PcieIngress"});
  }
}

// 8 GPUs under each switch: half of 3600 GB/s goes up.
TEST_CASE("the oversubscription of a two-level scale-up network halves its bisection") {
  const Bisection bisection = Topology(two_levels(), 16).bisection();
  CHECK(bisection.rate.value == Approx(1800e9));
  CHECK(bisection.cut == Cut{{"scale_up_uplink", 1}});
}

TEST_CASE("a PCIe-only node has its NICs on the switch of its GPUs") {
  const Topology topology(pcie_only(FabricKind::rail_optimised), 8);
  CHECK(topology.count(VertexKind::scale_up_switch) == 2);
  CHECK(topology.count(VertexKind::nic) == 4);
  CHECK(topology.count(VertexKind::leaf) == 2);
  // Both directions of: 8 GPUs and 4 NICs to the switch, 4 NICs to a leaf, 2 leaves.
  CHECK(topology.links() == 2 * (8 + 4 + 4 + 2));
  CHECK(capacity_gbyte_per_s(topology, "Node[1].Nic[0].PcieIngress") == Approx(60));
  // 2 NICs of 50 GB/s a node.
  CHECK(topology.bisection().rate.value == Approx(100e9));
}

TEST_CASE("a PCIe-only route never passes another GPU") {
  const Topology topology(pcie_only(FabricKind::rail_optimised), 8);
  SECTION("within the node") {
    CHECK(link_names(topology, 1, 2) ==
          Names{"Node[0].Gpu[1].ScaleUpEgress", "Node[0].Gpu[2].ScaleUpIngress"});
  }
  SECTION("to its own rail") {
    CHECK(link_names(topology, 0, 5) ==
          Names{"Node[0].Gpu[0].ScaleUpEgress", "Node[0].Nic[0].PcieEgress",
                "Node[0].Nic[0].Egress", "Node[1].Nic[0].Ingress", "Node[1].Nic[0].PcieIngress",
                "Node[1].Gpu[1].ScaleUpIngress"});
    // The PCIe link of a NIC adds none: that of a GPU stands for the way through the switch.
    CHECK(latency_us(topology, 0, 5) == Approx(2 * 0.25 + 2 * 0.6));
  }
  SECTION("to another rail, by the NIC of that rail") {
    CHECK(link_names(topology, 0, 6) ==
          Names{"Node[0].Gpu[0].ScaleUpEgress", "Node[0].Nic[1].PcieEgress",
                "Node[0].Nic[1].Egress", "Node[1].Nic[1].Ingress", "Node[1].Nic[1].PcieIngress",
                "Node[1].Gpu[2].ScaleUpIngress"});
  }
}

TEST_CASE("PCIe-only nodes under one leaf use the NIC of each GPU") {
  const Topology topology(pcie_only(FabricKind::leaf_spine), 8);
  CHECK(topology.count(VertexKind::leaf) == 1);
  CHECK(link_names(topology, 0, 6) == Names{"Node[0].Gpu[0].ScaleUpEgress",
                                            "Node[0].Nic[0].PcieEgress", "Node[0].Nic[0].Egress",
                                            "Node[1].Nic[1].Ingress", "Node[1].Nic[1].PcieIngress",
                                            "Node[1].Gpu[2].ScaleUpIngress"});
}

TEST_CASE("a PCIe switch for a part of a node is refused, as all NICs of the node hang off one") {
  const std::string message = refusal_of("pcie-l40s", "scale_up_switch_gpus = 4\n");
  CHECK(message == "s.toml:1:24: error: a PCIe switch of 4 GPUs does not hold whole nodes of 8\n"
                   "  scale_up_switch_gpus = 4\n"
                   "                         ^\n"
                   "  hint: the NICs of a node hang off its one switch; scale_up_gpus = 4 makes "
                   "smaller nodes");
}

// 2 NICs for 4 GPUs: GPUs 0 and 1 share NIC 0.
TEST_CASE("with fewer NICs than GPUs neighbours share a NIC and a rail of the fabric") {
  const Topology topology(small_cluster(FabricKind::rail_optimised, 4, 2), 8);
  CHECK(topology.spec().gpus_per_nic() == 2);
  CHECK(topology.count(VertexKind::nic) == 4);
  CHECK(topology.count(VertexKind::leaf) == 2);
  CHECK(topology.links() == 2 * (8 + 8 + 4 + 2)); // each GPU has its PCIe link to the NIC
  CHECK(topology.bisection().rate.value == Approx(100e9));
  SECTION("on one rail, though not the same GPU: the NIC reaches both") {
    CHECK(link_names(topology, 0, 5) == Names{"Node[0].Gpu[0].PcieEgress", "Node[0].Nic[0].Egress",
                                              "Node[1].Nic[0].Ingress",
                                              "Node[1].Gpu[1].PcieIngress"});
  }
  SECTION("to the other rail") {
    CHECK(link_names(topology, 0, 7) ==
          Names{"Node[0].Gpu[0].ScaleUpEgress", "Node[0].Gpu[3].ScaleUpIngress",
                "Node[0].Gpu[3].PcieEgress", "Node[0].Nic[1].Egress", "Node[1].Nic[1].Ingress",
                "Node[1].Gpu[3].PcieIngress"});
  }
}

// 8 GPUs a node with 400 Gbit/s each; 16 NICs of 200 Gbit/s are the same to the fabric.
TEST_CASE("several NICs of a GPU work as one") {
  const TopologySpec spec = shipped("hgx-h100-ndr400", "nics = 16\nnic_gbit_per_s = 200\n");
  CHECK(spec.node.nics == 8);
  CHECK(spec.node.nic.value == Approx(50e9));
  const Topology topology(spec, 16);
  CHECK(topology.count(VertexKind::nic) == 16);
  CHECK(topology.count(VertexKind::leaf) == 8);
  CHECK(topology.bisection().rate.value == Approx(8 * 50e9));
  CHECK(shipped("hgx-h100-ndr400", "nics = 32\n").node.nic.value == Approx(4 * 50e9));
}

TEST_CASE("NICs that are more than the GPUs but no multiple of them are refused") {
  CHECK(refusal_of("hgx-h100-ndr400", "nics = 12\n") ==
        "s.toml:1:8: error: 12 NICs cannot serve 8 GPUs evenly\n"
        "  nics = 12\n"
        "         ^");
}
