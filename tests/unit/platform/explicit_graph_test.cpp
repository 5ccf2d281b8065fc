#include "tests/support/temporary_folder.hpp"
#include "tests/unit/platform/small_cluster.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

const std::string topology_file = "[gpu]\n"
                                  "kind = \"h100-sxm\"\n"
                                  "memory_gib = 80\n"
                                  "bf16_tflops = 1000\n"
                                  "memory_gbyte_per_s = 3000\n"
                                  "sms = 132\n"
                                  "[node]\n"
                                  "scale_up = \"nvlink4\"\n"
                                  "[fabric]\n"
                                  "kind = \"explicit\"\n"
                                  "nodes = \"nodes.csv\"\n"
                                  "links = \"links.csv\"\n";

// Two hosts of two GPUs and a NIC, each on a leaf, under two spines.
const std::string nodes = "name,kind,node\n"
                          "a0,gpu,a\n"
                          "a1,gpu,a\n"
                          "aSwitch,scale_up_switch,\n"
                          "aNic,nic,a\n"
                          "b0,gpu,b\n"
                          "b1,gpu,b\n"
                          "bSwitch,scale_up_switch,\n"
                          "bNic,nic,b\n"
                          "leaf1,switch,\n"
                          "leaf2,switch,\n"
                          "spine1,switch,\n"
                          "spine2,switch,\n";

const std::string links = "source,sink,kind,gbyte_per_s,latency_us\n"
                          "a0,aSwitch,scale_up,450,0.25\n"
                          "a1,aSwitch,scale_up,450,0.25\n"
                          "a0,aNic,pcie,60,0\n"
                          "a1,aNic,pcie,60,0\n"
                          "b0,bSwitch,scale_up,450,0.25\n"
                          "b1,bSwitch,scale_up,450,0.25\n"
                          "b0,bNic,pcie,60,0\n"
                          "b1,bNic,pcie,60,0\n"
                          "aNic,leaf1,nic,50,0.6\n"
                          "bNic,leaf2,nic,50,0.6\n"
                          "leaf1,spine1,fabric,15,0.5\n"
                          "leaf1,spine1,fabric,15,0.5\n"
                          "leaf1,spine2,fabric,10,0.5\n"
                          "leaf2,spine1,fabric,30,0.5\n"
                          "leaf2,spine2,fabric,10,0.5\n";

/// `text` with `from` replaced, which must be there.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t place = text.find(from);
  if (place == std::string::npos)
    throw std::runtime_error("the text has no " + from);
  return text.replace(place, from.size(), to);
}

TopologySpec read(const TemporaryFolder& folder, const std::string& nodes_text,
                  const std::string& links_text) {
  folder.write("nodes.csv", nodes_text);
  folder.write("links.csv", links_text);
  return read_topology(folder.write("graph.toml", topology_file));
}

/// The error of reading the tables and building the cluster of all of their GPUs, without the
/// folder.
std::string message_of(const std::string& nodes_text, const std::string& links_text) {
  const TemporaryFolder folder;
  try {
    const TopologySpec spec = read(folder, nodes_text, links_text);
    const Topology topology(spec, spec.gpus_max);
  } catch (const InputError& error) {
    std::string message = error.what();
    for (const std::string path = folder.path().string() + "/";
         message.find(path) != std::string::npos;)
      message.erase(message.find(path), path.size());
    return message;
  }
  return "no error";
}

struct Refusal {
  std::string rule;
  std::string nodes;
  std::string links;
  std::string message;
};

/// A message about a line of a table, followed by the line of the topology that names the table.
std::string with_naming(const std::string& message) {
  if (message.starts_with("nodes.csv:"))
    return message + "\ngraph.toml:11:9: the file is named here\n"
                     "  nodes = \"nodes.csv\"\n"
                     "          ^";
  if (message.starts_with("links.csv:"))
    return message + "\ngraph.toml:12:9: the file is named here\n"
                     "  links = \"links.csv\"\n"
                     "          ^";
  return message;
}

void check(const std::vector<Refusal>& refusals) {
  for (const Refusal& row : refusals) {
    INFO(row.rule);
    CHECK(message_of(row.nodes, row.links) == with_naming(row.message));
  }
}

} // namespace

