#include "sim/platform/topology_input.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>
#include <vector>

using namespace moesim;

namespace {

const std::string rails = "gpus_max = 64\n"
                          "[gpu]\n"
                          "kind = \"h100-sxm\"\n"
                          "memory_gib = 80\n"
                          "bf16_tflops = 1000\n"
                          "fp8_tflops = 2000\n"
                          "memory_gbyte_per_s = 3000\n"
                          "sms = 132\n"
                          "[node]\n"
                          "gpus = 8\n"
                          "scale_up_gbyte_per_s = 450\n"
                          "scale_up_latency_us = 0.25\n"
                          "nics = 4\n"
                          "nic_gbit_per_s = 400\n"
                          "nic_latency_us = 0.5\n"
                          "pcie_gbyte_per_s = 60\n"
                          "scale_up = \"nvlink4\"\n"
                          "nic = \"infiniband\"\n"
                          "[fabric]\n"
                          "kind = \"rail-optimised\"\n"
                          "nodes_per_leaf = 4\n"
                          "oversubscription = 1.5\n"
                          "switch_latency_us = 0.2\n";

/// `rails` with `from` replaced; the caller names a part that is there.
std::string with(const std::string& from, const std::string& to) {
  std::string text = rails;
  return text.replace(text.find(from), from.size(), to);
}

/// Reads `text` as rails.toml under the keys of `cluster`; the folder is cut out of a message.
TopologySpec read(const std::string& text, const std::string& cluster) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.write("rails.toml", text);
  const TomlTable table = TomlDocument::parse(cluster, "s.toml").root();
  const TopologySpec spec = read_topology(file, table);
  table.finish();
  return spec;
}

std::string spec_message(const std::string& text, const std::string& cluster) {
  const TemporaryFolder folder;
  const std::string path = folder.path().string() + "/";
  try {
    const std::filesystem::path file = folder.write("rails.toml", text);
    const TomlTable table = TomlDocument::parse(cluster, "s.toml").root();
    read_topology(file, table);
    table.finish();
  } catch (const InputError& error) {
    std::string message = error.what();
    if (message.starts_with(path))
      message.erase(0, path.size());
    return message;
  }
  return "no error";
}

struct SpecRefusal {
  std::string rule;
  std::string text;
  std::string cluster;
  std::string message;
};

