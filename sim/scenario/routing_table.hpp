#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/workload/workload.hpp"

#include <filesystem>
#include <vector>

namespace moesim {

/// Reads `[routing]` for a workload whose model and plan are known; paths are relative to `folder`,
/// and what is read is added to `inputs`. Throws InputError with its place.
RoutingSpec read_routing_table(const TomlTable& table, const std::filesystem::path& folder,
                               const Workload& workload,
                               std::vector<std::filesystem::path>& inputs);

} // namespace moesim
