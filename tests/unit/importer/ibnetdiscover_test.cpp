#include "sim/importer/imported_topology.hpp"
#include "sim/platform/topology.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>

using namespace moesim;

namespace {

/// Two leaves with two cables to a spine, three hosts, an aggregation node, an adapter that does
/// not tell its host.
const std::string fabric = "# Topology file\n"
                           "vendid=0x2c9\n"
                           "switchguid=0xa1(a1)\n"
                           "Switch\t65 \"S-a1\"\t\t# \"leaf1\" base port 0 lid 1 lmc 0\n"
                           "[1]\t\"H-10\"[1](10) \t\t# \"node10 mlx5_0\" lid 3 4xNDR\n"
                           "[2]\t\"H-11\"[1](11) \t\t# \"node10 mlx5_1\" lid 4 4xNDR\n"
                           "[3]\t\"S-a3\"[1]\t\t# \"spine\" lid 9 4xNDR s=4 w=2 v=4 e=4\n"
                           "[4]\t\"S-a3\"[2]\t\t# \"spine\" lid 9 4xNDR\n"
                           "[65]\t\"H-90\"[1](90) \t\t# \"Aggregation Node\" lid 8 4xNDR\n"
                           "\n"
                           "switchguid=0xa2(a2)\n"
                           "Switch  65 \"S-a2\"  # \"leaf2\" base port 0 lid 2 lmc 0\n"
                           "[1]  \"H-20\"[1](20)  # \"node2 mlx5_0\" lid 5 4xHDR\n"
                           "[2]  \"H-30\"[1](30)  # \"MT4129 ConnectX7   Mellanox Technologies\" "
                           "lid 6 4xNDR\n"
                           "[3]  \"S-a3\"[3]  # \"spine\" lid 9 4xNDR\n"
                           "\n"
                           "Switch  65 \"S-a3\"  # \"spine\" base port 0 lid 9 lmc 0\n"
                           "[1]  \"S-a1\"[3]  # \"leaf1\" lid 1 4xNDR\n"
                           "[2]  \"S-a1\"[4]  # \"leaf1\" lid 1 4xNDR\n"
                           "[3]  \"S-a2\"[3]  # \"leaf2\" lid 2 1xNDR\n"
                           "\n"
                           "Ca 1 \"H-10\"  # \"node10 mlx5_0\"\n"
                           "[1](10)  \"S-a1\"[1]  # lid 3 lmc 0 \"leaf1\" lid 1 4xNDR\n"
                           "Ca 1 \"H-11\"  # \"node10 mlx5_1\"\n"
                           "[1](11)  \"S-a1\"[2]  # lid 4 lmc 0 \"leaf1\" lid 1 4xNDR\n"
                           "Ca 1 \"H-90\"  # \"Mellanox Technologies Aggregation Node\"\n"
                           "[1](90)  \"S-a1\"[65]  # lid 8 lmc 0 \"leaf1\" lid 1 4xNDR\n"
                           "Ca 1 \"H-20\"  # \"node2 mlx5_0\"\n"
                           "[1](20)  \"S-a2\"[1]  # lid 5 lmc 0 \"leaf2\" lid 2 4xHDR\n"
                           "Ca 1 \"H-30\"  # \"MT4129 ConnectX7   Mellanox Technologies\"\n"
                           "[1](30)  \"S-a2\"[2]  # lid 6 lmc 0 \"leaf2\" lid 2 4xNDR\n";

ImportedTopology import_fabric(const std::string& text) {
  const TemporaryFolder folder;
  return read_ibnetdiscover(folder.write("fabric.txt", text), {});
}

std::string message_of(const std::string& text) {
  const TemporaryFolder folder;
  try {
    read_ibnetdiscover(folder.write("fabric.txt", text), {});
  } catch (const InputError& error) {
    return std::string(error.what()).substr(folder.path().string().size() + 1);
  }
  return "no error";
}

std::string without(const std::string& part) {
  std::string text = fabric;
  return text.erase(text.find(part), part.size());
}

std::size_t cables_of(const ImportedGraph& graph, const std::string& kind) {
  return static_cast<std::size_t>(
      std::count_if(graph.cables.begin(), graph.cables.end(),
                    [&](const ImportedCable& cable) { return cable.kind == kind; }));
}

} // namespace

TEST_CASE("a fabric is imported cable by cable") {
  const ImportedTopology topology = import_fabric(fabric);
  const ImportedGraph& graph = *topology.graph;
  CHECK(cables_of(graph, "nic") == 4);
  CHECK(cables_of(graph, "fabric") == 3);
  CHECK(cables_of(graph, "pcie") == 4);
  std::vector<std::string> gpus;
  for (const ImportedVertex& vertex : graph.vertices)
    if (vertex.kind == "gpu")
      gpus.push_back(vertex.name);
  // First the hosts of the usual size (as many adapters in all as any other), by their numbers; the
  // nameless adapter is a host of its own.
  CHECK(gpus ==
        std::vector<std::string>{"H-30.Gpu[0]", "node2.Gpu[0]", "node10.Gpu[0]", "node10.Gpu[1]"});
  CHECK(topology.remarks.size() == 5);
  CHECK(topology.remarks[2] == "left out: 1 SHARP aggregation nodes, which are no hosts");
  CHECK(topology.remarks[3] == "1 adapters do not tell their host: each is a host of its own");
  CHECK(topology.remarks[4] == "1 cables name two rates at their ends: the lower is taken");
}

