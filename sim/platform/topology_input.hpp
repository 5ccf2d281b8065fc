#pragma once

#include "sim/platform/overridden.hpp"
#include "sim/platform/topology_spec.hpp"

#include <optional>

namespace moesim {

/// The values of a topology file, under the keys of `[cluster]` that override them. Values that
/// follow from others are not here: `resolve_topology` finds them.
struct TopologyInput {
  /// Values before they are resolved: a node's GPUs and NICs before a smaller scale-up domain
  /// splits the node, a NIC's rate before the ports of a GPU are merged. Sizes of an explicit graph
  /// are unset.
  TopologySpec written;
  std::optional<FlopsPerSecond> fp8;                ///< else the bf16 peak
  std::optional<std::int64_t> scale_up_gpus;        ///< else the GPUs of a node
  std::optional<std::int64_t> scale_up_switch_gpus; ///< else the GPUs of a scale-up domain
  /// The table of the file, for the positions of errors.
  TomlTable file;
  Overridden node;
  Overridden fabric;
};

/// Reads a topology file. Keys of `cluster` (a scenario's `[cluster]`) override the file's.
/// `[[cluster.fault]]` gives the faults. Throws InputError for malformed, unknown or missing
/// values.
TopologyInput parse_topology(const std::filesystem::path& path, const TomlTable& cluster);

/// The cluster that the input describes. A `scale_up_gpus` below a node's GPUs makes nodes of that
/// size, with their share of the NICs. Several NICs of a GPU become one. Sizes of an explicit graph
/// are counted in its files. Throws InputError if values contradict each other.
TopologySpec resolve_topology(const TopologyInput& input);

} // namespace moesim
