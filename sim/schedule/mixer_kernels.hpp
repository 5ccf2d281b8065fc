#pragma once

#include "sim/schedule/block_kernels.hpp"

#include <vector>

namespace moesim {

/// The forward kernels of a layer whose tokens are mixed by a recurrence, in chunks of tokens: one
/// projection, a short convolution or an activation, the scan, a norm with a gate, and the output's
/// projection (huggingface/transformers: models/qwen3_next/modular_qwen3_next.py, models/minimax,
/// models/nemotron_h, models/jamba). Mamba-1 has two small projections before its scan.
std::vector<Kernel> mixer_kernels(const Workload& workload, const Sizes& sizes);

/// Bytes that such a layer keeps for its backward pass beside its norm's: what the convolution
/// reads and writes, the gate, the scan's result and what the last projection reads. States are
/// made again.
Bytes mixer_kept(const Workload& workload, const Sizes& sizes);

/// The kernels of a lightning indexer: its projections, the scores of its few heads for every token
/// before a token, and the choice of the highest (deepseek-ai/DeepSeek-V3.2-Exp:
/// inference/model.py, Indexer). Scores
/// of all pairs are counted backward too.
std::vector<Kernel> indexer_kernels(const Workload& workload, const Sizes& sizes);

/// Bytes that the indexer keeps: its queries, its key, weights of heads, and the tokens chosen.
Bytes indexer_kept(const Workload& workload, const Sizes& sizes);

} // namespace moesim
