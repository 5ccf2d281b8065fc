#include "sim/platform/topology_spec.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace moesim {

namespace {

constexpr Range<double> positive{1e-9, 1e9};
constexpr Range<double> not_negative{0.0, 1e9};
constexpr Range<std::int64_t> count{1, 1'000'000'000};

/// A topology table together with the scenario's table that may override its keys.
class Overridden {
public:
  Overridden(TomlTable file, const TomlTable& cluster)
      : file_(std::move(file)), cluster_(cluster) {}

  double number(const std::string& key, Range<double> range) const {
    const double from_file = file_.number(key, range);
    return cluster_.number_or(key, range, from_file);
  }
  double number_or(const std::string& key, Range<double> range, double otherwise) const {
    return cluster_.number_or(key, range, file_.number_or(key, range, otherwise));
  }
  std::int64_t integer(const std::string& key, Range<std::int64_t> range) const {
    const std::int64_t from_file = file_.integer(key, range);
    return cluster_.integer_or(key, range, from_file);
  }
  const TomlTable& file() const { return file_; }
  const TomlTable& cluster() const { return cluster_; }

private:
  TomlTable file_;
  const TomlTable& cluster_;
};

GpuSpec read_gpu(const Overridden& table) {
  GpuSpec gpu;
  gpu.kind = table.file().text("kind");
  gpu.memory = Bytes{std::llround(table.number("memory_gib", positive) * 1024.0 * 1024.0 * 1024.0)};
  gpu.bf16 = tflops(table.number("bf16_tflops", positive));
  gpu.fp8 = tflops(table.number_or("fp8_tflops", positive, gpu.bf16.value * 1e-12));
  gpu.memory_bandwidth = gbyte_per_s(table.number("memory_gbyte_per_s", positive));
  table.file().text_or("source", "");
  table.file().finish();
  return gpu;
}

/// NICs of a node whose GPU count a scenario changed: the same share of a NIC for every GPU.
std::int64_t scaled_nics(const TomlTable& cluster, std::int64_t nics, std::int64_t from,
                         std::int64_t to) {
  if (nics * to % from != 0)
    cluster.fail("scale_up_gpus",
                 fmt::format("{} GPUs cannot share NICs as {} GPUs share {}", to, from, nics));
  return nics * to / from;
}

NodeSpec read_node(const Overridden& table) {
  NodeSpec node;
  const TomlTable& file = table.file();
  node.gpus = file.integer("gpus", count);
  node.scale_up = gbyte_per_s(table.number("scale_up_gbyte_per_s", positive));
  node.scale_up_latency = microseconds(table.number("scale_up_latency_us", not_negative));
  node.nics = table.integer("nics", {0, 1'000'000});
  if (table.cluster().has("scale_up_gpus")) {
    const std::int64_t gpus = table.cluster().integer("scale_up_gpus", count);
    node.nics = scaled_nics(table.cluster(), node.nics, node.gpus, gpus);
    node.gpus = gpus;
  }
  if (node.nics > 0) {
    if (node.gpus % node.nics != 0)
      file.fail("nics", fmt::format("{} GPUs cannot share {} NICs evenly", node.gpus, node.nics));
    node.nic = gbit_per_s(table.number("nic_gbit_per_s", positive));
    node.nic_latency = microseconds(table.number("nic_latency_us", not_negative));
    node.pcie = gbyte_per_s(table.number("pcie_gbyte_per_s", positive));
  } else {
    // A sweep over NIC speeds may include a topology that has no NICs: the key then changes
    // nothing.
    table.cluster().number_or("nic_gbit_per_s", positive, 0.0);
  }
  file.text_or("source", "");
  file.finish();
  return node;
}

FabricSpec read_fabric(const Overridden& table, const NodeSpec& node) {
  FabricSpec fabric;
  const TomlTable& file = table.file();
  const std::string kind = file.choice("kind", {"none", "rail-optimised", "leaf-spine"});
  file.text_or("source", "");
  if (kind == "none") {
    file.finish();
    return fabric;
  }
  if (node.nics == 0)
    file.fail("kind", fmt::format("a {} fabric needs NICs, but [node] nics is 0", kind));
  fabric.kind = kind == "leaf-spine" ? FabricKind::leaf_spine : FabricKind::rail_optimised;
  fabric.nodes_per_leaf = table.integer("nodes_per_leaf", count);
  fabric.oversubscription = table.number("oversubscription", {1.0, 1000.0});
  fabric.switch_latency = microseconds(table.number("switch_latency_us", not_negative));
  file.finish();
  return fabric;
}

} // namespace

TopologySpec read_topology(const std::filesystem::path& path, const TomlTable& cluster) {
  const TomlDocument document = TomlDocument::read(path);
  const TomlTable root = document.root();
  TopologySpec topology;
  topology.name = path.stem().string();
  root.text_or("source", "");
  topology.gpu = read_gpu({root.table("gpu"), cluster});
  topology.node = read_node({root.table("node"), cluster});
  topology.fabric = read_fabric({root.table("fabric"), cluster}, topology.node);
  topology.gpus_max = Overridden(root, cluster).integer("gpus_max", count);
  if (topology.fabric.kind == FabricKind::none && topology.gpus_max > topology.node.gpus)
    root.fail("gpus_max",
              fmt::format("{} GPUs do not fit into one node of {}, and there is no fabric",
                          topology.gpus_max, topology.node.gpus));
  root.finish();
  return topology;
}

TopologySpec read_topology(const std::filesystem::path& path) {
  return read_topology(path, TomlDocument::parse("", "no scenario").root());
}

} // namespace moesim
