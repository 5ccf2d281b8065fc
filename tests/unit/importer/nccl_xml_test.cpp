#include "sim/importer/imported_topology.hpp"

#include "sim/base/input_error.hpp"
#include "sim/platform/topology_spec.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const std::string gen5 = "link_speed=\"32.0 GT/s PCIe\" link_width=\"16\"";
const std::string to_switch = "<nvlink target=\"0000:1a:00.0\" count=\"10\" tclass=\"0x068000\"/>"
                              "<nvlink target=\"0000:1b:00.0\" count=\"8\" tclass=\"0x068000\"/>";

/// A GPU of compute capability 9.0 at bus `number`, with `inside` in its <gpu>.
std::string gpu(int number, const std::string& inside, const std::string& link = gen5) {
  return fmt::format("<pci busid=\"0000:{:02x}:00.0\" class=\"0x030200\" {}><gpu dev=\"{}\" "
                     "sm=\"90\">{}</gpu></pci>\n",
                     number, link, number, inside);
}

/// A port, on a NIC of its own at bus `number`.
std::string nic(int number, int mbit_per_s, const std::string& type = "0x020700") {
  return fmt::format(
      "<pci busid=\"0000:{0:02x}:00.0\" class=\"{1}\" {2}><nic><net name=\"mlx5_{0}\" "
      "speed=\"{3}\" port=\"1\" guid=\"0xabc{0:x}\"/></nic></pci>\n",
      number, type, gen5, mbit_per_s);
}

std::string cpu(const std::string& inside, const std::string& attributes = "numaid=\"0\"") {
  return "<cpu " + attributes + ">\n" + inside + "</cpu>\n";
}

std::string system_of(const std::string& inside) {
  return "<system version=\"1\">\n" + inside + "</system>\n";
}

std::string gpus(int first, int count, const std::string& inside = to_switch) {
  std::string text;
  for (int i = first; i < first + count; ++i)
    text += gpu(i, inside);
  return text;
}

struct Imported {
  ImportedTopology topology;
  TopologySpec spec; ///< written, and read back
  bool remarks(const std::string& part) const {
    for (const std::string& remark : topology.remarks)
      if (remark.find(part) != std::string::npos)
        return true;
    return false;
  }
  ImportedValue value(const std::string& table, const std::string& key) const {
    for (const ImportedTable& one : topology.tables)
      for (const ImportedValue& entry : one.values)
        if (one.name == table && entry.key == key)
          return entry;
    return {};
  }
};

Imported import_file(const fs::path& file, const std::string& kind = "") {
  const TemporaryFolder folder;
  ImportedTopology topology = read_nccl_xml(file, {kind});
  write_imported(topology, folder.path() / "out.toml");
  return {topology, read_topology(folder.path() / "out.toml")};
}

Imported import_xml(const std::string& text, const std::string& kind = "") {
  const TemporaryFolder folder;
  return import_file(folder.write("t.xml", text), kind);
}

