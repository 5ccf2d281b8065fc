#pragma once

#include "sim/workload/model_spec.hpp"
#include "sim/workload/routing_spec.hpp"

#include <filesystem>

namespace moesim {

/// Reads a recording. A file, by the end of its name:
/// - `.csv`: layer_id, expert_id, count, as SGLang records it; what is not there is 0, repeated
///   rows (several ranks in one file) add up;
/// - `.json`: a list of counts for each layer, as D2-MoE publishes it;
/// - `.jsonl`: what Megatron-LM's recorder writes on one rank that holds all experts.
/// A folder, by the names in it, of which those of no format are left alone:
/// - `expert_distribution_rank<r>_*.csv`: of SGLang, all files add up;
/// - `rank<r>.jsonl`: of Megatron-LM, see read_megatron_load_trace;
/// - `*layer<NN>.txt`: of ESFT, see read_token_trace.
/// Layers that the model does not have are left out, as a cut model has fewer (but a recording of
/// Megatron-LM must have exactly the model's). Throws InputError with its place for what is none of
/// these, for an expert that the model does not have, and for an MoE layer without tokens.
LoadTrace read_load_trace(const std::filesystem::path& path, const ModelSpec& model);

} // namespace moesim
