#pragma once

#include "sim/schedule/block_kernels.hpp"

#include <vector>

namespace moesim {

/// Number of scores of one rank's heads in one micro-batch: each query with each key of its
/// sequence.
std::int64_t attention_scores(const Workload& workload, std::int64_t heads);

/// The forward kernels from queries, keys and values to attention's output, where no kernel fuses
/// them, as Megatron-LM launched them before it had FlashAttention
/// (NVIDIA/Megatron-LM:megatron/fused_kernels/scaled_upper_triang_masked_softmax.h@9019bbf40;
/// VIA-Research/vTrain:src/model/gpt_modeling.py@f8dda8473). The products compute masked scores
/// too.
std::vector<Kernel> unfused_attention_kernels(const Workload& workload, const Sizes& sizes);

/// Bytes that the backward pass needs of the scores: probabilities, and with dropout its mask and
/// its result (5·a·s²·b with dropout: Korthikanti et al., arXiv 2205.05198, section 4.1).
Bytes kept_scores(const Workload& workload, std::int64_t heads);

} // namespace moesim
