#pragma once

#include "sim/workload/model_spec.hpp"
#include "sim/workload/routing_spec.hpp"

#include <cstdint>
#include <filesystem>
#include <map>

namespace moesim {

/// Joins the files that Megatron-LM's recorder (`--save-tokens-per-expert-interval`) wrote, one a
/// rank: a JSON object a line, {iter, block, layer, tpe: for each micro-batch the tokens that each
/// expert of the rank received}. Consecutive ranks that together hold all experts of the model once
/// are one expert-parallel group, and give one row of the trace; further groups are data-parallel.
/// This is Megatron's order of ranks without tensor parallelism of experts. Rows come by iteration,
/// then micro-batch, then group. Blocks of multi-token prediction are ignored.
///
/// The recorder counts layers from 0 in each pipeline stage and does not name the stage. The
/// recorded layers must therefore be exactly the MoE layers of the model (dense layers counted):
/// only a run without a pipeline has them. Under fp8 the recorded counts may be rounded up to the
/// padding.
///
/// `ranks`: files by rank. Throws InputError, with the position, for a file of another format, for
/// ranks that are missing or differ in iterations, layers, micro-batches or experts, for a number
/// of experts that does not fit the model, and for a micro-batch without tokens.
LoadTrace read_megatron_load_trace(const std::map<std::int64_t, std::filesystem::path>& ranks,
                                   const ModelSpec& model);

} // namespace moesim
