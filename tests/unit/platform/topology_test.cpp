#include "sim/platform/topology.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <sstream>

using namespace moesim;

namespace {

/// Nodes of 8 GPUs at 450 GB/s, with NICs of 50 GB/s and PCIe of 60 GB/s.
TopologySpec spec_of(FabricKind kind, std::int64_t nodes_per_leaf, std::int64_t nics = 8) {
  TopologySpec spec;
  spec.gpus_max = 1024;
  spec.node.gpus = 8;
  spec.node.scale_up_interconnect = "nvlink4";
  spec.node.scale_up_gpus = 8;
  spec.node.scale_up_switch_gpus = 8;
  spec.node.scale_up = gbyte_per_s(450);
  spec.node.scale_up_latency = microseconds(0.25);
  spec.node.nics = nics;
  spec.node.nic = gbyte_per_s(50);
  spec.node.nic_latency = microseconds(0.6);
  spec.node.pcie = gbyte_per_s(60);
  spec.fabric.kind = kind;
  spec.fabric.nodes_per_leaf = nodes_per_leaf;
  spec.fabric.switch_latency = microseconds(0.5);
  return spec;
}

RankId rank(std::uint32_t number) {
  return RankId(number);
}

std::vector<std::string> names_of(const Topology& topology, const Route& route) {
  std::vector<std::string> names;
  for (const RouteHop& hop : route)
    names.push_back(topology.link(hop.link).name);
  return names;
}

using Ends = std::map<LinkId, std::pair<std::string, std::string>>;

Ends ends_of(const Topology& topology) {
  Ends ends;
  const Topology::Graph& graph = topology.graph();
  for (auto [edge, end] = boost::edges(graph); edge != end; ++edge)
    ends[graph[*edge].id] = {graph[boost::source(*edge, graph)].name,
                             graph[boost::target(*edge, graph)].name};
  return ends;
}

std::string gpu_name(const Topology& topology, std::uint32_t number) {
  const auto gpus = static_cast<std::uint32_t>(topology.spec().node.gpus);
  return "Node[" + std::to_string(number / gpus) + "].Gpu[" + std::to_string(number % gpus) + "]";
}

/// Every route starts at its source, goes on where the link before ended, and ends at its sink.
void check_routes_are_walks(const Topology& topology) {
  const Ends ends = ends_of(topology);
  CHECK(ends.size() == topology.links());
  for (std::uint32_t source = 0; source < topology.gpus(); ++source)
    for (std::uint32_t sink = 0; sink < topology.gpus(); ++sink) {
      std::string place = gpu_name(topology, source);
      for (const auto& [link, share] : topology.route(rank(source), rank(sink))) {
        INFO("from " << source << " to " << sink << " over " << topology.link(link).name);
        REQUIRE(ends.at(link).first == place);
        REQUIRE(share == 1.0);
        place = ends.at(link).second;
      }
      REQUIRE(place == gpu_name(topology, sink));
    }
}

} // namespace

TEST_CASE("two rail-optimised nodes have a leaf for each NIC") {
  const Topology topology(spec_of(FabricKind::rail_optimised, 32), 16);
  CHECK(topology.nodes() == 2);
  CHECK(topology.has_fabric());
  CHECK(topology.count(VertexKind::gpu) == 16);
  CHECK(topology.count(VertexKind::scale_up_switch) == 2);
  CHECK(topology.count(VertexKind::nic) == 16);
  CHECK(topology.count(VertexKind::leaf) == 8);
  CHECK(topology.count(VertexKind::spine) == 1);
  // Both directions of: 16 GPUs to their switch and to PCIe, 16 NICs, 8 leaves.
  CHECK(topology.links() == 2 * (16 + 16 + 16 + 8));
}

TEST_CASE("leaf and spine have a leaf for each group of nodes") {
  const Topology topology(spec_of(FabricKind::leaf_spine, 2), 40);
  CHECK(topology.count(VertexKind::leaf) == 3);
  CHECK(topology.count(VertexKind::nic) == 40);
}

TEST_CASE("a second group of rails has leaves of its own") {
  const Topology topology(spec_of(FabricKind::rail_optimised, 2), 32);
  CHECK(topology.count(VertexKind::leaf) == 16);
}