std::string refusal(const std::string& text, const std::string& kind = "") {
  try {
    import_xml(text, kind);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

} // namespace

TEST_CASE("a dump of one node gives its GPUs, NVLinks and NICs") {
  const Imported node = import_xml(
      system_of(cpu(gpus(1, 4) + nic(0x81, 400000) + nic(0x82, 400000)) +
                cpu(gpus(5, 4) + nic(0x83, 400000) + nic(0x84, 400000), "numaid=\"1\"")));
  CHECK(node.spec.gpu.kind == "h100-sxm");
  CHECK(node.value("gpu", "kind").origin == ValueOrigin::assumed);
  CHECK(node.spec.node.gpus == 8);
  CHECK(node.spec.node.scale_up_gpus == 8);
  CHECK(node.spec.gpus_max == 8);
  CHECK(node.spec.node.scale_up_interconnect == "nvlink4");
  CHECK(node.spec.node.scale_up.value == Approx(18 * 25e9));
  CHECK(node.spec.node.in_switch_reduction);
  CHECK(node.spec.node.nics == 4);
  CHECK(node.spec.node.nic_interconnect == "infiniband");
  CHECK(node.spec.node.nic.value == Approx(50e9));
  CHECK(node.spec.node.pcie.value == Approx(63e9)); // 16 lanes of generation 5
  CHECK(node.value("node", "nic_gbit_per_s").origin == ValueOrigin::read);
  CHECK_FALSE(node.remarks("evenly"));
}

TEST_CASE("the kind of GPU follows its PCI device number, its links, or --gpu") {
  const std::string with_device =
      "<pci busid=\"0000:01:00.0\" class=\"0x030200\" vendor=\"0x10de\" device=\"0x2335\" " + gen5 +
      "><gpu dev=\"0\" sm=\"90\">" + to_switch + "</gpu></pci>";
  const Imported told = import_xml(system_of(cpu(with_device)));
  CHECK(told.spec.gpu.kind == "h200-sxm");
  CHECK(told.value("gpu", "kind").origin == ValueOrigin::derived);
  const Imported eight =
      import_xml(system_of(cpu(gpus(1, 2, "<nvlink target=\"fffffff:ff:ff.0\" count=\"8\"/>"))));
  CHECK(eight.spec.gpu.kind == "h800-sxm");
  CHECK_FALSE(eight.spec.node.in_switch_reduction);
  const Imported named = import_xml(system_of(cpu(gpus(1, 2))), "b200-sxm");
  CHECK(named.spec.gpu.kind == "b200-sxm");
  CHECK(named.remarks("compute capability 9.0, b200-sxm has 10.0"));
}

TEST_CASE("hosts of one NVLink domain are its nodes, though their PCI addresses repeat") {
  const auto tray = [](const std::string& host) {
    return cpu(gpus(1, 4) + nic(0x81, 400000), "numaid=\"0\" host_hash=\"" + host + "\"");
  };
  const Imported rack = import_xml(system_of(tray("0xA_") + tray("0xB_")));
  CHECK(rack.spec.node.gpus == 4);
  CHECK(rack.spec.node.scale_up_gpus == 8);
  CHECK(rack.spec.gpus_max == 8);
  CHECK(rack.spec.node.nics == 1);
  CHECK_THAT(refusal(system_of(tray("0xA_") + cpu(gpus(1, 3), "host_hash=\"0xB_\""))),
             Catch::Contains("this GPU's host has 3 GPUs, the first host has 4"));
}

TEST_CASE("ports of one NIC add up, a port that is listed twice does not") {
  const auto port = [](const std::string& name, int number, const std::string& guid) {
    return fmt::format("<net name=\"{}\" speed=\"180000\" port=\"{}\" guid=\"{}\"/>", name, number,
                       guid);
  };
  const auto device = [](int bus, int function, const std::string& ports) {
    return fmt::format("<pci busid=\"0000:{:02x}:00.{}\" class=\"0x020000\" {}><nic>{}</nic></pci>",
                       bus, function, gen5, ports);
  };
  const std::string guid = "0x9a70500003ae6d94";
  const Imported two = import_xml(system_of(cpu(
      gpus(1, 2) + device(0x81, 0, port("a", 1, guid) + port("b", 2, guid) + port("c", 2, guid)))));
  CHECK(two.spec.node.nics == 1);
  CHECK(two.spec.node.nic.value == Approx(45e9));
  CHECK(two.value("node", "nic_gbit_per_s").origin == ValueOrigin::derived);
  CHECK(two.spec.node.nic_interconnect == "roce");
  // Blacked out: the device tells, whose functions are its ports.
  const std::string hidden = "0xREDACTED";
  const Imported apart = import_xml(system_of(cpu(
      gpus(1, 2) + device(0x81, 0, port("a", 1, hidden)) + device(0x81, 1, port("b", 2, hidden)) +
      device(0x82, 0, port("c", 1, hidden)) + device(0x82, 1, port("d", 2, hidden)))));
  CHECK(apart.spec.node.nics == 2);
  CHECK(apart.spec.node.nic.value == Approx(45e9));
}

TEST_CASE("NICs that GPUs cannot share evenly keep their speed together") {
  const Imported three = import_xml(
      system_of(cpu(gpus(1, 4) + nic(0x81, 400000) + nic(0x82, 400000) + nic(0x83, 400000))));
  CHECK(three.spec.node.nics == 2);
  CHECK(three.spec.node.nic.value == Approx(75e9));
  CHECK(three.remarks("3 NICs cannot be shared evenly by 4 GPUs"));
  const Imported aside =
      import_xml(system_of(cpu(gpus(1, 2) + nic(0x81, 400000)) + cpu(gpus(3, 2), "numaid=\"1\"")));
  CHECK(aside.remarks("do not sit evenly"));
}

TEST_CASE("interfaces for management, Wi-Fi and tunnels are not taken for the job's NICs") {
  const Imported node = import_xml(system_of(
      cpu(gpus(1, 2) + nic(0x81, 400000) + nic(0x82, 10000, "0x028000") +
          "<nic><net name=\"tailscale0\" dev=\"1\" speed=\"10000\" guid=\"0x1\"/></nic>")));
  CHECK(node.spec.node.nics == 1);
  CHECK(node.spec.node.nic.value == Approx(50e9));
  CHECK(node.remarks("network interfaces without a PCI device: 1"));
  CHECK(node.remarks("less than half the speed of the fastest: 1"));
  const Imported alone = import_xml(system_of(
      cpu(gpus(1, 2) + "<nic><net name=\"eth0\" dev=\"0\" speed=\"-1\" guid=\"0x0\"/></nic>")));
  CHECK(alone.spec.node.nics == 1);
  CHECK(alone.spec.node.nic.value == Approx(1.25e9)); // NCCL's 10 Gbit/s for a speed unknown
}

TEST_CASE("a GPU without NVLink among others is a warning that names it") {
  const Imported node = import_xml(system_of(cpu(gpu(1, "") + gpus(2, 3))));
  CHECK(node.spec.node.gpus == 4);
  CHECK(node.spec.node.scale_up.value == Approx(450e9));
  CHECK(node.spec.node.in_switch_reduction);
  CHECK(node.remarks("warning: no NVLink on 0000:01:00.0, though other GPUs have 18"));
}

TEST_CASE("GPUs without NVLink, in pairs, or linked to themselves meet over PCIe") {
  const Imported plain = import_xml(system_of(cpu(gpus(1, 2, ""))));
  CHECK(plain.spec.node.scale_up_interconnect == "pcie");
  CHECK(plain.spec.node.scale_up.value == Approx(63e9));
  CHECK(plain.remarks("warning: the file shows no NVLink"));
  const auto peer = [](int number) {
    return fmt::format("<nvlink target=\"0000:{:02x}:00.0\" count=\"12\" tclass=\"0x030200\"/>",
                       number);
  };
  const Imported pairs = import_xml(
      system_of(cpu(gpu(1, peer(2)) + gpu(2, peer(1)) + gpu(3, peer(4)) + gpu(4, peer(3)))));
  CHECK(pairs.spec.node.scale_up_interconnect == "pcie");
  CHECK(pairs.spec.gpus_max == 4);
  CHECK(pairs.remarks("join groups of GPUs"));
  const Imported ring = import_xml(
      system_of(cpu(gpu(1, peer(2)) + gpu(2, peer(3)) + gpu(3, peer(4)) + gpu(4, peer(1)))));
  CHECK(ring.spec.node.scale_up_interconnect == "nvlink4");
  CHECK_FALSE(ring.spec.node.in_switch_reduction);
  const Imported self = import_xml(system_of(cpu(gpu(1, peer(1)) + gpu(2, peer(2)))));
  CHECK(self.spec.node.scale_up_interconnect == "pcie");
  CHECK(self.remarks("to itself are left out: 0000:01:00.0, 0000:02:00.0"));
}

TEST_CASE("the PCIe rate is that of the path to the nearest NIC") {
  const auto rate = [](const std::string& link, const std::string& bridge) {
    return import_xml(system_of(cpu("<pci busid=\"ffff:ff:01.0\" class=\"0x060400\" " + bridge +
                                    ">" + gpu(1, to_switch, link) + "</pci>" + nic(0x81, 400000))))
        .spec.node.pcie.value;
  };
  CHECK(rate(gen5, "link_speed=\"16 GT/s\" link_width=\"16\"") == Approx(31.5e9));
  CHECK(rate("link_speed=\"32 GT/s PCIe/s\" link_width=\"8\"", gen5) == Approx(31.5e9));
  CHECK(rate("link_speed=\"\" link_width=\"0\"", gen5) == Approx(15.75e9)); // a virtual bus
  CHECK(rate(gen5, "link_speed=\"16 GT/s\" link_width=\"1\"") == Approx(63e9));
  // A NIC on the GPU's own address leaves the GPU's link.
  const std::string one_card = gpu(1, to_switch);
  const std::string port = "<nic><net name=\"a\" speed=\"400000\" guid=\"0xabcd\"/></nic></pci>";
  CHECK(import_xml(system_of(cpu(one_card.substr(0, one_card.rfind("</pci>")) + port)))
            .spec.node.pcie.value == Approx(63e9));
  // The bridge is above both, so that no traffic between them crosses it.
  const Imported below = import_xml(system_of(cpu(
      "<pci busid=\"ffff:ff:01.0\" class=\"0x060400\" link_speed=\"5 GT/s\" link_width=\"16\">" +
      gpu(1, to_switch) + nic(0x81, 400000) + "</pci>")));
  CHECK(below.spec.node.pcie.value == Approx(63e9));
}

TEST_CASE("a hint holds the PCI tree alone: the rest is assumed and says so") {
  const auto device = [](int number, const char* type, const char* speed) {
    return fmt::format("<pci busid=\"{:04x}:00:00.0\" class=\"{}\" link_speed=\"{}\" "
                       "link_width=\"16\"/>\n",
                       number, type, speed);
  };
  const auto hint = [&](const char* speed) {
    return system_of(cpu(device(1, "0x030200", speed) + device(2, "0x030200", speed) +
                         device(3, "0x020700", speed) + device(4, "0x020700", speed)));
  };
  const Imported hopper = import_xml(hint("32.0 GT/s PCIe"));
  CHECK(hopper.spec.gpu.kind == "h100-sxm");
  CHECK(hopper.spec.node.gpus == 2);
  CHECK(hopper.spec.node.nics == 2);
  CHECK(hopper.spec.node.nic.value == Approx(50e9));
  for (const char* key : {"scale_up", "scale_up_gbyte_per_s", "nic_gbit_per_s"})
    CHECK(hopper.value("node", key).origin == ValueOrigin::assumed);
  CHECK(hopper.value("gpu", "kind").origin == ValueOrigin::assumed);
  CHECK(hopper.remarks("the file is a hint"));
  CHECK(import_xml(hint("16 GT/s")).spec.gpu.kind == "a100-sxm");
  CHECK(import_xml(hint("16 GT/s")).spec.node.nic.value == Approx(25e9));
  CHECK(import_xml(hint("16 GT/s"), "l40s").spec.node.scale_up_interconnect == "pcie");
}

TEST_CASE("AMD GPUs need --gpu, and keep their own links") {
  const auto amd = [](int number, int peer) {
    return fmt::format("<pci busid=\"0000:{:02x}:00.0\" class=\"0x038000\" {}><gpu dev=\"0\" "
                       "sm=\"104\" gcn=\"910\"><xgmi target=\"0000:{:02x}:00.0\" count=\"3\"/>"
                       "</gpu></pci>",
                       number, gen5, peer);
  };
  const std::string pair = system_of(cpu(amd(1, 2) + amd(2, 1)));
  CHECK_THAT(refusal(pair), Catch::Contains("t.xml:3:1: error: this is an AMD GPU"));
  const Imported node = import_xml(pair, "h100-sxm");
  CHECK(node.spec.node.scale_up.value == Approx(3 * 36e9));
  CHECK(node.value("node", "scale_up").origin == ValueOrigin::assumed);
  CHECK(node.remarks("AMD's: costs and network curves of h100-sxm stand in"));
}

TEST_CASE("what is not a topology is refused with the place and the reason") {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"<graphs version=\"1\"/>", "t.xml:1:1: error: <graphs> are the rings and trees"},
      {"<platform/>", "t.xml:1:1: error: <platform> is not an NCCL topology"},
      {"{\"a\": 1}", "error: not XML"},
      {system_of(""), "t.xml:1:1: error: no PCI device has a class"},
      {system_of(cpu("<pci busid=\"0000:15:00.0\"/>")), "no PCI device has a class"},
      {system_of(cpu(nic(0x81, 400000))), "there is no GPU in this topology"},
      {system_of(cpu("<pci class=\"0x030200\"/>")), "3:1: error: <pci> has no attribute \"busid\""},
      {system_of(cpu("<pci busid=\"a&#10;b\"/>")), "busid is not a PCI address"},
      {system_of(cpu(gpus(1, 1, "<nvlink target=\"fffffff:ff:ff.0\" count=\"1.5\"/>"))),
       "count of <nvlink> must be a count"},
      {system_of(cpu("<pci busid=\"0000:01:00.0\" class=\"0x030200\"><gpu sm=\"135\"/></pci>")),
       "no GPU of compute capability 13.5 was measured"},
  };
  for (const auto& [text, message] : rows) {
    INFO(text);
    CHECK_THAT(refusal(text), Catch::Contains(message));
  }
  CHECK_THAT(refusal(system_of(cpu(gpus(1, 2))), "l40s"), Catch::Contains("l40s has none"));
  CHECK_THAT(refusal(system_of(cpu(gpus(1, 2))), "h100"),
             Catch::Contains("\"h100\" is not one of"));
}