const std::vector<SpecRefusal> spec_refusals = {
    {"an unknown key", with("nics = 4", "nick = 4\nnics = 4"), "",
     "rails.toml:13:1: error: unknown key \"nick\" in [node]\n"
     "  nick = 4\n"
     "  ^\n"
     "  hint: did you mean \"nics\"?"},
    {"a missing key", with("memory_gib = 80\n", ""), "",
     "rails.toml:2:1: error: the key \"memory_gib\" is missing in [gpu]\n"
     "  [gpu]\n"
     "  ^"},
    {"a missing NIC speed", with("nic_gbit_per_s = 400\n", ""), "",
     "rails.toml:9:1: error: the key \"nic_gbit_per_s\" is missing in [node]\n"
     "  [node]\n"
     "  ^"},
    {"a missing table", with("[gpu]", "[gpus]"), "",
     "rails.toml: error: the table [gpu] is missing"},
    {"an unknown fabric", with("rail-optimised", "rail-optimized"), "",
     "rails.toml:20:8: error: \"rail-optimized\" is not one of none, rail-optimised, leaf-spine, "
     "multi-plane, dragonfly, torus, explicit\n"
     "  kind = \"rail-optimized\"\n"
     "         ^\n"
     "  hint: did you mean \"rail-optimised\"?"},
    {"no fabric, and more GPUs than a node has",
     with("kind = \"rail-optimised\"\nnodes_per_leaf = 4\noversubscription = 1.5\n"
          "switch_latency_us = 0.2\n",
          "kind = \"none\"\n"),
     "",
     "rails.toml:1:12: error: 64 GPUs do not fit into one scale-up domain of 8, and there "
     "is no fabric\n"
     "  gpus_max = 64\n"
     "             ^"},
    {"a key of a fabric that is not there",
     with("kind = \"rail-optimised\"\n", "kind = \"none\"\n"), "",
     "rails.toml:21:1: error: unknown key \"nodes_per_leaf\" in [fabric]\n"
     "  nodes_per_leaf = 4\n"
     "  ^"},
    {"a fabric without NICs",
     with("nics = 4\nnic_gbit_per_s = 400\nnic_latency_us = 0.5\npcie_gbyte_per_s = 60\n"
          "scale_up = \"nvlink4\"\nnic = \"infiniband\"\n",
          "nics = 0\nscale_up = \"nvlink4\"\n"),
     "",
     "rails.toml:16:8: error: a rail-optimised fabric needs NICs, but [node] nics is 0\n"
     "  kind = \"rail-optimised\"\n"
     "         ^"},
    {"NICs that GPUs cannot share evenly", with("nics = 4", "nics = 3"), "",
     "rails.toml:13:8: error: 8 GPUs cannot share 3 NICs evenly\n"
     "  nics = 3\n"
     "         ^"},
    {"a speed of zero", with("nic_gbit_per_s = 400", "nic_gbit_per_s = 0"), "",
     "rails.toml:14:18: error: nic_gbit_per_s must be between 1e-09 and 1000000000, not 0\n"
     "  nic_gbit_per_s = 0\n"
     "                   ^"},
    {"less capacity down than up", with("oversubscription = 1.5", "oversubscription = 0.5"), "",
     "rails.toml:22:20: error: oversubscription must be between 1 and 1000, not 0.5\n"
     "  oversubscription = 0.5\n"
     "                     ^"},
    {"an override out of range", rails, "nic_gbit_per_s = -1\n",
     "s.toml:1:18: error: nic_gbit_per_s must be between 1e-09 and 1000000000, not -1\n"
     "  nic_gbit_per_s = -1\n"
     "                   ^"},
    {"a node size that splits NICs", rails, "scale_up_gpus = 3\n",
     "s.toml:1:17: error: 3 GPUs cannot share NICs as 8 GPUs share 4\n"
     "  scale_up_gpus = 3\n"
     "                  ^"},
    {"an override of nothing", rails, "nick_gbit_per_s = 200\n",
     "s.toml:1:1: error: unknown key \"nick_gbit_per_s\"\n"
     "  nick_gbit_per_s = 200\n"
     "  ^\n"
     "  hint: did you mean \"nic_gbit_per_s\"?"},
};

} // namespace

TEST_CASE("a topology file is read into SI units") {
  const TopologySpec spec = read(rails, "");
  CHECK(spec.name == "rails");
  CHECK(spec.gpus_max == 64);
  CHECK(spec.gpu.kind == "h100-sxm");
  CHECK(spec.gpu.memory == Bytes{80LL << 30});
  CHECK(spec.gpu.bf16.value == Approx(1e15));
  CHECK(spec.gpu.fp8.value == Approx(2e15));
  CHECK(spec.gpu.memory_bandwidth.value == Approx(3e12));
  CHECK(spec.node.gpus == 8);
  CHECK(spec.node.scale_up.value == Approx(450e9));
  CHECK(spec.node.scale_up_latency.value == Approx(0.25e-6));
  CHECK(spec.node.nics == 4);
  CHECK(spec.gpus_per_nic() == 2);
  CHECK(spec.node.nic.value == Approx(50e9)); // 400 Gbit/s
  CHECK(spec.node.nic_latency.value == Approx(0.5e-6));
  CHECK(spec.node.pcie.value == Approx(60e9));
  CHECK(spec.fabric.kind == FabricKind::rail_optimised);
  CHECK(spec.fabric.nodes_per_leaf == 4);
  CHECK(spec.fabric.oversubscription == Approx(1.5));
  CHECK(spec.fabric.switch_latency.value == Approx(0.2e-6));
  CHECK(spec.node.host == "xeon");
}

TEST_CASE("a GPU without fp8 computes it at the peak of bf16") {
  CHECK(read(with("fp8_tflops = 2000\n", ""), "").gpu.fp8.value == Approx(1e15));
}

TEST_CASE("a peak of fp8 below that of bf16 is refused") {
  CHECK_THROWS_WITH(read(with("fp8_tflops = 2000\n", "fp8_tflops = 500\n"), ""),
                    Catch::Contains("fp8_tflops is below bf16_tflops") &&
                        Catch::Contains("leave it out for a GPU without fp8"));
}

