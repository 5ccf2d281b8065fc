#include "sim/schedule/layer_segments.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/block_kernels.hpp"

#include <algorithm>
#include <optional>

namespace moesim {

namespace {

CollectiveWork tensor_collective(const std::string& name, Collective kind, const Sizes& s) {
  return {name, kind, GroupKind::tensor, Bytes{s.tokens * s.hidden * bf16_bytes}};
}

/// What gives a tensor-parallel block the whole micro-batch, and what adds up its partial results.
std::optional<CollectiveWork> token_gather(const std::string& block, const Workload& workload,
                                           const Sizes& s) {
  if (s.tensor == 1 || !workload.plan.sequence_parallel)
    return std::nullopt;
  return tensor_collective(block + ".TensorGather", Collective::all_gather, s);
}
std::optional<CollectiveWork> token_reduce(const std::string& block, const Workload& workload,
                                           const Sizes& s) {
  if (s.tensor == 1)
    return std::nullopt;
  return tensor_collective(
      block + ".TensorReduce",
      workload.plan.sequence_parallel ? Collective::reduce_scatter : Collective::all_reduce, s);
}

/// Keys and values of the whole sequence, which ranks of context parallelism pass round while they
/// attend to those that they have (ring attention, arXiv 2310.01889).
std::optional<CollectiveWork> context_gather(const std::string& block, const Workload& workload) {
  if (workload.plan.context == 1)
    return std::nullopt;
  const AttentionSpec& a = workload.model.attention;
  const std::int64_t kv_heads = std::max<std::int64_t>(1, a.kv_heads / workload.plan.tensor);
  const std::int64_t tokens = workload.training.micro_batch * workload.training.sequence_length;
  return CollectiveWork{block + ".ContextGather", Collective::all_gather, GroupKind::context,
                        Bytes{tokens * kv_heads * (a.head_dim + a.value_dim) * bf16_bytes}};
}

bool is_product(const Kernel& kernel) {
  return kernel.kind == KernelKind::gemm;
}

/// A block whose products are split over tensor parallelism: `gather`, kernels, `reduce`. Where
/// they overlap, the gathering runs beside the first product and the sum beside the last.
void add_tensor_block(Sequence& out, const std::string& name, const std::vector<Kernel>& kernels,
                      const std::optional<CollectiveWork>& gather,
                      const std::optional<CollectiveWork>& reduce, bool overlap) {
  if (!overlap || !gather || !reduce) {
    if (gather)
      out.collective(*gather);
    out.compute(name, kernels);
    if (reduce)
      out.collective(*reduce);
    return;
  }
  const auto first = std::find_if(kernels.begin(), kernels.end(), is_product);
  const auto last = std::find_if(kernels.rbegin(), kernels.rend(), is_product).base() - 1;
  INVARIANT(first < last, "{} has fewer than two products", name);
  if (first != kernels.begin())
    out.compute(name, {kernels.begin(), first});
  out.compute_apart({name, {*first}}, false);
  out.collective(*gather, true);
  if (first + 1 != last)
    out.compute(name, {first + 1, last});
  out.compute_apart({name, {*last}}, false);
  out.collective(*reduce, true);
  if (last + 1 != kernels.end())
    out.compute(name, {last + 1, kernels.end()});
}

/// Attention, with the ring of keys and values beside its scores.
void add_attention_block(Sequence& out, const std::string& layer, const Workload& workload,
                         const Sizes& s) {
  const std::vector<Kernel> kernels = attention_kernels(workload, s);
  const auto gather = token_gather(layer, workload, s);
  const auto reduce = token_reduce(layer, workload, s);
  const auto ring = context_gather(layer, workload);
  if (!ring) {
    add_tensor_block(out, layer + ".Attention", kernels, gather, reduce,
                     workload.communication.overlap_tensor);
    return;
  }
  const auto scores = std::find_if(kernels.begin(), kernels.end(), [](const Kernel& kernel) {
    return kernel.kind == KernelKind::attention_forward;
  });
  if (gather)
    out.collective(*gather);
  out.compute(layer + ".Attention", {kernels.begin(), scores});
  out.compute_apart({layer + ".Scores", {*scores}}, false);
  out.collective(*ring, true);
  out.compute(layer + ".Attention", {scores + 1, kernels.end()});
  if (reduce)
    out.collective(*reduce);
}

/// Tokens to their experts, or results and gradients the other way (`back`).
CollectiveWork expert_collective(const std::string& name, const Workload& workload,
                                 const std::shared_ptr<const ExpertLoad>& load, bool back,
                                 Precision precision) {
  const std::int64_t size = token_bytes(workload.model.hidden, precision);
  Sizes sizes;
  sizes.load = load;
  CollectiveWork work{name, Collective::all_to_all, GroupKind::expert,
                      Bytes{routed_tokens_per_rank(workload, sizes) * size}};
  work.back = back;
  work.expert_load = load;
  if (load && workload.communication.dispatcher != Dispatcher::all_gather)
    work.loads = back ? load->combine : load->dispatch;
  work.wait_for_ranks = workload.communication.wait_for_ranks;
  switch (workload.communication.dispatcher) {
  case Dispatcher::all_to_all:
    break;
  case Dispatcher::hierarchical:
    work.hierarchical = true;
    break;
  case Dispatcher::all_gather:
    work.kind = back ? Collective::reduce_scatter : Collective::all_gather;
    work.bytes = Bytes{tokens_per_rank(workload) * workload.plan.expert * size};
    break;
  case Dispatcher::node_limited:
    work.kind = back ? Collective::combine : Collective::dispatch;
    if (workload.communication.library == DispatchLibrary::hybridep)
      work.kind = back ? Collective::hybrid_combine : Collective::hybrid_dispatch;
    work.fan_out = fan_out_of(workload);
    if (workload.communication.host_posts)
      work.host_posts = HostPosts{workload.communication.library, tokens_per_rank(workload)};
    break;
  }
  return work;
}

} // namespace

std::int64_t token_bytes(std::int64_t hidden, Precision precision) {
  constexpr std::int64_t block = 128;
  constexpr std::int64_t scale_bytes = 4;
  return is_fp8(precision) ? hidden + (hidden + block - 1) / block * scale_bytes
                           : hidden * bf16_bytes;
}

CollectiveWork dispatch(const std::string& name, const Workload& workload,
                        const std::shared_ptr<const ExpertLoad>& load) {
  return expert_collective(name, workload, load, false, workload.communication.dispatch_precision);
}
CollectiveWork combine(const std::string& name, const Workload& workload,
                       const std::shared_ptr<const ExpertLoad>& load) {
  return expert_collective(name, workload, load, true, Precision::bf16);
}

namespace {

/// What ranks that share an expert by its width exchange: all tokens of the group before it, the
/// sum of their results after.
std::optional<CollectiveWork> expert_tensor_collective(const std::string& name,
                                                       const Workload& workload, const Sizes& s,
                                                       Collective kind) {
  if (workload.plan.expert_tensor == 1)
    return std::nullopt;
  return CollectiveWork{
      name, kind, GroupKind::expert_tensor,
      Bytes{expert_tokens_per_rank(workload, s) * workload.model.hidden * bf16_bytes}};
}

void add_moe_block(Sequence& out, const std::string& layer, const Workload& workload,
                   const Sizes& s) {
  const ExpertSpec& e = workload.model.experts;
  const bool spread = workload.plan.expert > 1;
  const bool shared_beside = spread && e.shared_hidden > 0 && s.tensor == 1 &&
                             workload.communication.overlap_shared_expert;
  // Beside another micro-batch shared experts follow the dispatch, of which they need nothing:
  // their computes hide the other's communication (DeepSeek-V3:
  // deepseek-ai/profile-data@449602428).
  const bool shared_behind =
      spread && e.shared_hidden > 0 && s.tensor == 1 && workload.plan.overlap_batches;
  const auto shared = [&] {
    return feed_forward_kernels(workload, s, KernelPart::shared_expert, e.shared_hidden / s.tensor);
  };
  out.compute(layer + ".Router", router_kernels(workload, s));
  if (e.shared_hidden > 0 && !shared_beside && !shared_behind)
    add_tensor_block(out, layer + ".SharedExpert", shared(), token_gather(layer, workload, s),
                     token_reduce(layer, workload, s), workload.communication.overlap_tensor);
  if (spread)
    out.collective(dispatch(layer + ".Dispatch", workload, s.load));
  if (shared_beside)
    out.compute_apart({layer + ".SharedExpert", shared(), dispatch("", workload, s.load)}, true);
  const auto gather =
      expert_tensor_collective(layer + ".ExpertTensorGather", workload, s, Collective::all_gather);
  const auto reduce = expert_tensor_collective(layer + ".ExpertTensorReduce", workload, s,
                                               Collective::reduce_scatter);
  if (gather)
    out.collective(*gather);
  if (shared_behind)
    out.compute(layer + ".SharedExpert", shared());
  if (shared_beside)
    out.compute_apart({layer + ".Expert", expert_kernels(workload, s)}, false);
  else
    out.compute(layer + ".Expert", expert_kernels(workload, s));
  if (reduce)
    out.collective(*reduce);
  if (spread)
    out.collective(combine(layer + ".Combine", workload, s.load));
  out.compute(layer + ".Unpermute", unpermute_kernels(workload, s));
}

} // namespace

void add_attention(Sequence& out, const std::string& layer, const LayerSpec& spec,
                   const Workload& workload, const Sizes& s) {
  for (std::int64_t block = 0; block < spec.attention_blocks; ++block)
    add_attention_block(out, layer, workload, s);
}

void add_feed_forward(Sequence& out, const std::string& layer, const LayerSpec& spec,
                      const Workload& workload, const Sizes& s) {
  if (spec.moe)
    add_moe_block(out, layer, workload, s);
  else
    add_tensor_block(out, layer + ".FeedForward", dense_kernels(workload, spec, s),
                     token_gather(layer, workload, s), token_reduce(layer, workload, s),
                     workload.communication.overlap_tensor);
}

void add_head(Sequence& out, const Workload& workload, const Sizes& s) {
  if (const auto gather = token_gather("Head", workload, s))
    out.collective(*gather);
  out.compute("Head", head_kernels(workload, s));
}

} // namespace moesim