TEST_CASE("rates of cables are width times lane") {
  const ImportedTopology topology = import_fabric(fabric);
  for (const ImportedCable& cable : topology.graph->cables) {
    if (cable.source == "node2.Nic[0]" || cable.sink == "node2.Nic[0]")
      CHECK(cable.gbyte_per_s == (cable.kind == "nic" ? 25.0 : 63.0)); // HDR, PCIe 5
    if (cable.kind == "fabric" && (cable.source == "leaf2" || cable.sink == "leaf2"))
      CHECK(cable.gbyte_per_s == 12.5); // one lane of NDR at one end
  }
}

TEST_CASE("an imported fabric is a topology with routes") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "mine.toml";
  write_imported(import_fabric(fabric), file);
  const TopologySpec spec = read_topology(file);
  CHECK(spec.gpus_max == 4);
  const Topology topology(spec, 4);
  CHECK(topology.nodes() == 3);
  // node2 to node10: PCIe, NIC, leaf, spine, leaf, NIC, PCIe; two cables down to leaf1.
  double down = 0.0;
  for (const RouteHop& hop : topology.route(RankId(1), RankId(2)))
    if (topology.link(hop.link).name.starts_with("spine.To[leaf1]")) {
      CHECK(hop.share == Approx(0.5));
      down += hop.share;
    }
  CHECK(down == Approx(1.0));
}

TEST_CASE("what is no whole fabric is refused with its place") {
  CHECK(message_of("CA 'mlx5_0'\n\tCA type: MT4129\n") ==
        "fabric.txt:1:1: error: this is not a fabric, but the adapters of single hosts (ibstat)\n"
        "  CA 'mlx5_0'\n"
        "  ^\n"
        "  hint: run ibnetdiscover on a node of the fabric");
  CHECK(message_of("CA: node1 mlx5_0:\n").find("iblinkinfo") != std::string::npos);
  CHECK(message_of("# nothing\n") ==
        "fabric.txt: error: there is no switch and no adapter in this file\n"
        "  hint: run ibnetdiscover on a node of the fabric");
  CHECK(message_of(without("[3]  \"S-a2\"[3]  # \"leaf2\" lid 2 1xNDR\n")) ==
        "fabric.txt:15:7: error: port 3 of S-a3 does not lead back here\n"
        "  [3]  \"S-a3\"[3]  # \"spine\" lid 9 4xNDR\n"
        "        ^\n"
        "  hint: is the file whole?");
  CHECK(message_of(without(" 4xNDR s=4 w=2 v=4 e=4")) ==
        "fabric.txt:7:18: error: a port needs its width and rate\n"
        "  [3]\t\"S-a3\"[1]\t\t# \"spine\" lid 9\n"
        "     \t         \t\t  ^\n"
        "  hint: as in 4xNDR");
}

TEST_CASE("every sample of an InfiniBand fabric is read or refused", "[samples]") {
  const char* samples = std::getenv("MOESIM_SAMPLES");
  if (!samples) {
    SUCCEED("MOESIM_SAMPLES names no folder");
    return;
  }
  const std::filesystem::path folder = std::filesystem::path(samples) / "ib_fabric";
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    INFO(entry.path());
    ++files;
    try {
      const ImportedTopology topology = read_ibnetdiscover(entry.path(), {});
      CHECK(!topology.graph->cables.empty());
    } catch (const InputError& error) {
      CHECK(std::string(error.what()).find("error: ") != std::string::npos);
    }
  }
  CHECK(files > 0);
  const auto ndr = read_ibnetdiscover(folder / "topograph-ndr-example.out", {});
  CHECK(cables_of(*ndr.graph, "nic") == 542);
  CHECK(cables_of(*ndr.graph, "fabric") == 532);
}

TEST_CASE("errors of the tool itself are left out, and counted") {
  const ImportedTopology whole = import_fabric(fabric);
  const ImportedTopology topology = import_fabric(
      "src/query_smp.c:195; umad (DR path slid 0; dlid 0; 0,1,14 Attr 0xff90:1) bad status 110; "
      "Connection timed out\nibwarn: [1234] mad_rpc: timed out\n" +
      fabric);
  CHECK(topology.graph->cables.size() == whole.graph->cables.size());
  CHECK(std::count(topology.remarks.begin(), topology.remarks.end(),
                   "left out: 2 lines of errors of ibnetdiscover itself: parts of the fabric did "
                   "not answer and may be missing") == 1);
}

TEST_CASE("numbers and lines that no fabric has are refused at their place") {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = fabric;
    return text.replace(text.find(from), from.size(), to);
  };
  CHECK(message_of(with("[1]\t\"H-10\"", "[99999999999]\t\"H-10\""))
            .find("fabric.txt:5:1: error: a port needs its number, its peer and its rate") == 0);
  CHECK(message_of(with("lid 3 4xNDR", "lid 3 99999999999xNDR"))
            .find("error: \"99999999999xNDR\" is no width and rate of a port") !=
        std::string::npos);
  CHECK(
      message_of(fabric + std::string(50'000, 'x')).find("error: a line of more than 2000 bytes") !=
      std::string::npos);
}