TEST_CASE("every sample topology of NCCL reads back, or is refused with a reason") {
  const char* samples = std::getenv("MOESIM_SAMPLES");
  if (!samples) {
    std::cout << "MOESIM_SAMPLES is not set: no NCCL topologies were read\n";
    return;
  }
  std::map<std::string, TopologySpec> read;
  std::map<std::string, std::string> refused;
  for (const auto& entry : fs::directory_iterator(fs::path(samples) / "nccl_topo")) {
    try {
      read.emplace(entry.path().stem(), import_file(entry.path()).spec);
    } catch (const InputError& error) {
      refused.emplace(entry.path().stem(), error.message());
    }
  }
  CHECK(read.size() >= 9);
  for (const auto& [name, message] : refused)
    CHECK_FALSE(message.empty());
  CHECK_THAT(refused["azure-ncv4-graph"], Catch::Contains("<graphs>"));
  REQUIRE(read.count("oci-h100-dump") == 1);
  const NodeSpec& oci = read.at("oci-h100-dump").node;
  CHECK(oci.gpus == 8);
  CHECK(oci.scale_up.value == Approx(18 * 25e9));
  CHECK(oci.nics == 8); // of two ports of 180 Gbit/s
  CHECK(oci.nic.value == Approx(45e9));
  REQUIRE(read.count("gb300-1tray") == 1);
  CHECK(read.at("gb300-1tray").gpu.kind == "gb300");
  CHECK(read.at("gb300-1tray").node.gpus == 4);
  CHECK(read.at("gb300-1tray").node.scale_up.value == Approx(18 * 50e9));
}
