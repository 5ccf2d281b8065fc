#include "sim/base/input_error.hpp"
#include "sim/importer/imported_topology.hpp"
#include "sim/platform/topology_spec.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

/// Four GPUs, two NICs; spaces align the columns.
const std::string four_gpus =
    "      GPU0  GPU1  GPU2  GPU3  NIC0  NIC1  CPU Affinity  NUMA Affinity\n"
    "GPU0   X    NV18  NV18  NV18  PIX   SYS   0-15          0\n"
    "GPU1  NV18   X    NV18  NV18  PXB   SYS   0-15          0\n"
    "GPU2  NV18  NV18   X    NV18  SYS   PIX   16-31         1\n"
    "GPU3  NV18  NV18  NV18   X    SYS   PIX   16-31         1\n"
    "NIC0  PIX   PXB   SYS   SYS    X    SYS\n"
    "NIC1  SYS   SYS   PIX   PIX   SYS    X\n";

/// `count` GPUs with `link` between every two, and `nics` NICs; tabs, as on a terminal.
std::string matrix(int gpus, const std::string& link, int nics, const std::string& to_nic = "PIX") {
  std::vector<std::string> names;
  for (int i = 0; i < gpus; ++i)
    names.push_back("GPU" + std::to_string(i));
  for (int i = 0; i < nics; ++i)
    names.push_back("NIC" + std::to_string(i));
  std::string text;
  for (const std::string& name : names)
    text += "\t" + name;
  text += "\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\n";
  const auto is_gpu = [](const std::string& name) { return name[0] == 'G'; };
  for (const std::string& row : names) {
    text += row;
    for (const std::string& column : names)
      text += "\t" + (row == column                   ? " X "
                      : is_gpu(row) && is_gpu(column) ? link
                      : is_gpu(row) || is_gpu(column) ? to_nic
                                                      : "NODE");
    text += is_gpu(row) ? "\t0-23\t0\t\tN/A\n" : "\t\t\t\n";
  }
  return text;
}

std::string topo_replaced(std::string text, const std::string& from, const std::string& to) {
  REQUIRE(text.find(from) != std::string::npos);
  return text.replace(text.find(from), from.size(), to);
}

ImportedTopology import_topo(const std::string& text, const std::string& gpu_kind = "") {
  const TemporaryFolder folder;
  return read_nvidia_smi_topo(folder.write("topo.txt", text), {gpu_kind});
}

/// The topology that is read from the written file.
TopologySpec read_back(const ImportedTopology& topology) {
  const TemporaryFolder folder;
  write_imported(topology, folder.path() / "imported.toml");
  return read_topology(folder.path() / "imported.toml");
}

/// The complete message, without the folder.
std::string topo_message(const std::string& text, const std::string& gpu_kind = "") {
  const TemporaryFolder folder;
  const fs::path file = folder.write("topo.txt", text);
  try {
    read_nvidia_smi_topo(file, {gpu_kind});
  } catch (const InputError& error) {
    const std::string message = error.what();
    const std::string place = folder.path().string() + "/";
    return message.rfind(place, 0) == 0 ? message.substr(place.size()) : message;
  }
  return "no error";
}

const ImportedValue& value(const ImportedTopology& topology, const std::string& table,
                           const std::string& key) {
  for (const ImportedTable& candidate : topology.tables)
    if (candidate.name == table)
      for (const ImportedValue& found : candidate.values)
        if (found.key == key)
          return found;
  throw std::out_of_range(table + "." + key);
}

bool has_remark(const ImportedTopology& topology, const std::string& part) {
  return std::any_of(
      topology.remarks.begin(), topology.remarks.end(),
      [&](const std::string& remark) { return remark.find(part) != std::string::npos; });
}

} // namespace