TEST_CASE("a scenario's keys stand before those of the file") {
  const TopologySpec spec = read(rails, "nic_gbit_per_s = 800\noversubscription = 3\n"
                                        "nodes_per_leaf = 2\nmemory_gib = 96\ngpus_max = 128\n"
                                        "host = \"grace\"\n");
  CHECK(spec.node.nic.value == Approx(100e9));
  CHECK(spec.fabric.oversubscription == Approx(3.0));
  CHECK(spec.fabric.nodes_per_leaf == 2);
  CHECK(spec.gpu.memory == Bytes{96LL << 30});
  CHECK(spec.gpus_max == 128);
  CHECK(spec.node.host == "grace");
}

TEST_CASE("scale_up_gpus joins whole nodes to a domain, or splits one") {
  const TopologySpec larger = read(rails, "scale_up_gpus = 32\n");
  CHECK(larger.node.scale_up_gpus == 32);
  CHECK(larger.node.gpus == 8);
  CHECK(larger.node.nics == 4);
  const TopologySpec smaller = read(rails, "scale_up_gpus = 2\n");
  CHECK(smaller.node.scale_up_gpus == 2);
  CHECK(smaller.node.gpus == 2);
  CHECK(smaller.node.nics == 1);
}

TEST_CASE("what follows from a topology follows from an edited one as from an edited file") {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.write("rails.toml", rails);
  const TopologyInput input = parse_topology(file, TomlDocument::parse("", "s.toml").root());
  TopologyInput edited = input;
  edited.scale_up_gpus = 2; // a node of 2 GPUs has 1 of the 4 NICs of 8
  TopologySpec spec = resolve_topology(edited);
  CHECK(spec.node.gpus == 2);
  CHECK(spec.node.scale_up_switch_gpus == 2);
  CHECK(spec.node.nics == 1);
  edited.written.node.gpus = 2; // now a node's own, with 2 NICs for each GPU
  spec = resolve_topology(edited);
  CHECK(spec.node.gpus == 2);
  CHECK(spec.node.nics == 2);
  CHECK(spec.node.nic == gbit_per_s(800.0));
  edited = input;
  edited.written.gpu.bf16 = tflops(500.0);
  CHECK(resolve_topology(edited).gpu.fp8 == tflops(2000.0)); // which the file says
  edited.fp8.reset();
  CHECK(resolve_topology(edited).gpu.fp8 == tflops(500.0));
}

TEST_CASE("a contradiction in an edited topology is told where its key is written") {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.write("rails.toml", rails);
  TopologyInput input = parse_topology(file, TomlDocument::parse("", "s.toml").root());
  input.written.node.nics = 3;
  CHECK_THROWS_WITH(resolve_topology(input),
                    Catch::Contains("rails.toml:13:8: error: 8 GPUs cannot "
                                    "share 3 NICs evenly"));
  input.written.node.nics = 0;
  CHECK_THROWS_WITH(resolve_topology(input), Catch::Contains("a rail-optimised fabric needs NICs"));
}

TEST_CASE("a node without NICs ignores a sweep over their speed") {
  const std::string alone =
      "gpus_max = 8\n[gpu]\nkind = \"h100-sxm\"\nmemory_gib = 80\n"
      "bf16_tflops = 1000\nmemory_gbyte_per_s = 3000\nsms = 132\n[node]\ngpus = 8\n"
      "scale_up = \"nvlink4\"\n"
      "scale_up_gbyte_per_s = 450\nscale_up_latency_us = 0.25\nnics = 0\n"
      "[fabric]\nkind = \"none\"\n";
  const TopologySpec spec = read(alone, "nic_gbit_per_s = 200\n");
  CHECK(spec.node.nics == 0);
  CHECK(spec.fabric.kind == FabricKind::none);
}

TEST_CASE("a malformed topology is refused with its place") {
  for (const SpecRefusal& row : spec_refusals) {
    INFO(row.rule);
    CHECK(spec_message(row.text, row.cluster) == row.message);
  }
}

TEST_CASE("every shipped topology reads") {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies")) {
    if (entry.path().extension() != ".toml")
      continue;
    INFO(entry.path());
    ++files;
    const TopologySpec spec = read_topology(entry.path());
    CHECK(spec.name == entry.path().stem());
    CHECK(spec.gpus_max >= spec.node.gpus);
    CHECK(spec.gpu.fp8 >= spec.gpu.bf16);
  }
  CHECK(files >= 4);
}