TEST_CASE("one node has no fabric, whatever its NICs") {
  const Topology topology(spec_of(FabricKind::rail_optimised, 32), 8);
  CHECK_FALSE(topology.has_fabric());
  CHECK(topology.count(VertexKind::nic) == 0);
  CHECK(topology.links() == 16);
  CHECK(topology.shared_kinds().empty());
}

TEST_CASE("the last node may be partly empty") {
  const Topology topology(spec_of(FabricKind::rail_optimised, 32), 12);
  CHECK(topology.nodes() == 2);
  CHECK(topology.count(VertexKind::gpu) == 12);
  CHECK(topology.count(VertexKind::nic) == 16); // the node has them all
  CHECK(topology.node_of(rank(7)) == 0);
  CHECK(topology.node_of(rank(8)) == 1);
}

TEST_CASE("GPUs of a node talk through its switch") {
  const Topology topology(spec_of(FabricKind::rail_optimised, 32), 16);
  const Route route = topology.route(rank(8), rank(11));
  CHECK(names_of(topology, route) ==
        std::vector<std::string>{"Node[1].Gpu[0].ScaleUpEgress", "Node[1].Gpu[3].ScaleUpIngress"});
  CHECK(topology.latency(route).value == Approx(0.5e-6));
  CHECK(topology.route(rank(8), rank(8)).empty());
}

TEST_CASE("on rails the bytes change rail over NVLink") {
  const Topology topology(spec_of(FabricKind::rail_optimised, 32), 16);
  const Route route = topology.route(rank(1), rank(10));
  CHECK(names_of(topology, route) ==
        std::vector<std::string>{"Node[0].Gpu[1].ScaleUpEgress", "Node[0].Gpu[2].ScaleUpIngress",
                                 "Node[0].Gpu[2].PcieEgress", "Node[0].Nic[2].Egress",
                                 "Node[1].Nic[2].Ingress", "Node[1].Gpu[2].PcieIngress"});
  CHECK(topology.latency(route).value == Approx(0.5e-6 + 1.2e-6));
}

TEST_CASE("on the same rail no GPU forwards") {
  const Topology topology(spec_of(FabricKind::rail_optimised, 32), 16);
  CHECK(names_of(topology, topology.route(rank(2), rank(10))) ==
        std::vector<std::string>{"Node[0].Gpu[2].PcieEgress", "Node[0].Nic[2].Egress",
                                 "Node[1].Nic[2].Ingress", "Node[1].Gpu[2].PcieIngress"});
}

TEST_CASE("rails of two groups meet at the spine") {
  const Topology topology(spec_of(FabricKind::rail_optimised, 1), 16);
  const Route route = topology.route(rank(2), rank(10));
  CHECK(names_of(topology, route) ==
        std::vector<std::string>{"Node[0].Gpu[2].PcieEgress", "Node[0].Nic[2].Egress",
                                 "Leaf[2].Uplink", "Leaf[10].Downlink", "Node[1].Nic[2].Ingress",
                                 "Node[1].Gpu[2].PcieIngress"});
  CHECK(topology.latency(route).value == Approx(1.2e-6 + 1.0e-6));
}

TEST_CASE("where the sender's node lacks the rail, the receiver's node forwards") {
  // Rank 12 would go over GPU 5 of node 1, which the job does not have.
  const Topology topology(spec_of(FabricKind::rail_optimised, 32), 13);
  CHECK(names_of(topology, topology.route(rank(12), rank(5))) ==
        std::vector<std::string>{"Node[1].Gpu[4].PcieEgress", "Node[1].Nic[4].Egress",
                                 "Node[0].Nic[4].Ingress", "Node[0].Gpu[4].PcieIngress",
                                 "Node[0].Gpu[4].ScaleUpEgress", "Node[0].Gpu[5].ScaleUpIngress"});
}

TEST_CASE("routes are walks in the graph") {
  for (const FabricKind kind : {FabricKind::rail_optimised, FabricKind::leaf_spine})
    for (const std::int64_t nodes_per_leaf : {1, 2, 32})
      for (const std::int64_t nics : {1, 2, 8})
        for (const std::int64_t gpus : {8, 13, 24, 37})
          check_routes_are_walks(Topology(spec_of(kind, nodes_per_leaf, nics), gpus));
}

