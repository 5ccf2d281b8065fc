#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/workload/workload.hpp"

#include <filesystem>
#include <optional>

namespace moesim {

/// The values of `[routing]`; keys that are left out have their defaults.
struct RoutingInput {
  /// `scale_up_gpus` and the router's `coefficient` are not read. `trace` is set by callers that
  /// have no recording in a file.
  RoutingSpec written;
  std::optional<double> balancing_coefficient;    ///< of a trained router; else the published one
  std::optional<std::filesystem::path> recording; ///< of `LoadKind::trace`: a file or a folder
};

/// Reads `[routing]`; paths are relative to `folder`. Throws InputError, with the position.
RoutingInput parse_routing(const TomlTable& table, const std::filesystem::path& folder);

/// The routing of a workload whose model, plan and training are known, on scale-up domains of
/// `scale_up_gpus`. Reads a recording, but trains no router. Throws InputError at a key of `table`
/// that contradicts the model or the plan, or at a position in the recording.
RoutingSpec resolve_routing(const RoutingInput& input, const TomlTable& table,
                            const Workload& workload, std::int64_t scale_up_gpus);

} // namespace moesim
