#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/mixer_kernels.hpp"
#include "sim/schedule/unfused_attention.hpp"

#include <algorithm>

namespace moesim {

namespace {

/// The projections of attention on one rank.
class Projections {
public:
  Projections(const Workload& workload, const Sizes& sizes)
      : workload_(workload), s_(sizes), a_(workload.model.attention_of(sizes.layer)),
        heads_(heads_per_rank(a_.heads, sizes.tensor)),
        kv_heads_(heads_per_rank(a_.kv_heads, sizes.tensor)) {}

  std::vector<Kernel> before_scores() const;
  std::vector<Kernel> scores() const;
  std::vector<Kernel> after_scores() const;

private:
  Kernel projection(std::int64_t n, std::int64_t k) const {
    return token_gemm(KernelPart::attention, s_, n, k);
  }
  /// A kernel that recompute of the latent up-projections makes again.
  Kernel up(Kernel kernel) const {
    kernel.repeated = a_.kind == AttentionKind::latent &&
                      workload_.plan.recomputes(RecomputeModule::mla_projection);
    return kernel;
  }
  std::vector<Kernel> latent() const;
  std::vector<Kernel> grouped_query() const;
  AttentionShape shape(std::int64_t batch, std::int64_t sequence) const;

  const Workload& workload_;
  const Sizes& s_;
  const AttentionSpec& a_;
  std::int64_t heads_;
  std::int64_t kv_heads_;
};

std::vector<Kernel> Projections::latent() const {
  const std::int64_t nope = a_.head_dim - a_.rope_dim;
  std::vector<Kernel> kernels;
  if (a_.q_lora_rank > 0)
    kernels.push_back(projection(a_.q_lora_rank, s_.hidden));
  kernels.push_back(
      up(projection(heads_ * a_.head_dim, a_.q_lora_rank > 0 ? a_.q_lora_rank : s_.hidden)));
  kernels.push_back(projection(a_.kv_lora_rank + a_.rope_dim, s_.hidden));
  kernels.push_back(up(projection(heads_ * (nope + a_.value_dim), a_.kv_lora_rank)));
  return kernels;
}

std::vector<Kernel> Projections::grouped_query() const {
  const std::int64_t keys_and_values =
      kv_heads_ * (a_.head_dim + (a_.tied_values ? 0 : a_.value_dim));
  const std::int64_t gate = a_.output_gate ? heads_ * a_.value_dim : 0;
  if (a_.q_lora_rank == 0)
    return {projection(heads_ * a_.head_dim + keys_and_values + gate, s_.hidden)};
  return {projection(a_.q_lora_rank + keys_and_values + gate, s_.hidden),
          projection(heads_ * a_.head_dim, a_.q_lora_rank)};
}

std::vector<Kernel> Projections::before_scores() const {
  std::vector<Kernel> kernels{layer_norm(workload_, KernelPart::attention, s_)};
  for (const Kernel& kernel : a_.kind == AttentionKind::latent ? latent() : grouped_query())
    kernels.push_back(kernel);
  const std::int64_t queries_and_keys = s_.tokens * (heads_ + kv_heads_) * a_.head_dim;
  if (a_.qk_norm || a_.wide_qk_norm)
    kernels.push_back(touch(KernelPart::attention, 2 * queries_and_keys));
  // Rotary embedding reads and writes queries and keys.
  kernels.push_back(up(touch(KernelPart::attention, 2 * queries_and_keys)));
  if (a_.index_heads > 0)
    for (const Kernel& kernel : indexer_kernels(workload_, s_))
      kernels.push_back(kernel);
  return kernels;
}

AttentionShape Projections::shape(std::int64_t batch, std::int64_t sequence) const {
  if (a_.index_heads > 0) // every query head reads the same latents (arXiv 2512.02556, section 2.1)
    return {batch,           sequence, heads_, 1,           a_.kv_lora_rank + a_.rope_dim,
            a_.kv_lora_rank, 1,        0,      a_.index_top};
  return {batch,
          sequence,
          heads_,
          kv_heads_,
          a_.head_dim,
          a_.value_dim,
          workload_.plan.context,
          s_.layer.window,
          0};
}

/// Chunks of a sequence are sequences of their own, and so is what is left of one.
std::vector<Kernel> Projections::scores() const {
  if (workload_.training.attention == AttentionKernels::unfused)
    return unfused_attention_kernels(workload_, s_);
  const std::int64_t batch = workload_.training.micro_batch;
  const std::int64_t sequence = workload_.training.sequence_length;
  const std::int64_t chunk = s_.layer.chunk;
  if (chunk == 0 || chunk >= sequence)
    return {attention_forward(shape(batch, sequence))};
  std::vector<Kernel> kernels{attention_forward(shape(batch * (sequence / chunk), chunk))};
  if (sequence % chunk > 0)
    kernels.push_back(attention_forward(shape(batch, sequence % chunk)));
  return kernels;
}

std::vector<Kernel> Projections::after_scores() const {
  std::vector<Kernel> kernels;
  if (a_.output_gate) // reads the output and its gate, and writes
    kernels.push_back(touch(KernelPart::attention, 3 * s_.tokens * heads_ * a_.value_dim));
  kernels.push_back(projection(s_.hidden, heads_ * a_.value_dim));
  kernels.push_back(residual(workload_, KernelPart::attention, s_));
  return kernels;
}

} // namespace

std::vector<Kernel> attention_kernels(const Workload& workload, const Sizes& s) {
  const AttentionSpec& a = workload.model.attention_of(s.layer);
  if (is_recurrent(a.kind))
    return mixer_kernels(workload, s);
  const Projections projections(workload, s);
  std::vector<Kernel> kernels = projections.before_scores();
  for (Kernel kernel : projections.scores()) {
    kernel.repeated = workload.plan.recomputes(RecomputeModule::core_attention);
    kernels.push_back(kernel);
  }
  for (const Kernel& kernel : projections.after_scores())
    kernels.push_back(kernel);
  return kernels;
}

} // namespace moesim
