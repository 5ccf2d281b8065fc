#pragma once

#include "sim/workload/model_spec.hpp"
#include "sim/workload/routing_spec.hpp"

#include <cstdint>
#include <filesystem>
#include <map>

namespace moesim {

/// Joins what Megatron-LM's recorder (`--save-tokens-per-expert-interval`) wrote on each rank: a
/// JSON object a line, {iter, block, layer, tpe: for each micro-batch the tokens that each expert
/// of the rank received}. As many ranks in a row as hold all experts of the model together are one
/// expert-parallel group, and one row of the trace; further groups are replicas of it. That is
/// Megatron's order of ranks without tensor parallelism of experts. Rows come by iteration, then
/// micro-batch, then replica. Blocks of multi-token prediction are left out.
///
/// The recorder counts layers from 0 in each pipeline stage and does not say which stage: so the
/// recorded layers must be exactly the MoE layers of the model, dense layers counted, which only a
/// run without a pipeline has. Under fp8 the recorded counts may be rounded up to the padding.
///
/// `ranks`: files by rank. Throws InputError with its place for what is no such recording, for
/// ranks that are missing or differ in iterations, layers, micro-batches or experts, for experts
/// that do not make up the model's, and for a micro-batch without tokens.
LoadTrace read_megatron_load_trace(const std::map<std::int64_t, std::filesystem::path>& ranks,
                                   const ModelSpec& model);

} // namespace moesim
