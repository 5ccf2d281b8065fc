#pragma once

#include "sim/workload/model_spec.hpp"
#include "sim/workload/routing_spec.hpp"

#include <filesystem>

namespace moesim {

/// Reads a recording. A file, by the end of its name:
/// - `.csv`: layer_id, expert_id, count, as SGLang records it, or layer, expert, tokens;
///   other columns are of no concern; a missing count is 0, repeated rows (several ranks in one
///   file) add up;
/// - `.json`: a list of counts for each layer, as D2-MoE publishes it;
/// - `.jsonl`: the file of Megatron-LM's recorder on one rank that holds all experts.
/// A folder, by the names of its files; names of no format are ignored:
/// - `expert_distribution_rank<r>_*.csv`: SGLang, all files add up;
/// - `rank<r>.jsonl`: Megatron-LM, see read_megatron_load_trace;
/// - `*layer<NN>.txt`: ESFT, see read_token_trace.
/// Layers that the model does not have are ignored, as a cut model has fewer (but a recording of
/// Megatron-LM must have exactly the model's). Throws InputError, with the position, for any other
/// file, for an expert that the model does not have, and for an MoE layer without tokens.
LoadTrace read_load_trace(const std::filesystem::path& path, const ModelSpec& model);

} // namespace moesim
