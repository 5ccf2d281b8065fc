#pragma once

#include "sim/workload/model_spec.hpp"
#include "sim/workload/routing_spec.hpp"

#include <cstdint>
#include <filesystem>
#include <map>

namespace moesim {

/// Counts a recording of every token's experts, as ESFT publishes it for DeepSeek-V2-Lite (arXiv
/// 2407.01906): a file for each MoE layer, a line for each sequence. A line holds the experts of
/// each token, two tabs, and a weight for each of them, all separated by tabs. Each sequence is a
/// row of the trace.
///
/// `files`: by the layer's number in the model; files of other layers are not read. Throws
/// InputError, with the position, for an expert that the model does not have, for a token that
/// names one twice, for a number of experts that is no multiple of the model's k, for a wrong
/// number of weights, and for layers that do not have the same sequences.
LoadTrace read_token_trace(const std::map<std::int64_t, std::filesystem::path>& files,
                           const ModelSpec& model);

} // namespace moesim