TEST_CASE("own links are those that a rank's routes use") {
  const Topology topology(spec_of(FabricKind::leaf_spine, 1, 2), 16);
  const auto name = [&](LinkKind kind) {
    return topology.link(topology.own_link(rank(13), kind)).name;
  };
  CHECK(name(LinkKind::scale_up_egress) == "Node[1].Gpu[5].ScaleUpEgress");
  CHECK(name(LinkKind::scale_up_ingress) == "Node[1].Gpu[5].ScaleUpIngress");
  CHECK(name(LinkKind::pcie_egress) == "Node[1].Gpu[5].PcieEgress");
  CHECK(name(LinkKind::pcie_ingress) == "Node[1].Gpu[5].PcieIngress");
  CHECK(name(LinkKind::nic_egress) == "Node[1].Nic[1].Egress"); // 4 GPUs a NIC
  CHECK(name(LinkKind::nic_ingress) == "Node[1].Nic[1].Ingress");
  CHECK(name(LinkKind::leaf_uplink) == "Leaf[1].Uplink");
  CHECK(name(LinkKind::leaf_downlink) == "Leaf[1].Downlink");
  CHECK(topology.owner(topology.own_link(rank(13), LinkKind::pcie_egress)) == rank(13));
  CHECK(topology.shared_kinds().size() == 4);
}

TEST_CASE("a leaf's uplink carries its NICs over the oversubscription") {
  TopologySpec spec = spec_of(FabricKind::leaf_spine, 4);
  spec.fabric.oversubscription = 2.0;
  const Topology topology(spec, 16);
  const LinkId uplink = topology.own_link(rank(0), LinkKind::leaf_uplink);
  // 4 nodes x 8 NICs x 50 GB/s / 2, also if the job fills only half of the ports.
  CHECK(topology.link(uplink).capacity.value == Approx(800e9));
}

// 8 NICs of 50 GB/s leave each of two nodes: 400 GB/s one direction.
TEST_CASE("the bisection of two nodes is that of their NICs") {
  CHECK(Topology(spec_of(FabricKind::rail_optimised, 32), 16).bisection().rate.value ==
        Approx(400e9));
  CHECK(Topology(spec_of(FabricKind::leaf_spine, 1), 16).bisection().rate.value == Approx(400e9));
}

TEST_CASE("PCIe slower than the NIC bounds the bisection") {
  TopologySpec spec = spec_of(FabricKind::rail_optimised, 32);
  spec.node.pcie = gbyte_per_s(31.25);
  CHECK(Topology(spec, 16).bisection().rate.value == Approx(250e9));
}

TEST_CASE("oversubscription halves only what crosses leaves") {
  TopologySpec spec = spec_of(FabricKind::leaf_spine, 1);
  spec.fabric.oversubscription = 2.0;
  CHECK(Topology(spec, 16).bisection().rate.value == Approx(200e9));
  spec.fabric.nodes_per_leaf = 2; // both nodes on one leaf
  CHECK(Topology(spec, 16).bisection().rate.value == Approx(400e9));
}

// 4 x 450 GB/s out of the first half of a node.
TEST_CASE("the bisection of one node is that of its GPUs") {
  CHECK(Topology(spec_of(FabricKind::rail_optimised, 32), 8).bisection().rate.value ==
        Approx(1800e9));
}

TEST_CASE("one GPU has no bisection") {
  CHECK(Topology(spec_of(FabricKind::rail_optimised, 32), 1).bisection().rate.value == 0.0);
}

TEST_CASE("the graph is written for Graphviz with the names of its devices") {
  std::ostringstream out;
  Topology(spec_of(FabricKind::rail_optimised, 32), 16).write_graphviz(out);
  CHECK(out.str().starts_with("digraph"));
  CHECK(out.str().find("\"Node[1].Gpu[7]\"") != std::string::npos);
  CHECK(out.str().find("\"Leaf[7].Uplink\"") != std::string::npos);
}
