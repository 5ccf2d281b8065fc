#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/workload/workload.hpp"

#include <filesystem>
#include <optional>
#include <string>

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
/// `scale_up_gpus`. Reads a recording, and trains no router. Throws InputError at a key of `table`
/// that the model contradicts, or with its place in the recording.
RoutingSpec resolve_routing(const RoutingInput& input, const TomlTable& table,
                            const Workload& workload, std::int64_t scale_up_gpus);

/// The key of `[routing]` that a plan contradicts.
struct RoutingFault {
  std::string key;
  std::string message;
  std::string hint;
};
/// The first rule of routing that a workload breaks under its plan: loads of the busiest experts,
/// the placement of experts. Nothing if it breaks none, or if the plan itself cannot run.
std::optional<RoutingFault> find_routing_fault(const Workload& workload);

} // namespace moesim
