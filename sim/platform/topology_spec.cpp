#include "sim/platform/topology_spec.hpp"

#include "sim/input/named_file.hpp"
#include "sim/platform/cluster_graph.hpp"
#include "sim/platform/overridden.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace moesim {

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> scale_up_media = {"nvlink3", "nvlink4", "nvlink5", "nvlink6",
                                                 "pcie"};
const std::vector<std::string> nic_media = {"infiniband", "roce", "efa"};

GpuSpec read_gpu(const Overridden& table) {
  GpuSpec gpu;
  gpu.kind = table.file().text("kind");
  gpu.memory =
      Bytes{std::llround(table.number("memory_gib", positive_number) * 1024.0 * 1024.0 * 1024.0)};
  gpu.bf16 = tflops(table.number("bf16_tflops", positive_number));
  gpu.fp8 = tflops(table.number_or("fp8_tflops", positive_number, gpu.bf16.value * 1e-12));
  gpu.memory_bandwidth = gbyte_per_s(table.number("memory_gbyte_per_s", positive_number));
  gpu.sms = table.integer("sms", positive_count);
  table.file().text_or("source", "");
  table.file().finish();
  return gpu;
}

/// A domain smaller than a node splits the node; its NICs are shared out alike.
void split_node(const TomlTable& source, NodeSpec& node) {
  const std::int64_t to = node.scale_up_gpus;
  if (node.nics * to % node.gpus != 0)
    source.fail("scale_up_gpus", fmt::format("{} GPUs cannot share NICs as {} GPUs share {}", to,
                                             node.gpus, node.nics));
  node.nics = node.nics * to / node.gpus;
  node.gpus = to;
}

void read_scale_up(const Overridden& table, NodeSpec& node) {
  const TomlTable& file = table.file();
  node.scale_up_medium = file.choice("scale_up", scale_up_media);
  node.scale_up = gbyte_per_s(table.number("scale_up_gbyte_per_s", positive_number));
  node.scale_up_latency = microseconds(table.number("scale_up_latency_us", not_negative_number));
  node.scale_up_gpus = table.integer_or("scale_up_gpus", positive_count, node.gpus);
  if (node.scale_up_gpus < node.gpus)
    split_node(table.source("scale_up_gpus"), node);
  else if (node.scale_up_gpus % node.gpus != 0)
    table.source("scale_up_gpus")
        .fail("scale_up_gpus", fmt::format("a scale-up domain of {} GPUs does not hold whole nodes "
                                           "of {}",
                                           node.scale_up_gpus, node.gpus));
  node.scale_up_switch_gpus =
      std::min(node.scale_up_gpus,
               table.integer_or("scale_up_switch_gpus", positive_count, node.scale_up_gpus));
  if (node.scale_up_gpus % node.scale_up_switch_gpus != 0)
    table.source("scale_up_switch_gpus")
        .fail("scale_up_switch_gpus",
              fmt::format("does not divide the {} GPUs of a domain", node.scale_up_gpus));
  if (node.nics > 0 && node.nics_on_switch() && node.scale_up_switch_gpus % node.gpus != 0)
    table.source("scale_up_switch_gpus")
        .fail("scale_up_switch_gpus",
              fmt::format("a PCIe switch of {} GPUs does not hold whole nodes of {}",
                          node.scale_up_switch_gpus, node.gpus),
              fmt::format("the NICs of a node hang off its one switch; scale_up_gpus = {} makes "
                          "smaller nodes",
                          node.scale_up_switch_gpus));
  node.scale_up_oversubscription = table.number_or("scale_up_oversubscription", {1.0, 1000.0}, 1.0);
  node.in_switch_reduction = file.flag_or("in_switch_reduction", false);
}

/// Several NICs of a GPU work as one: the collective libraries stripe every message over them.
void merge_ports(const TomlTable& source, NodeSpec& node) {
  if (node.nics % node.gpus != 0)
    source.fail("nics", fmt::format("{} NICs cannot serve {} GPUs evenly", node.nics, node.gpus));
  node.nic = node.nic * (static_cast<double>(node.nics) / static_cast<double>(node.gpus));
  node.nics = node.gpus;
}

NodeSpec read_node(const Overridden& table) {
  NodeSpec node;
  const TomlTable& file = table.file();
  node.host = table.text_or("host", node.host);
  node.gpus = file.integer("gpus", positive_count);
  node.nics = table.integer("nics", {0, 1'000'000});
  read_scale_up(table, node);
  if (node.nics > 0) {
    node.nic_medium = file.choice("nic", nic_media);
    node.nic = gbit_per_s(table.number("nic_gbit_per_s", positive_number));
    node.nic_latency = microseconds(table.number("nic_latency_us", not_negative_number));
    node.pcie = gbyte_per_s(table.number("pcie_gbyte_per_s", positive_number));
    if (node.nics > node.gpus)
      merge_ports(table.source("nics"), node);
    if (node.gpus % node.nics != 0)
      table.source("nics").fail(
          "nics", fmt::format("{} GPUs cannot share {} NICs evenly", node.gpus, node.nics));
  } else {
    // A sweep over NIC speeds may include a topology that has no NICs: the key then changes
    // nothing.
    table.cluster().number_or("nic_gbit_per_s", positive_number, 0.0);
  }
  file.text_or("source", "");
  file.finish();
  return node;
}

