#pragma once

#include "sim/workload/model_spec.hpp"
#include "sim/workload/routing_spec.hpp"

#include <cstdint>
#include <filesystem>
#include <map>

namespace moesim {

/// Counts a recording of every token's experts, as ESFT publishes it for DeepSeek-V2-Lite (arXiv
/// 2407.01906): a file for each MoE layer, a line for each sequence: the experts of each token,
/// joined by tabs, two tabs, and as many weights. Each sequence is a row of the trace.
///
/// `files`: by the layer's number in the model; those of other layers are not read. Throws
/// InputError with its place for an expert that the model does not have, for a token that names one
/// twice, for another number of experts a token than the model's, for as many weights as do not
/// fit, and for layers that do not have the same sequences.
LoadTrace read_token_trace(const std::map<std::int64_t, std::filesystem::path>& files,
                           const ModelSpec& model);

} // namespace moesim
