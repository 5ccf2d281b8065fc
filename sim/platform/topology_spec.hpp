#pragma once

#include "sim/base/units.hpp"
#include "sim/input/toml_document.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace moesim {

/// One kind of GPU, from its datasheet.
struct GpuSpec {
  std::string kind; ///< names the folder of measured costs in `calibration/`
  Bytes memory;
  FlopsPerSecond bf16; ///< dense peak
  FlopsPerSecond fp8;  ///< dense peak; the bf16 peak where the hardware has no fp8
  BytesPerSecond memory_bandwidth;
};

/// One node: a scale-up domain of GPUs around one switch, with its NICs.
struct NodeSpec {
  std::int64_t gpus = 0;
  BytesPerSecond scale_up;  ///< of one GPU, one direction
  Seconds scale_up_latency; ///< GPU to switch; a path has two
  std::int64_t nics = 0;    ///< 0: a node that stands alone
  BytesPerSecond nic;       ///< of one NIC, one direction
  Seconds nic_latency;      ///< NIC to leaf switch; a path has two
  BytesPerSecond pcie;      ///< between one GPU and its NIC, one direction
};

enum class FabricKind {
  none,           ///< one node
  rail_optimised, ///< the i-th NIC of every node on the i-th leaf of its group; spines above
  leaf_spine      ///< all NICs of a node on one leaf; spines above
};

/// The network between nodes.
struct FabricSpec {
  FabricKind kind = FabricKind::none;
  std::int64_t nodes_per_leaf = 0; ///< nodes whose NICs share a leaf (of one rail)
  double oversubscription = 1.0;   ///< leaf: capacity down over capacity up
  Seconds switch_latency;          ///< leaf to spine; a path has two
};

/// A cluster as a topology file describes it.
struct TopologySpec {
  std::string name; ///< stem of the file
  GpuSpec gpu;
  NodeSpec node;
  FabricSpec fabric;
  std::int64_t gpus_max = 0; ///< the largest cluster that this fabric holds

  std::int64_t gpus_per_nic() const { return node.nics == 0 ? 0 : node.gpus / node.nics; }
};

/// Reads a topology file. Keys that `cluster` (a scenario's `[cluster]`) names as well take their
/// value from there: `scale_up_gpus` stands for the node's `gpus` and scales its NICs alike.
/// Throws InputError, for what is malformed, unknown, missing or contradictory.
TopologySpec read_topology(const std::filesystem::path& path, const TomlTable& cluster);

/// The same without a scenario.
TopologySpec read_topology(const std::filesystem::path& path);

} // namespace moesim