TEST_CASE("a matrix with its GPU named is a node of NVLink and NICs that reads back") {
  const ImportedTopology topology = import_topo(four_gpus, "h200-sxm");
  CHECK(topology.remarks.empty());
  const TopologySpec spec = read_back(topology);
  CHECK(spec.gpu.kind == "h200-sxm");
  CHECK(spec.gpus_max == 4);
  CHECK(spec.node.gpus == 4);
  CHECK(spec.node.scale_up_gpus == 4);
  CHECK(spec.node.scale_up_interconnect == "nvlink4");
  CHECK(spec.node.scale_up.value == Approx(18 * 25e9));
  CHECK(spec.node.in_switch_reduction);
  CHECK(spec.node.nics == 2);
  CHECK(spec.node.nic.value == Approx(400e9 / 8));
  CHECK(spec.node.pcie.value == Approx(63e9));
  CHECK(spec.fabric.kind == FabricKind::none);
}

TEST_CASE("values say whether the matrix tells them") {
  const ImportedTopology topology = import_topo(four_gpus, "h200-sxm");
  CHECK(value(topology, "node", "gpus").origin == ValueOrigin::read);
  CHECK(value(topology, "node", "nics").origin == ValueOrigin::read);
  CHECK(value(topology, "node", "scale_up_gbyte_per_s").origin == ValueOrigin::derived);
  CHECK(value(topology, "node", "scale_up_gbyte_per_s").note ==
        "18 links of 25 GB/s, as h200-sxm has");
  CHECK(value(import_topo(four_gpus), "node", "scale_up_gbyte_per_s").origin ==
        ValueOrigin::assumed);
  for (const char* key : {"scale_up_gpus", "scale_up_latency_us", "in_switch_reduction", "nic",
                          "nic_gbit_per_s", "nic_latency_us", "pcie_gbyte_per_s"}) {
    INFO(key);
    CHECK(value(topology, "node", key).origin == ValueOrigin::assumed);
    CHECK_FALSE(value(topology, "node", key).note.empty());
  }
  CHECK(value(topology, "gpu", "kind").note == "given with --gpu");
  CHECK(value(topology, "fabric", "kind").origin == ValueOrigin::assumed);
}

TEST_CASE("names of NICs, in the header or the legend, tell the medium") {
  struct Row {
    std::string name;
    std::string interconnect;
    ValueOrigin origin;
  };
  for (const Row& row : std::vector<Row>{{"mlx5_0", "infiniband", ValueOrigin::assumed},
                                         {"mlx5_bond_0", "infiniband", ValueOrigin::assumed},
                                         {"ibp26s0", "infiniband", ValueOrigin::derived},
                                         {"rocep12s0", "roce", ValueOrigin::derived},
                                         {"bnxt_re0", "roce", ValueOrigin::derived},
                                         {"rdmap16s27", "efa", ValueOrigin::derived}}) {
    INFO(row.name);
    std::string header = matrix(2, "NV12", 1);
    while (header.find("NIC0") != std::string::npos)
      header = topo_replaced(header, "NIC0", row.name);
    const std::string legend = matrix(2, "NV12", 1) +
                               "\nLegend:\n\n  X    = Self\n\nNIC Legend:\n\n" +
                               "  NIC0: " + row.name + "\n";
    for (const std::string& text : {header, legend}) {
      const ImportedTopology topology = import_topo(text);
      CHECK(value(topology, "node", "nic").origin == row.origin);
      CHECK(read_back(topology).node.nic_interconnect == row.interconnect);
    }
  }
}

TEST_CASE("the adapters of an EC2 instance share its bandwidth") {
  const std::string names = "\nNIC Legend:\n  NIC0: rdmap1s0\n  NIC1: rdmap2s0\n"
                            "  NIC2: rdmap3s0\n  NIC3: rdmap4s0\n";
  const ImportedTopology topology = import_topo(matrix(8, "NV12", 4) + names);
  CHECK(value(topology, "node", "nic_gbit_per_s").value ==
        "100"); // a p4d: 8 x 50 Gbit/s over four_gpus
}

