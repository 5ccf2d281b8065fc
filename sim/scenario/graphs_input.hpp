#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/workload/cuda_graphs.hpp"

#include <string>
#include <vector>

namespace moesim {

/// The scope of CUDA graphs that a key holds: "none", the name of a part, or a list of them.
/// Throws InputError for an unknown part.
CudaGraphs parse_scope(const TomlTable& table, const std::string& key);

/// The scopes that a search chooses from, sorted, each once. A list that holds "none" or lists
/// gives choices; any other value is one scope. Throws InputError likewise.
std::vector<CudaGraphs> parse_scopes(const TomlTable& table, const std::string& key);

} // namespace moesim
