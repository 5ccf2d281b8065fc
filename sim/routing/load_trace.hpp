#pragma once

#include "sim/workload/model_spec.hpp"
#include "sim/workload/routing_spec.hpp"

#include <filesystem>

namespace moesim {

/// Reads a recording, by the end of its name:
/// - `.csv`: layer_id, expert_id, count, as SGLang records it; what is not there is 0, repeated
/// rows
///   (several ranks in one file) add up;
/// - `.json`: a list of counts for each layer, as D2-MoE publishes it.
/// Layers that the model does not have are left out, as a cut model has fewer. Throws InputError
/// with its place for what is neither, for an expert that the model does not have, and for an MoE
/// layer without tokens.
LoadTrace read_load_trace(const std::filesystem::path& path, const ModelSpec& model);

} // namespace moesim