TEST_CASE("without --gpu the number of NVLinks names a kind, aloud") {
  struct Row {
    std::string link;
    std::string kind;
    double gbyte_per_s;
    std::string remark;
  };
  for (const Row& row : std::vector<Row>{
           {"NV12", "a100-sxm", 300,
            "a100-sxm is assumed from NV12, which is the same on a100-sxm-40gb; say otherwise"},
           {"NV8", "h800-sxm", 200,
            "h800-sxm is assumed from NV8, which is the same on A800 (not a known kind); say "},
           {"NV18", "h100-sxm", 450,
            "h100-sxm is assumed from NV18, which is the same on h200-sxm, h20-sxm, b200-sxm, "
            "b300-sxm, gb200, gb300; say"}}) {
    INFO(row.link);
    const ImportedTopology topology = import_topo(matrix(8, row.link, 8));
    CHECK(has_remark(topology, "The matrix names no GPU: " + row.remark));
    const TopologySpec spec = read_back(topology);
    CHECK(spec.gpu.kind == row.kind);
    CHECK(spec.node.scale_up.value == Approx(row.gbyte_per_s * 1e9));
    CHECK(spec.node.in_switch_reduction == (row.link == "NV18"));
  }
}

TEST_CASE("every kind of the table is accepted, whatever the case of its name") {
  CHECK(read_back(import_topo(matrix(8, "NV18", 8), "H20-SXM")).gpu.kind == "h20-sxm");
  // xGMI does not stand in the matrix: 7 links of 64 GB/s are 448.
  const ImportedTopology topology = import_topo(matrix(8, "NV18", 8), "mi300x");
  CHECK(has_remark(topology, "nvidia-smi tells nothing of the links of mi300x"));
  const TopologySpec spec = read_back(topology);
  CHECK(spec.node.scale_up_interconnect == "xgmi");
  CHECK(spec.node.scale_up.value == Approx(448e9));
  CHECK(spec.gpu.memory == Bytes{192LL << 30});
}

TEST_CASE("more links than any GPU has are refused with the usual numbers") {
  CHECK_THROWS_WITH(import_topo(matrix(2, "NV99", 0)),
                    Catch::Contains("no known GPU has 99 NVLinks") &&
                        Catch::Contains("hint: no GPU has as many: 8 to 18 are usual"));
}

TEST_CASE("without NVLink the scale-up network is PCIe") {
  const ImportedTopology topology = import_topo(matrix(4, "PHB", 0));
  CHECK(has_remark(topology, "l40s is assumed from no NVLink"));
  CHECK(value(topology, "node", "scale_up_gbyte_per_s").origin == ValueOrigin::assumed);
  const TopologySpec spec = read_back(topology);
  CHECK(spec.node.scale_up_interconnect == "pcie");
  CHECK(spec.node.scale_up.value == Approx(31.5e9));
  CHECK(spec.node.nics == 0);
  CHECK(read_back(import_topo(matrix(1, "", 1), "h100-sxm")).node.scale_up_interconnect == "pcie");
}

TEST_CASE("of GPU pairs with different links the least is taken") {
  const std::string uneven = "      GPU0  GPU1  GPU2\n"
                             "GPU0   X    NV12  NV4\n"
                             "GPU1  NV12   X    NV12\n"
                             "GPU2  NV4   NV12   X\n";
  const ImportedTopology topology = import_topo(uneven, "a100-sxm");
  CHECK(has_remark(topology, "GPUs connect differently: 1 pair NV4, 2 pairs NV12. The least, NV4, "
                             "is taken for all."));
  CHECK(read_back(topology).node.scale_up.value == Approx(4 * 25e9));

  const ImportedTopology bridged =
      import_topo(topo_replaced(topo_replaced(uneven, "NV4", "SYS"), "NV4", "SYS"), "a100-sxm");
  CHECK(has_remark(bridged, "1 pair without NVLink, 2 pairs NV12. PCIe is taken for all."));
  CHECK(read_back(bridged).node.scale_up_interconnect == "pcie");

  CHECK(has_remark(import_topo(matrix(8, "NV4", 0), "a100-sxm"),
                   "NV4 is fewer than the 12 NVLinks of a100-sxm"));
}

