#include "sim/platform/topology.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace moesim;

namespace {

const std::filesystem::path topologies = std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies";

/// The H100 cluster, one leaf a node, with the faults of `text`.
TopologySpec faulty(const std::string& text) {
  const TomlDocument document = TomlDocument::parse("nodes_per_leaf = 1\n" + text, "s.toml");
  return read_topology(topologies / "hgx-h100-ndr400.toml", document.root());
}

std::string message_of(const std::string& text, std::int64_t gpus = 16) {
  try {
    const Topology topology(faulty(text), gpus);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

double capacity_of(const Topology& topology, const std::string& name) {
  for (std::uint32_t link = 0; link < topology.links(); ++link)
    if (topology.link(LinkId(link)).name == name)
      return topology.link(LinkId(link)).capacity.value;
  return -1.0;
}

} // namespace

// GPU 2 takes NIC 3, by its own PCIe link, and shares it with GPU 3.
TEST_CASE("bytes leave round a NIC that is down by the nearest of its node alone") {
  const auto nics = [](const Topology& topology, RankId source, RankId sink) {
    std::vector<std::string> names;
    for (const RouteHop& hop : topology.route(source, sink)) {
      CHECK(hop.share == 1.0);
      const LinkKind kind = topology.link(hop.link).kind;
      if (kind == LinkKind::nic_egress || kind == LinkKind::nic_ingress)
        names.push_back(topology.link(hop.link).name);
    }
    return names;
  };
  const std::string down = "[[fault]]\nnic = \"Node[0].Nic[2]\"\n";
  const Topology topology(faulty(down), 16);
  CHECK(nics(topology, RankId(2), RankId(10)) ==
        std::vector<std::string>{"Node[0].Nic[3].Egress", "Node[1].Nic[2].Ingress"});
  CHECK(nics(topology, RankId(10), RankId(2)) ==
        std::vector<std::string>{"Node[1].Nic[2].Egress", "Node[0].Nic[3].Ingress"});
  CHECK(topology.link(topology.route(RankId(2), RankId(10)).front().link).name ==
        "Node[0].Gpu[2].PcieEgress");
  // Where both of a pair are down, their GPUs share one of the next pair.
  const Topology two(faulty(down + "[[fault]]\nnic = \"Node[0].Nic[3]\"\n"), 16);
  for (const std::uint32_t rank : {2U, 3U})
    CHECK(nics(two, RankId(rank), RankId(8 + rank)).front() == "Node[0].Nic[1].Egress");
}

// 3 NVL72 racks of 18 trays, 32 trays a leaf of their rail. Rack 0 is under leaf 0, rack 2 under
// leaf 4; rack 1 is under both, and its scale-up network would be the shorter way between them.
TEST_CASE("a fault elsewhere sends no traffic through the GPUs of a third rack") {
  const TomlDocument document = TomlDocument::parse(
      "[[fault]]\nlink = \"Node[5].Nic[3].Egress\"\ncapacity_share = 0.5\n", "s.toml");
  const Topology topology(read_topology(topologies / "gb200-nvl72.toml", document.root()), 216);
  std::vector<std::string> names;
  for (const RouteHop& hop : topology.route(RankId(0), RankId(144)))
    names.push_back(topology.link(hop.link).name);
  CHECK(names == std::vector<std::string>{
                     "Node[0].Gpu[0].PcieEgress", "Node[0].Nic[0].Egress", "Leaf[0].Uplink",
                     "Leaf[4].Downlink", "Node[36].Nic[0].Ingress", "Node[36].Gpu[0].PcieIngress"});
}

TEST_CASE("a slowed link keeps its share of the capacity") {
  const Topology topology(faulty("[[fault]]\nlink = \"Leaf[3].Uplink\"\ncapacity_share = 0.25\n"),
                          16);
  CHECK(capacity_of(topology, "Leaf[3].Uplink") == Approx(0.25 * 50e9));
  CHECK(capacity_of(topology, "Leaf[3].Downlink") == Approx(50e9));
}

TEST_CASE("a rail that is down takes the NIC of that number from every node") {
  const Topology topology(faulty("[[fault]]\nrail = 1\n"), 16);
  CHECK(capacity_of(topology, "Node[0].Nic[1].Egress") == 0.0);
  CHECK(capacity_of(topology, "Node[1].Nic[1].Ingress") == 0.0);
  CHECK(capacity_of(topology, "Node[1].Nic[2].Ingress") == Approx(50e9));
  CHECK(topology.route(RankId(1), RankId(9)).size() > 4);
}

TEST_CASE("a switch that is slowed slows all its links") {
  const Topology topology(faulty("[[fault]]\nswitch = \"Spine\"\ncapacity_share = 0.5\n"), 16);
  CHECK(capacity_of(topology, "Leaf[0].Uplink") == Approx(25e9));
  CHECK(capacity_of(topology, "Leaf[9].Downlink") == Approx(25e9));
}

TEST_CASE("a job moves on from a GPU that is down") {
  const Topology topology(faulty("[[fault]]\ngpu = \"Node[0].Gpu[3]\"\n"), 16);
  CHECK(topology.gpus() == 16);
  CHECK(topology.name_of(RankId(3)) == "Node[0].Gpu[4]");
  CHECK(topology.name_of(RankId(15)) == "Node[2].Gpu[0]");
}

TEST_CASE("a job moves on from a node that is drained, by whole nodes") {
  const Topology topology(faulty("[[fault]]\nnode = \"Node[1]\"\n"), 16);
  CHECK(topology.gpus() == 16);
  CHECK(topology.name_of(RankId(7)) == "Node[0].Gpu[7]");
  CHECK(topology.name_of(RankId(8)) == "Node[2].Gpu[0]");
  CHECK(topology.name_of(RankId(15)) == "Node[2].Gpu[7]");
  CHECK(message_of("[[fault]]\nnode = \"Node[9]\"\n").find("there is no node \"Node[9]\"") !=
        std::string::npos);
  CHECK(message_of("[[fault]]\nnode = \"Node[1]\"\ncapacity_share = 0.5\n")
            .find("a node that a fault names is drained") != std::string::npos);
}

TEST_CASE("a slowed GPU stays in the job") {
  const Topology topology(faulty("[[fault]]\ngpu = \"Node[1].Gpu[0]\"\ncapacity_share = 0.8\n"),
                          16);
  CHECK(topology.gpu(RankId(8)).speed_share == Approx(0.8));
  CHECK(topology.gpu(RankId(7)).speed_share == 1.0);
}

TEST_CASE("a cluster cut in two names both sides") {
  CHECK(message_of("[[fault]]\nswitch = \"Spine\"\n", 16) ==
        "s.toml:3:10: error: the job is cut in two: 8 of its GPUs, Node[1].Gpu[0] among them, "
        "cannot reach the 8 on the side of Node[0].Gpu[0]\n"
        "  switch = \"Spine\"\n"
        "           ^\n"
        "  hint: leave a way between them, or place the job on one side");
}

TEST_CASE("a fault must name one part that is there") {
  CHECK(message_of("[[fault]]\nnic = \"Node[0].Nic[9]\"\n")
            .find("hint: did you mean \"Node[0].Nic[") != std::string::npos);
  CHECK(message_of("[[fault]]\nrail = 8\n").find("no node has a NIC on rail 8") !=
        std::string::npos);
  CHECK(message_of("[[fault]]\nrail = 1\nnic = \"Node[0].Nic[1]\"\n").find("a fault has one of") !=
        std::string::npos);
  CHECK(message_of("[[fault]]\ncapacity_share = 0.5\n").find("a fault names a link") !=
        std::string::npos);
  CHECK(message_of("[[fault]]\nnic = \"Node[0].Nic[1]\"\nshare = 1\n").find("unknown key") !=
        std::string::npos);
}

TEST_CASE("the narrowest cut of a slowed uplink is named") {
  const Topology whole(faulty(""), 16);
  const Bisection bisection = whole.bisection();
  CHECK(bisection.rate.value == Approx(400e9));
  CHECK_FALSE(bisection.cut.empty());
  const Topology half(faulty("[[fault]]\nswitch = \"Spine\"\ncapacity_share = 0.5\n"), 16);
  const Bisection slowed = half.bisection();
  CHECK(slowed.rate.value == Approx(200e9));
  REQUIRE(slowed.cut.size() == 1);
  CHECK(slowed.cut.front().second == 8);
  CHECK(slowed.cut.front().first.starts_with("leaf_"));
}