TEST_CASE("an explicit graph gives the sizes of its cluster") {
  const TemporaryFolder folder;
  const TopologySpec spec = read(folder, nodes, links);
  CHECK(spec.gpus_max == 4);
  CHECK(spec.node.gpus == 2);
  CHECK(spec.node.scale_up_gpus == 2);
  CHECK(spec.node.scale_up.value == Approx(450e9));
  CHECK(spec.node.nics == 1);
  CHECK(spec.node.nic.value == Approx(50e9));
  const Topology topology(spec, 4);
  CHECK(topology.nodes() == 2);
  CHECK(topology.domains() == 2);
  CHECK(topology.count(VertexKind::gpu) == 4);
  CHECK(topology.count(VertexKind::scale_up_switch) == 2);
  CHECK(topology.count(VertexKind::nic) == 2);
  CHECK(topology.count(VertexKind::network_switch) == 4);
  CHECK(topology.links() == 2 * 15); // both directions of each row
  CHECK(topology.name_of(RankId(2)) == "b0");
  CHECK(topology.node_of(RankId(2)) == 1);
  CHECK(topology.domain_of(RankId(3)) == 1);
}

// The ways into leaf2 are of 30 and 10 GB/s: 3/4 and 1/4. Each of two cables from leaf1 takes half
// of the traffic over spine1.
TEST_CASE("an explicit graph's routes split over equally short ways by their capacity") {
  const TemporaryFolder folder;
  const Topology topology(read(folder, nodes, links), 4);
  CHECK(switch_shares(topology, 0, 3) == Shares{{"leaf1.To[spine1]", 0.375},
                                                {"leaf1.To[spine1].Cable[1]", 0.375},
                                                {"leaf1.To[spine2]", 0.25},
                                                {"spine1.To[leaf2]", 0.75},
                                                {"spine2.To[leaf2]", 0.25}});
  const Names names = link_names(topology, 0, 3);
  REQUIRE(names.size() == 2 + 5 + 2);
  CHECK(names[0] == "a0.To[aNic]");
  CHECK(names[1] == "aNic.To[leaf1]");
  CHECK(names[7] == "leaf2.To[bNic]");
  CHECK(names[8] == "bNic.To[b1]");
  CHECK(latency_us(topology, 0, 3) == Approx(2 * 0.6 + 2 * 0.5));
  CHECK(link_names(topology, 0, 1) == Names{"a0.To[aSwitch]", "aSwitch.To[a1]"});
  CHECK(latency_us(topology, 0, 1) == Approx(2 * 0.25));
}

// The 3 cables up from leaf1 carry 15 + 15 + 10 GB/s, less than the NIC.
TEST_CASE("the bisection of an explicit graph is its narrowest cut") {
  const TemporaryFolder folder;
  const Bisection bisection = Topology(read(folder, nodes, links), 4).bisection();
  CHECK(bisection.rate.value == Approx(40e9));
  CHECK(bisection.cut == Cut{{"fabric_link", 3}});
}

TEST_CASE("a job on a part of an explicit graph stands on its first GPUs") {
  const TemporaryFolder folder;
  const Topology topology(read(folder, nodes, links), 3);
  CHECK(topology.gpus() == 3);
  CHECK(topology.count(VertexKind::gpu) == 4); // the graph stays whole
  CHECK(topology.name_of(RankId(2)) == "b0");
}

TEST_CASE("GPUs that scale-up switches join are one domain of an explicit graph") {
  const TemporaryFolder folder;
  const TopologySpec spec = read(folder, nodes, links + "aSwitch,bSwitch,scale_up,900,0.25\n");
  CHECK(spec.node.scale_up_gpus == 4);
  const Topology topology(spec, 4);
  CHECK(topology.domains() == 1);
  CHECK(link_names(topology, 0, 3) ==
        Names{"a0.To[aSwitch]", "aSwitch.To[bSwitch]", "bSwitch.To[b1]"});
}

