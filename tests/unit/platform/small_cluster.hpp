#pragma once

#include "sim/platform/topology.hpp"

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace moesim {

/// Nodes of `gpus` GPUs at 450 GB/s under one scale-up switch, with `nics` NICs of 50 GB/s behind
/// PCIe of 60 GB/s. Latencies: GPU to scale-up switch 0.25 us, NIC to switch 0.6 us, switch to
/// switch 0.5 us. Two nodes share a leaf, or a router.
inline TopologySpec small_cluster(FabricKind kind, std::int64_t gpus, std::int64_t nics) {
  TopologySpec spec;
  spec.gpus_max = 1024;
  spec.node.gpus = gpus;
  spec.node.scale_up_interconnect = "nvlink4";
  spec.node.scale_up_gpus = gpus;
  spec.node.scale_up_switch_gpus = gpus;
  spec.node.scale_up = gbyte_per_s(450);
  spec.node.scale_up_latency = microseconds(0.25);
  spec.node.nics = nics;
  spec.node.nic = gbyte_per_s(50);
  spec.node.nic_latency = microseconds(0.6);
  spec.node.pcie = gbyte_per_s(60);
  spec.fabric.kind = kind;
  spec.fabric.nodes_per_leaf = 2;
  spec.fabric.switch_latency = microseconds(0.5);
  return spec;
}

/// The names of the links of a route, in order.
inline std::vector<std::string> link_names(const Topology& topology, std::uint32_t source,
                                           std::uint32_t sink) {
  std::vector<std::string> names;
  for (const RouteHop& hop : topology.route(RankId(source), RankId(sink)))
    names.push_back(topology.link(hop.link).name);
  return names;
}

/// The share of each link of a route above the NICs, by name: for routes of several ways, whose
/// links have no one order.
inline std::map<std::string, double> switch_shares(const Topology& topology, std::uint32_t source,
                                                   std::uint32_t sink) {
  std::map<std::string, double> shares;
  for (const RouteHop& hop : topology.route(RankId(source), RankId(sink)))
    if (row_of(topology.link(hop.link).kind).level == LinkLevel::network)
      shares[topology.link(hop.link).name] += hop.share;
  return shares;
}

inline double latency_us(const Topology& topology, std::uint32_t source, std::uint32_t sink) {
  return topology.latency(topology.route(RankId(source), RankId(sink))).value * 1e6;
}

/// Throws if there is no link of that name.
inline double capacity_gbyte_per_s(const Topology& topology, const std::string& name) {
  for (std::uint32_t link = 0; link < topology.links(); ++link)
    if (topology.link(LinkId(link)).name == name)
      return topology.link(LinkId(link)).capacity.value * 1e-9;
  throw std::runtime_error("no link is named " + name);
}

using Names = std::vector<std::string>;
using Shares = std::map<std::string, double>;
using Cut = std::vector<std::pair<std::string, std::int64_t>>;

} // namespace moesim
