#include "sim/platform/topology_spec.hpp"

#include "sim/input/named_file.hpp"
#include "sim/platform/cluster_graph.hpp"
#include "sim/platform/topology_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// Splits a node with a smaller domain into nodes of the domain's size, and its NICs in proportion.
void split_node(const TomlTable& source, NodeSpec& node) {
  const std::int64_t to = node.scale_up_gpus;
  if (node.nics * to % node.gpus != 0)
    source.fail("scale_up_gpus", fmt::format("{} GPUs cannot share NICs as {} GPUs share {}", to,
                                             node.gpus, node.nics));
  node.nics = node.nics * to / node.gpus;
  node.gpus = to;
}

void resolve_scale_up(const TopologyInput& input, NodeSpec& node) {
  const Overridden& table = input.node;
  node.scale_up_gpus = input.scale_up_gpus.value_or(node.gpus);
  if (node.scale_up_gpus < node.gpus)
    split_node(table.source("scale_up_gpus"), node);
  else if (node.scale_up_gpus % node.gpus != 0)
    table.source("scale_up_gpus")
        .fail("scale_up_gpus", fmt::format("a scale-up domain of {} GPUs does not hold whole nodes "
                                           "of {}",
                                           node.scale_up_gpus, node.gpus));
  node.scale_up_switch_gpus =
      std::min(node.scale_up_gpus, input.scale_up_switch_gpus.value_or(node.scale_up_gpus));
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
}

/// Merges the NICs of a GPU into one: the collective libraries stripe every message over them.
void merge_ports(const TomlTable& source, NodeSpec& node) {
  if (node.nics % node.gpus != 0)
    source.fail("nics", fmt::format("{} NICs cannot serve {} GPUs evenly", node.nics, node.gpus));
  node.nic = node.nic * (static_cast<double>(node.nics) / static_cast<double>(node.gpus));
  node.nics = node.gpus;
}

void resolve_node(const TopologyInput& input, NodeSpec& node) {
  resolve_scale_up(input, node);
  const TomlTable& source = input.node.source("nics");
  if (node.nics > node.gpus)
    merge_ports(source, node);
  if (node.nics > 0 && node.gpus % node.nics != 0)
    source.fail("nics", fmt::format("{} GPUs cannot share {} NICs evenly", node.gpus, node.nics));
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

/// Takes the capacities of the node's links from the fastest link of each kind; measured
/// efficiencies refer to them.
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

TopologySpec resolve_topology(const TopologyInput& input) {
  TopologySpec topology = input.written;
  topology.gpu.fp8 = input.fp8.value_or(topology.gpu.bf16);
  if (topology.fabric.kind == FabricKind::explicit_graph)
    read_sizes(input.fabric.file(), topology);
  else
    resolve_node(input, topology.node);
  check_fabric(topology.fabric, topology.node, input.fabric);
  if (topology.fabric.kind == FabricKind::none && topology.gpus_max > topology.node.scale_up_gpus)
    input.file.fail("gpus_max",
                    fmt::format("{} GPUs do not fit into one scale-up domain of {}, and "
                                "there is no fabric",
                                topology.gpus_max, topology.node.scale_up_gpus));
  check_torus(input.file, topology);
  return topology;
}

std::int64_t TopologySpec::leaf_gpus() const {
  return node.gpus * std::max<std::int64_t>(1, fabric.nodes_per_leaf);
}

std::int64_t TopologySpec::pod_gpus() const {
  const std::int64_t rails = fabric.kind == FabricKind::rail_optimised ? node.nics : 1;
  return leaf_gpus() * std::max<std::int64_t>(1, fabric.leaves_per_pod / rails);
}

std::array<std::int64_t, 5> TopologySpec::unit_gpus() const {
  return {node.gpus, node.scale_up_switch_gpus, node.scale_up_gpus, leaf_gpus(), pod_gpus()};
}

TopologySpec read_topology(const std::filesystem::path& path, const TomlTable& cluster) {
  return resolve_topology(parse_topology(path, cluster));
}

TopologySpec read_topology(const std::filesystem::path& path) {
  return read_topology(path, TomlDocument::parse("", "no scenario").root());
}

} // namespace moesim