TEST_CASE("a malformed nodes table of an explicit graph is refused with its place") {
  check({
      {"a missing column", "name,kind\na0,gpu\n", links,
       "nodes.csv:1:1: error: the column \"node\" is missing\n"
       "  name,kind\n"
       "  ^\n"
       "  hint: did you mean \"name\"?"},
      {"an unknown column", with(nodes, "name,kind,node", "name,kind,host"), links,
       "nodes.csv:1:11: error: unknown column \"host\"\n"
       "  name,kind,host\n"
       "            ^"},
      {"an unknown kind", with(nodes, "a1,gpu,a", "a1,gpus,a"), links,
       "nodes.csv:3:4: error: kind: \"gpus\" is not one of gpu, scale_up_switch, nic, switch\n"
       "  a1,gpus,a\n"
       "     ^\n"
       "  hint: did you mean \"gpu\"?"},
      {"a name given twice", with(nodes, "a1,gpu,a", "a0,gpu,a"), links,
       "nodes.csv:3:1: error: name: \"a0\" is given twice\n"
       "  a0,gpu,a\n"
       "  ^"},
      {"no name", with(nodes, "a1,gpu,a", ",gpu,a"), links,
       "nodes.csv:3:1: error: name: is empty\n"
       "  ,gpu,a\n"
       "  ^"},
      {"a GPU in no node", with(nodes, "a1,gpu,a", "a1,gpu,"), links,
       "nodes.csv:3:8: error: node: a gpu belongs to a node\n"
       "  a1,gpu,\n"
       "         ^\n"
       "  hint: name its host"},
      {"a NIC in no node", with(nodes, "aNic,nic,a", "aNic,nic,"), links,
       "nodes.csv:5:10: error: node: a nic belongs to a node\n"
       "  aNic,nic,\n"
       "           ^\n"
       "  hint: name its host"},
      {"a switch in a node", with(nodes, "leaf1,switch,", "leaf1,switch,a"), links,
       "nodes.csv:10:14: error: node: a switch belongs to no node\n"
       "  leaf1,switch,a\n"
       "               ^\n"
       "  hint: leave the cell empty"},
      {"a scale-up switch in a node",
       with(nodes, "aSwitch,scale_up_switch,", "aSwitch,scale_up_switch,a"), links,
       "nodes.csv:4:25: error: node: a scale_up_switch belongs to no node\n"
       "  aSwitch,scale_up_switch,a\n"
       "                          ^\n"
       "  hint: leave the cell empty"},
      {"a row that is too short", with(nodes, "a1,gpu,a", "a1,gpu"), links,
       "nodes.csv:3:1: error: 2 cells where the header has 3 columns\n"
       "  a1,gpu\n"
       "  ^"},
      {"an empty file", "", links,
       "graph.toml:11:9: error: nodes.csv: has no header row\n"
       "  nodes = \"nodes.csv\"\n"
       "          ^"},
      {"no GPU", "name,kind,node\nleaf1,switch,\n", "source,sink,kind,gbyte_per_s,latency_us\n",
       "graph.toml:11:9: error: nodes.csv: there is no gpu among the nodes\n"
       "  nodes = \"nodes.csv\"\n"
       "          ^"},
  });
}