TEST_CASE("NICs that the GPUs cannot share evenly become the nearest number that they can") {
  struct Row {
    int gpus;
    int nics;
    int taken;
  };
  // Even for 8 GPUs: 1, 2, 4, 8, 16, …; for 6: 1, 2, 3, 6, 12, ….
  for (const Row& row :
       std::vector<Row>{{8, 3, 2}, {8, 5, 4}, {8, 6, 4}, {8, 10, 8}, {8, 14, 16}, {6, 8, 6}}) {
    INFO(row.gpus << " GPUs, " << row.nics << " NICs");
    const ImportedTopology topology = import_topo(matrix(row.gpus, "NV18", row.nics), "h100-sxm");
    CHECK(value(topology, "node", "nics").value == std::to_string(row.taken));
    CHECK(value(topology, "node", "nics").origin == ValueOrigin::derived);
    CHECK(has_remark(topology, std::to_string(row.gpus) + " GPUs cannot share " +
                                   std::to_string(row.nics) +
                                   " NICs evenly: " + std::to_string(row.taken) + " are taken."));
    CHECK(read_back(topology).gpus_max == row.gpus);
  }
}

TEST_CASE("remarks say what the matrix cannot show") {
  const std::string peers = "NVLink peers in other trays do not appear";
  const ImportedTopology tray = import_topo(matrix(4, "NV18", 4, "NODE"), "gb300");
  CHECK(has_remark(tray, "GB300: " + peers));
  CHECK(has_remark(tray, "reach them over NVLink-C2C"));
  CHECK_FALSE(has_remark(tray, "over the CPU"));
  CHECK(value(tray, "node", "scale_up_gpus").value == "4");
  CHECK(value(tray, "node", "scale_up_gpus").origin == ValueOrigin::assumed);

  const ImportedTopology hopper = import_topo(four_gpus, "h100-sxm");
  CHECK_FALSE(has_remark(hopper, peers));
  CHECK(has_remark(import_topo(four_gpus), "A tray of GB200 or GB300 looks the same: " + peers));
  CHECK(has_remark(import_topo(matrix(2, "NV18", 1, "PHB"), "h100-sxm"),
                   "2 of 2 GPUs (GPU0, GPU1) reach every NIC over the CPU"));

  CHECK(has_remark(import_topo(matrix(6, "NV18", 6), "h100-sxm"),
                   "6 GPUs, GPU0 to GPU5: a container may hide others"));
  const std::string gap = "      GPU2  GPU5\nGPU2   X    NV18\nGPU5  NV18   X\n";
  CHECK(has_remark(import_topo(gap, "h100-sxm"),
                   "2 GPUs, GPU2 to GPU5: a container may hide others"));
}

TEST_CASE("NVLinks that fit no known GPU, or not the given one, are refused") {
  const std::string bridged = "      GPU0  GPU1\nGPU0   X    NV4\nGPU1  NV4    X\n";
  CHECK(topo_message(bridged) ==
        "topo.txt:2:13: error: NV4 between GPUs: no known GPU has 4 NVLinks, and the matrix names "
        "none\n"
        "  GPU0   X    NV4\n"
        "              ^\n"
        "  hint: name the nearest with --gpu: a100-sxm, a100-sxm-40gb, h100-sxm, h200-sxm, "
        "h800-sxm, h20-sxm, b200-sxm, b300-sxm, gb200, gb300, rubin");
  CHECK(topo_message(four_gpus, "a100-sxm") ==
        "topo.txt:2:13: error: NV18 between GPUs, but --gpu a100-sxm has 12 NVLinks\n"
        "  GPU0   X    NV18  NV18  NV18  PIX   SYS   0-15          0\n"
        "              ^\n"
        "  hint: with as many: h100-sxm, h200-sxm, h20-sxm, b200-sxm, b300-sxm, gb200, gb300, "
        "rubin");
}

