#include "sim/schedule/unfused_attention.hpp"

#include <algorithm>

namespace moesim {

namespace {

constexpr std::int64_t mask_bytes = 1;

Kernel moved(Bytes forward, Bytes backward) {
  Kernel kernel = memory_bound(KernelPart::attention, forward);
  kernel.gradient_bytes = backward;
  return kernel;
}

/// Scale, causal mask and softmax in one kernel. It reads the scores that the mask leaves, half of
/// them, and writes all probabilities. Backward it reads the same half of the probabilities and of
/// their gradients.
Kernel masked_softmax(std::int64_t scores) {
  return moved(Bytes{scores / 2 * bf16_bytes + scores * bf16_bytes},
               Bytes{2 * (scores / 2) * bf16_bytes + scores * bf16_bytes});
}

/// Dropout writes a mask, which its gradient reads.
Kernel dropout(std::int64_t values) {
  const Bytes bytes{values * (2 * bf16_bytes + mask_bytes)};
  return moved(bytes, bytes);
}

} // namespace

std::int64_t attention_scores(const Workload& workload, std::int64_t heads) {
  const std::int64_t length = workload.training.sequence_length;
  return workload.training.micro_batch * heads * length * length;
}

std::vector<Kernel> unfused_attention_kernels(const Workload& workload, const Sizes& s) {
  const AttentionSpec& a = workload.model.attention_of(s.layer);
  const std::int64_t heads = std::max<std::int64_t>(1, a.heads / s.tensor);
  const std::int64_t kv_heads = std::max<std::int64_t>(1, a.kv_heads / s.tensor);
  const std::int64_t length = workload.training.sequence_length;
  const std::int64_t batch = workload.training.micro_batch * heads;
  const std::int64_t scores = attention_scores(workload, heads);
  std::vector<Kernel> kernels;
  if (kv_heads < heads) { // a copy of keys and values for each query head; backward their sum
    const Bytes copied{s.tokens * (heads + kv_heads) * (a.head_dim + a.value_dim) * bf16_bytes};
    kernels.push_back(moved(copied, copied));
  }
  kernels.push_back(batched_gemm(KernelPart::attention, batch, length, length, a.head_dim));
  kernels.push_back(masked_softmax(scores));
  if (workload.training.attention_dropout > 0.0)
    kernels.push_back(dropout(scores));
  kernels.push_back(batched_gemm(KernelPart::attention, batch, length, a.value_dim, length));
  // Values by head become values by token. Gradients are read in place.
  kernels.push_back(moved(Bytes{2 * s.tokens * heads * a.value_dim * bf16_bytes}, Bytes{0}));
  kernels.back().gradient_launches = 0;
  for (std::size_t i = 1; i < kernels.size(); ++i) // one module of the framework
    kernels[i].same_call = true;
  return kernels;
}

Bytes kept_scores(const Workload& workload, std::int64_t heads) {
  const std::int64_t scores = attention_scores(workload, heads);
  const bool dropped = workload.training.attention_dropout > 0.0;
  return Bytes{scores * (dropped ? 2 * bf16_bytes + mask_bytes : bf16_bytes)};
}

} // namespace moesim