TEST_CASE("a malformed links table of an explicit graph is refused with its place") {
  check({
      {"a missing column", nodes, "source,sink,kind,gbyte_per_s\na0,aNic,pcie,60\n",
       "links.csv:1:1: error: the column \"latency_us\" is missing\n"
       "  source,sink,kind,gbyte_per_s\n"
       "  ^"},
      {"an unknown column", nodes, with(links, "gbyte_per_s", "gbit_per_s"),
       "links.csv:1:18: error: unknown column \"gbit_per_s\"\n"
       "  source,sink,kind,gbit_per_s,latency_us\n"
       "                   ^\n"
       "  hint: did you mean \"gbyte_per_s\"?"},
      {"a source that is no node", nodes, with(links, "a1,aNic", "a9,aNic"),
       "links.csv:5:1: error: source: there is no \"a9\" in the nodes\n"
       "  a9,aNic,pcie,60,0\n"
       "  ^\n"
       "  hint: did you mean \"a0\"?"},
      {"a sink that is no node", nodes, with(links, "bNic,leaf2", "bNic,backbone"),
       "links.csv:11:6: error: sink: there is no \"backbone\" in the nodes\n"
       "  bNic,backbone,nic,50,0.6\n"
       "       ^"},
      {"an unknown kind", nodes, with(links, "aNic,pcie", "aNic,pci"),
       "links.csv:4:9: error: kind: \"pci\" is not one of scale_up, pcie, nic, fabric\n"
       "  a0,aNic,pci,60,0\n"
       "          ^\n"
       "  hint: did you mean \"pcie\"?"},
      {"no capacity", nodes, with(links, "nic,50,0.6", "nic,0,0.6"),
       "links.csv:10:16: error: gbyte_per_s: \"0\" is not above zero\n"
       "  aNic,leaf1,nic,0,0.6\n"
       "                 ^"},
      {"a negative capacity", nodes, with(links, "nic,50,0.6", "nic,-50,0.6"),
       "links.csv:10:16: error: gbyte_per_s: \"-50\" is not above zero\n"
       "  aNic,leaf1,nic,-50,0.6\n"
       "                 ^"},
      {"a capacity that is no number", nodes, with(links, "nic,50,0.6", "nic,5O,0.6"),
       "links.csv:10:16: error: gbyte_per_s: \"5O\" is not a number\n"
       "  aNic,leaf1,nic,5O,0.6\n"
       "                 ^"},
      {"a negative latency", nodes, with(links, "nic,50,0.6", "nic,50,-0.6"),
       "links.csv:10:19: error: latency_us: is negative\n"
       "  aNic,leaf1,nic,50,-0.6\n"
       "                    ^"},
      {"a latency that is no number", nodes, with(links, "nic,50,0.6", "nic,50,"),
       "links.csv:10:19: error: latency_us: \"\" is not a number\n"
       "  aNic,leaf1,nic,50,\n"
       "                    ^"},
      {"a row that is too long", nodes, with(links, "nic,50,0.6", "nic,50,0.6,1"),
       "links.csv:10:1: error: 6 cells where the header has 5 columns\n"
       "  aNic,leaf1,nic,50,0.6,1\n"
       "  ^"},
      {"a device joined to itself", nodes, with(links, "leaf2,spine2", "leaf2,leaf2"),
       "links.csv:16:7: error: sink: \"leaf2\" is the source too\n"
       "  leaf2,leaf2,fabric,10,0.5\n"
       "        ^"},
  });
}

TEST_CASE("a link of an explicit graph that its kind cannot make is refused") {
  check({
      {"scale-up to a NIC", nodes, with(links, "a0,aSwitch", "a0,aNic"),
       "links.csv:2:9: error: kind: a scale_up link cannot join a0 and aNic\n"
       "  a0,aNic,scale_up,450,0.25\n"
       "          ^"},
      {"PCIe between GPUs", nodes, with(links, "a0,aNic,pcie", "a0,a1,pcie"),
       "links.csv:4:7: error: kind: a pcie link cannot join a0 and a1\n"
       "  a0,a1,pcie,60,0\n"
       "        ^"},
      {"a NIC's link to a GPU", nodes, with(links, "aNic,leaf1", "aNic,a0"),
       "links.csv:10:9: error: kind: a nic link cannot join aNic and a0\n"
       "  aNic,a0,nic,50,0.6\n"
       "          ^"},
      {"a fabric link to a scale-up switch", nodes, with(links, "leaf1,spine2", "leaf1,aSwitch"),
       "links.csv:14:15: error: kind: a fabric link cannot join leaf1 and aSwitch\n"
       "  leaf1,aSwitch,fabric,10,0.5\n"
       "                ^"},
      {"PCIe to the NIC of another node", nodes, with(links, "a1,aNic", "a1,bNic"),
       "links.csv:5:9: error: kind: a pcie link cannot join a1 and bNic\n"
       "  a1,bNic,pcie,60,0\n"
       "          ^\n"
       "  hint: they are in different nodes"},
  });
}

TEST_CASE("an explicit graph in two parts is refused") {
  CHECK(message_of(nodes, with(links, "bNic,leaf2,nic,50,0.6\n", "")) ==
        "links.csv: error: the job is cut in two: 2 of its GPUs, b0 among them, cannot reach the "
        "2 on the side of a0\n"
        "  hint: leave a way between them, or place the job on one side");
}

TEST_CASE("the tables of an explicit graph must be there") {
  const TemporaryFolder folder;
  const std::string path = folder.path().string() + "/";
  folder.write("nodes.csv", nodes);
  CHECK_THROWS_WITH(read_topology(folder.write("graph.toml", topology_file)),
                    path + "graph.toml:12:9: error: " + path +
                        "links.csv: cannot be read: No such file or directory\n"
                        "  links = \"links.csv\"\n"
                        "          ^\n"
                        "  hint: a path is relative to the folder of the file that names it");
}