TEST_CASE("every sample matrix is read and reads back, or is refused with a reason") {
  const char* samples = std::getenv("MOESIM_SAMPLES");
  if (!samples) {
    std::cout << "MOESIM_SAMPLES is not set: no sample matrices were read\n";
    return;
  }
  int read = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(samples) / "nvidia_smi_topo")) {
    INFO(entry.path());
    try {
      const ImportedTopology topology = read_nvidia_smi_topo(entry.path(), {});
      CHECK(std::to_string(read_back(topology).gpus_max) == value(topology, "node", "gpus").value);
      ++read;
    } catch (const InputError& error) {
      std::cout << error.what() << "\n";
      CHECK_FALSE(error.message().empty());
    }
  }
  CHECK(read > 0);
}

TEST_CASE("a mesh without a switch adds up the links to all peers") {
  const ImportedTopology topology = import_topo(matrix(4, "NV4", 0), "a100-sxm");
  // 3 peers x 4 links x 25 GB/s.
  CHECK(read_back(topology).node.scale_up.value == Approx(300e9));
  CHECK(has_remark(topology, "one peer gets 100 of the 300 GB/s"));
  CHECK_FALSE(has_remark(topology, "is fewer than"));
  // Without a name the kind is that with 3 x 4 = 12 links.
  CHECK(read_back(import_topo(matrix(4, "NV4", 0))).gpu.kind == "a100-sxm");
  // 7 peers x 4 links are more than a GPU has: a switch joins them.
  CHECK(read_back(import_topo(matrix(8, "NV4", 0), "a100-sxm")).node.scale_up.value ==
        Approx(100e9));
}

TEST_CASE("a matrix without the NVLinks that a GPU has is refused") {
  CHECK(topo_message(matrix(2, "PHB", 0), "h100-sxm") ==
        "topo.txt:2:10: error: 18 NVLinks are expected of h100-sxm, the matrix shows none: was it "
        "`nvidia-smi topo -mp`?\n"
        "  GPU0\t X \tPHB\t0-23\t0\t\tN/A\n"
        "      \t   \t^\n"
        "  hint: give what `nvidia-smi topo -m` prints; for GPUs without NVLink name their kind "
        "with --gpu");
  CHECK(read_back(import_topo(matrix(2, "PHB", 0), "l40s")).node.scale_up_interconnect == "pcie");
}

TEST_CASE("two ports of one card are named") {
  std::string text = matrix(2, "NV18", 4, "NODE");
  text = topo_replaced(text, "NIC0\tNODE\tNODE\t X \tNODE", "NIC0\tNODE\tNODE\t X \tPIX");
  text = topo_replaced(text, "NIC1\tNODE\tNODE\tNODE\t X ", "NIC1\tNODE\tNODE\tPIX\t X ");
  CHECK(has_remark(import_topo(text, "h100-sxm"),
                   "NIC0 and NIC1 are two ports of one card each (PIX): 3 cards have 4 ports, and "
                   "the ports of a card share its PCIe. Where those cards serve storage or "
                   "management, set nics to 2."));
  CHECK_FALSE(has_remark(import_topo(matrix(2, "NV18", 4, "NODE"), "h100-sxm"), "two ports"));
}

TEST_CASE("a line longer than any matrix's is refused") {
  CHECK(topo_message(std::string(50'000, '['))
            .find("topo.txt:1:1: error: a line of more than 4000 "
                  "bytes") == 0);
}

TEST_CASE("an imported node takes the fabric of another file, with as many nodes") {
  ImportedTopology topology = import_topo(four_gpus, "h200-sxm");
  const fs::path topologies = fs::path(MOESIM_SOURCE_DIR) / "topologies";
  put_into_fabric(topology, topologies / "hgx-h100-ndr400.toml");
  for (const ImportedTable& table : topology.tables)
    if (table.name == "fabric")
      CHECK(table.values.empty()); // nothing of it is assumed any more
  const TopologySpec spec = read_back(topology);
  CHECK(spec.node.gpus == 4);
  CHECK(spec.fabric.kind == FabricKind::rail_optimised);
  CHECK(spec.fabric.nodes_per_leaf == 32);
  CHECK(spec.gpus_max == 8192); // 16,384 / 8 nodes of 4
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(put_into_fabric(topology, folder.path() / "absent.toml"),
                    Catch::Contains("cannot be read"));
}