/// The node of an explicit graph, whose sizes are in the graph.
NodeSpec read_media(const Overridden& table) {
  NodeSpec node;
  const TomlTable& file = table.file();
  node.host = table.text_or("host", node.host);
  node.scale_up_medium = file.choice("scale_up", scale_up_media);
  node.nic_medium = file.choice_or("nic", nic_media, "infiniband");
  node.in_switch_reduction = file.flag_or("in_switch_reduction", false);
  file.text_or("source", "");
  file.finish();
  return node;
}

/// Reads the files of an explicit graph. An error in one points at the key of `[fabric]` that names
/// it.
ClusterGraph read_graph(const TomlTable& fabric, const TopologySpec& topology) {
  try {
    return read_explicit_graph(topology);
  } catch (InputError& error) {
    const fs::path& nodes = topology.fabric.nodes_file;
    const bool in_nodes = error.where().file == nodes.string();
    point_at_name(fabric, in_nodes ? "nodes" : "links",
                  in_nodes ? nodes : topology.fabric.links_file, error);
    throw;
  }
}

/// The fastest links of a kind stand for the node's own; measured efficiencies refer to them.
void read_capacities(const ClusterGraph& cluster, NodeSpec& node) {
  std::map<std::int64_t, std::int64_t> nics;
  for (auto [edge, end] = boost::edges(cluster.graph); edge != end; ++edge) {
    const Link& link = cluster.graph[*edge];
    if (link.kind == LinkKind::scale_up_egress)
      node.scale_up = std::max(node.scale_up, link.capacity);
    if (link.kind == LinkKind::nic_egress) {
      node.nic = std::max(node.nic, link.capacity);
      ++nics[cluster.graph[boost::source(*edge, cluster.graph)].node];
    }
  }
  for (const auto& [host, count] : nics)
    node.nics = std::max(node.nics, std::min(count, node.gpus));
}

void read_sizes(const TomlTable& fabric, TopologySpec& topology) {
  const ClusterGraph cluster = read_graph(fabric, topology);
  std::map<std::int64_t, std::int64_t> of_domain;
  for (const ClusterGraph::Gpu& gpu : cluster.gpus) {
    topology.node.gpus = std::max(topology.node.gpus, gpu.local + 1);
    topology.node.scale_up_gpus = std::max(topology.node.scale_up_gpus, ++of_domain[gpu.domain]);
  }
  read_capacities(cluster, topology.node);
  topology.gpus_max = static_cast<std::int64_t>(cluster.gpus.size());
  if (topology.gpus_max == 0)
    fabric.fail("nodes", fmt::format("{}: there is no gpu among the nodes",
                                     topology.fabric.nodes_file.string()));
}

void check_torus(const TomlTable& root, const TopologySpec& topology) {
  const auto& sizes = topology.fabric.dimensions;
  const std::int64_t gpus = sizes[0] * sizes[1] * sizes[2] * topology.node.gpus;
  if (topology.fabric.kind == FabricKind::torus && topology.gpus_max > gpus)
    root.fail("gpus_max", fmt::format("{} GPUs are more than the {} of a torus of {} nodes",
                                      topology.gpus_max, gpus, gpus / topology.node.gpus));
}

} // namespace

TopologySpec read_topology(const std::filesystem::path& path, const TomlTable& cluster) {
  const TomlDocument document = TomlDocument::read(path);
  const TomlTable root = document.root();
  TopologySpec topology;
  topology.name = path.stem().string();
  root.text_or("source", "");
  topology.gpu = read_gpu({root.table("gpu"), cluster});
  const TomlTable fabric = root.table("fabric");
  const bool from_graph = fabric.text("kind") == "explicit";
  topology.node = from_graph ? read_media({root.table("node"), cluster})
                             : read_node({root.table("node"), cluster});
  topology.fabric = read_fabric({fabric, cluster}, topology.node, path.parent_path());
  if (from_graph)
    read_sizes(fabric, topology);
  else
    topology.gpus_max = Overridden(root, cluster).integer("gpus_max", positive_count);
  if (topology.fabric.kind == FabricKind::none && topology.gpus_max > topology.node.scale_up_gpus)
    root.fail("gpus_max", fmt::format("{} GPUs do not fit into one scale-up domain of {}, and "
                                      "there is no fabric",
                                      topology.gpus_max, topology.node.scale_up_gpus));
  check_torus(root, topology);
  topology.faults = read_faults(cluster);
  root.finish();
  return topology;
}

TopologySpec read_topology(const std::filesystem::path& path) {
  return read_topology(path, TomlDocument::parse("", "no scenario").root());
}

} // namespace moesim
