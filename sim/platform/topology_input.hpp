#pragma once

#include "sim/platform/overridden.hpp"
#include "sim/platform/topology_spec.hpp"

#include <optional>

namespace moesim {

/// A cluster as a topology file and the keys of `[cluster]` that override it say it. Values that
/// follow from others are not here: `resolve_topology` finds them.
struct TopologyInput {
  /// Values as they are written: a node's GPUs and NICs before a smaller scale-up domain splits the
  /// node, a NIC's rate before the ports of a GPU are merged, sizes of an explicit graph not at
  /// all.
  TopologySpec written;
  std::optional<FlopsPerSecond> fp8;                ///< else the bf16 peak
  std::optional<std::int64_t> scale_up_gpus;        ///< else the GPUs of a node
  std::optional<std::int64_t> scale_up_switch_gpus; ///< else the GPUs of a scale-up domain
  /// Where it is written, for errors.
  TomlTable file;
  Overridden node;
  Overridden fabric;
};

/// Reads a topology file. Keys that `cluster` (a scenario's `[cluster]`) names as well take their
/// value from there. `[[cluster.fault]]` gives the faults. Throws InputError for what is malformed,
/// unknown or missing.
TopologyInput parse_topology(const std::filesystem::path& path, const TomlTable& cluster);

/// The cluster that it describes: a `scale_up_gpus` below a node's GPUs makes nodes of that size,
/// with their share of the NICs; several NICs of a GPU become one; sizes of an explicit graph are
/// counted in its files. Throws InputError where values contradict each other.
TopologySpec resolve_topology(const TopologyInput& input);

} // namespace moesim
