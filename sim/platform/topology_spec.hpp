#pragma once

#include "sim/base/units.hpp"
#include "sim/input/toml_document.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// One kind of GPU, from its datasheet.
struct GpuSpec {
  std::string kind; ///< name of the folder of measured costs in `calibration/`
  Bytes memory;
  FlopsPerSecond bf16; ///< dense peak
  FlopsPerSecond fp8;  ///< dense peak; the bf16 peak where the hardware has no fp8
  BytesPerSecond memory_bandwidth;
  std::int64_t sms = 0;          ///< streaming multiprocessors
  double board_power_w = 0.0;    ///< the most that it draws; 0: that of its row of gpus.csv
  InputLocation kind_place = {}; ///< of `kind`, for errors
};

/// One node: a host with its GPUs and NICs, and its part of a scale-up domain.
struct NodeSpec {
  std::int64_t gpus = 0;
  std::string scale_up_interconnect; ///< "nvlink4", "pcie", …: selects the measured curves
  std::int64_t scale_up_gpus = 0; ///< GPUs of one scale-up domain: those of one node or of several
  BytesPerSecond scale_up;        ///< capacity of one GPU, one direction
  Seconds scale_up_latency;       ///< GPU to switch; a path has two
  /// GPUs under one first-level scale-up switch; `scale_up_gpus` if there is one level.
  std::int64_t scale_up_switch_gpus = 0;
  double scale_up_oversubscription = 1.0; ///< first-level switch: capacity down over capacity up
  bool in_switch_reduction = false;       ///< the scale-up switch can sum (NVLink SHARP)
  std::int64_t nics = 0; ///< 0: a node without a network. Several ports of a GPU are one NIC.
  std::string nic_interconnect; ///< "infiniband", "roce", "efa"
  BytesPerSecond nic;           ///< capacity of one NIC, one direction
  Seconds nic_latency;          ///< NIC to leaf switch; a path has two
  BytesPerSecond pcie;          ///< between one GPU and its NIC, one direction
  std::string host = "xeon"; ///< row of `hosts.csv`: the processors, and the binding of processes
                             ///< to them
  InputLocation host_place = {}; ///< of `host`, for errors; of its table if it is left out

  /// Whether NICs connect to the PCIe switch that is the scale-up switch, not to a link of their
  /// GPU.
  bool nics_on_switch() const { return scale_up_interconnect == "pcie"; }
};

enum class FabricKind {
  none,           ///< one scale-up domain
  rail_optimised, ///< the i-th NIC of every node on the i-th leaf of its group; spines above
  leaf_spine,     ///< all NICs of a node on one leaf; spines above
  multi_plane,    ///< rail-optimised without links between rails: a spine for each plane
  dragonfly,      ///< groups of fully connected routers, groups fully connected
  torus,          ///< one node a router, routers in a ring along each of three dimensions
  explicit_graph  ///< from nodes.csv and links.csv
};

/// The names in topology files.
inline constexpr auto fabric_names =
    std::to_array<Named<FabricKind>>({{FabricKind::none, "none"},
                                      {FabricKind::rail_optimised, "rail-optimised"},
                                      {FabricKind::leaf_spine, "leaf-spine"},
                                      {FabricKind::multi_plane, "multi-plane"},
                                      {FabricKind::dragonfly, "dragonfly"},
                                      {FabricKind::torus, "torus"},
                                      {FabricKind::explicit_graph, "explicit"}});
static_assert(names_each(fabric_names));

/// The network between nodes.
struct FabricSpec {
  FabricKind kind = FabricKind::none;
  std::int64_t tiers = 2;            ///< tiers of switches: 2 or 3, for the tree fabrics
  std::int64_t nodes_per_leaf = 0;   ///< nodes whose NICs share a leaf (of one rail), or a router
  std::int64_t leaves_per_pod = 0;   ///< three tiers: leaves under one group of spines
  double oversubscription = 1.0;     ///< leaf: capacity down over capacity up
  double pod_oversubscription = 1.0; ///< spine: capacity down over capacity up, three tiers
  Seconds switch_latency;            ///< switch to switch; a path over a spine has two
  /// Concurrent flows of one NIC under hashed routing. 0: adaptive routing, which spreads flows
  /// evenly.
  std::int64_t ecmp_flows_per_nic = 0;
  std::int64_t routers_per_group = 0;              ///< dragonfly
  BytesPerSecond local_link;                       ///< dragonfly: between two routers of a group
  BytesPerSecond global_link;                      ///< dragonfly: between two groups
  std::array<std::int64_t, 3> dimensions{1, 1, 1}; ///< torus
  BytesPerSecond torus_link;                       ///< between neighbours, one direction
  std::filesystem::path nodes_file;                ///< explicit
  std::filesystem::path links_file;                ///< explicit
};

/// One `[[cluster.fault]]`: the device, link or rail that is down or slow, or the node that is
/// drained.
struct FaultSpec {
  enum class Part { link, nic, rail, network_switch, gpu, node };
  Part part = Part::link;
  std::string name;          ///< as `show topology --graphviz` prints it; empty for a rail
  std::int64_t rail = 0;     ///< index of the NIC in its node
  double capacity_share = 0; ///< remaining share of the capacity: 0 is down
  InputLocation where;
};

/// How the ranks of a plan sit on scale-up domains.
enum class GroupPlacement {
  whole, ///< no group straddles domains if it fits into one: GPUs of a domain may stay idle
  packed ///< ranks fill domains one after the other
};

/// The names in scenarios.
inline constexpr auto group_placement_names = std::to_array<Named<GroupPlacement>>(
    {{GroupPlacement::whole, "whole"}, {GroupPlacement::packed, "packed"}});
static_assert(names_each(group_placement_names));

/// A cluster as a topology file describes it, with what follows from the file's values
/// (resolve_topology). A change of a value goes to the TopologyInput, not here.
struct TopologySpec {
  std::string name; ///< stem of the file
  GroupPlacement placement = GroupPlacement::whole;
  GpuSpec gpu;
  NodeSpec node;
  FabricSpec fabric;
  std::int64_t gpus_max = 0; ///< the largest cluster that this fabric holds
  std::vector<FaultSpec> faults;

  std::int64_t gpus_per_nic() const { return node.nics == 0 ? 0 : node.gpus / node.nics; }
  /// GPUs under one leaf switch, or under the leaf switches of all rails.
  std::int64_t leaf_gpus() const;
  /// GPUs of a pod; those of a leaf if the fabric has no pods.
  std::int64_t pod_gpus() const;
  /// GPUs of each unit that a regular cluster repeats: node, scale-up switch and domain, leaf, pod.
  std::array<std::int64_t, 5> unit_gpus() const;
};

/// Reads a topology file under the keys of a scenario's `[cluster]` and resolves it
/// (topology_input.hpp). Throws InputError for malformed, unknown, missing or contradictory values.
TopologySpec read_topology(const std::filesystem::path& path, const TomlTable& cluster);

/// The same without a scenario.
TopologySpec read_topology(const std::filesystem::path& path);

} // namespace moesim
