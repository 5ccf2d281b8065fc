#include "sim/schedule/layer_segments.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/block_kernels.hpp"

#include <algorithm>
#include <optional>

namespace moesim {

namespace {

Label own(std::string_view block) {
  return Label::of(block, {LayerRef::Kind::own});
}

CollectiveWork tensor_collective(Collective kind, Role role, const Sizes& s) {
  return {.kind = kind,
          .group = GroupKind::tensor,
          .role = role,
          .bytes = Bytes{s.tokens * s.hidden * bf16_bytes}};
}

/// The collective that gathers the full micro-batch for a tensor-parallel block, and the one that
/// sums its partial results.
std::optional<CollectiveWork> token_gather(const Workload& workload, const Sizes& s) {
  if (s.tensor == 1 || !workload.plan.sequence_parallel)
    return std::nullopt;
  return tensor_collective(Collective::all_gather, Role::tensor_gather, s);
}
std::optional<CollectiveWork> token_reduce(const Workload& workload, const Sizes& s) {
  if (s.tensor == 1)
    return std::nullopt;
  return tensor_collective(workload.plan.sequence_parallel ? Collective::reduce_scatter
                                                           : Collective::all_reduce,
                           Role::tensor_reduce, s);
}

/// The keys and values of the full sequence, which ranks of context parallelism pass around a ring
/// while they attend to those already received (ring attention, arXiv 2310.01889).
std::optional<CollectiveWork> context_gather(const Workload& workload, const Sizes& s) {
  if (workload.plan.context == 1)
    return std::nullopt;
  const AttentionSpec& a = workload.model.attention_of(s.layer);
  const std::int64_t kv_heads = std::max<std::int64_t>(1, a.kv_heads / workload.plan.tensor);
  const std::int64_t tokens = workload.training.micro_batch * workload.training.sequence_length;
  return CollectiveWork{.kind = Collective::all_gather,
                        .group = GroupKind::context,
                        .role = Role::context_gather,
                        .bytes =
                            Bytes{tokens * kv_heads * (a.head_dim + a.value_dim) * bf16_bytes}};
}

bool is_gemm(const Kernel& kernel) {
  return kernel.kind == KernelKind::gemm;
}

/// Adds a block whose GEMMs are split over tensor parallelism: gather, kernels, reduce. With
/// overlap, the gather runs beside the first GEMM and the reduction beside the last.
void add_tensor_block(Sequence& out, std::string_view block, const KernelList& kernels,
                      const Workload& workload, const Sizes& s) {
  const auto gather = token_gather(workload, s);
  const auto reduce = token_reduce(workload, s);
  const Label label = own(block);
  if (!workload.communication.overlap_tensor || !gather || !reduce) {
    if (gather)
      out.collective(own("TensorGather"), *gather);
    out.compute(label, kernels);
    if (reduce)
      out.collective(own("TensorReduce"), *reduce);
    return;
  }
  const auto first = std::find_if(kernels.begin(), kernels.end(), is_gemm);
  const auto last = std::find_if(kernels.rbegin(), kernels.rend(), is_gemm).base() - 1;
  INVARIANT(first < last, "{} has fewer than two GEMMs", block);
  if (first != kernels.begin())
    out.compute(label, KernelList{kernels.begin(), first});
  out.compute_alone(label, {*first});
  out.collective(own("TensorGather"), *gather, true);
  if (first + 1 != last)
    out.compute(label, KernelList{first + 1, last});
  out.compute_alone(label, {*last});
  out.collective(own("TensorReduce"), *reduce, true);
  if (last + 1 != kernels.end())
    out.compute(label, KernelList{last + 1, kernels.end()});
}

/// Adds attention, with the ring of keys and values beside its scores.
void add_attention_block(Sequence& out, const Workload& workload, const Sizes& s) {
  const KernelList kernels = attention_kernels(workload, s);
  const auto ring = context_gather(workload, s);
  if (!ring) {
    add_tensor_block(out, "Attention", kernels, workload, s);
    return;
  }
  const auto scores = std::find_if(kernels.begin(), kernels.end(), [](const Kernel& kernel) {
    return kernel.kind == KernelKind::attention_forward;
  });
  if (const auto gather = token_gather(workload, s))
    out.collective(own("TensorGather"), *gather);
  out.compute(own("Attention"), KernelList{kernels.begin(), scores});
  out.compute_alone(own("Scores"), {*scores});
  out.collective(own("ContextGather"), *ring, true);
  out.compute(own("Attention"), KernelList{scores + 1, kernels.end()});
  if (const auto reduce = token_reduce(workload, s))
    out.collective(own("TensorReduce"), *reduce);
}

/// A dispatch or a combine that sends values in `precision`.
CollectiveWork expert_collective(const Workload& workload,
                                 const std::shared_ptr<const ExpertLoad>& load, Role role,
                                 Direction direction, Precision precision) {
  const bool back = role == Role::combine;
  const std::int64_t size = token_bytes(workload.model.hidden, precision);
  Sizes sizes;
  sizes.load = load;
  CollectiveWork work{.role = role,
                      .direction = direction,
                      .bytes = Bytes{routed_tokens_per_rank(workload, sizes) * size}};
  work.expert_load = load;
  if (load && workload.communication.dispatcher != Dispatcher::all_gather)
    work.loads = back ? load->combine : load->dispatch;
  work.wait_for_ranks = workload.communication.wait_for_ranks;
  switch (workload.communication.dispatcher) {
  case Dispatcher::all_to_all:
    break;
  case Dispatcher::hierarchical:
    work.kind = Collective::two_phase_all_to_all;
    break;
  case Dispatcher::all_gather:
    work.kind = back ? Collective::reduce_scatter : Collective::all_gather;
    work.bytes = Bytes{tokens_per_rank(workload) * workload.plan.expert * size};
    break;
  case Dispatcher::node_limited:
    work.kind = {back ? Pattern::combine : Pattern::dispatch, Algorithm::node_limited,
                 workload.communication.library};
    work.fan_out = fan_out_of(workload);
    if (workload.communication.host_posts)
      work.host_posted_tokens = tokens_per_rank(workload);
    break;
  }
  return work;
}

} // namespace

std::int64_t token_bytes(std::int64_t hidden, Precision precision) {
  constexpr std::int64_t block = 128;
  constexpr std::int64_t scale_bytes = 4;
  switch (precision) {
  case Precision::bf16:
    return hidden * bf16_bytes;
  case Precision::fp8:
  case Precision::fp8_per_tensor:
    return hidden + (hidden + block - 1) / block * scale_bytes;
  case Precision::nvfp4:
    break;
  }
  return nvfp4_bytes(hidden);
}

// Gradients of a combine are sent like a dispatch, gradients of a dispatch like a combine
// (DeepSeek-V3, arXiv 2412.19437, section 3.3.3).
CollectiveWork dispatch(const Workload& workload, const std::shared_ptr<const ExpertLoad>& load,
                        Direction direction) {
  return expert_collective(workload, load, Role::dispatch, direction,
                           workload.communication.dispatch_precision);
}
CollectiveWork combine(const Workload& workload, const std::shared_ptr<const ExpertLoad>& load,
                       Direction direction) {
  return expert_collective(workload, load, Role::combine, direction, Precision::bf16);
}

namespace {

/// The collective of ranks that share an expert by its width: it gathers all tokens of the group
/// before the expert, and sums their results after it.
std::optional<CollectiveWork> expert_tensor_collective(const Workload& workload, const Sizes& s,
                                                       Collective kind, Role role) {
  if (workload.plan.expert_tensor == 1)
    return std::nullopt;
  return CollectiveWork{
      .kind = kind,
      .group = GroupKind::expert_tensor,
      .role = role,
      .bytes = Bytes{expert_tokens_per_rank(workload, s) * workload.model.hidden * bf16_bytes}};
}

void add_moe_block(Sequence& out, const Workload& workload, const Sizes& s) {
  const ExpertSpec& e = workload.model.experts;
  const bool spread = workload.plan.expert > 1;
  const bool shared_beside = spread && e.shared_hidden > 0 && s.tensor == 1 &&
                             workload.communication.overlap_shared_expert;
  // Beside another micro-batch, shared experts run after the dispatch, although they do not need
  // it: their computes hide the other micro-batch's communication (DeepSeek-V3:
  // deepseek-ai/profile-data@449602428).
  const bool shared_behind =
      spread && e.shared_hidden > 0 && s.tensor == 1 && workload.plan.overlap_batches;
  const auto shared = [&] {
    return feed_forward_kernels(workload, s, KernelPart::shared_expert, e.shared_hidden / s.tensor);
  };
  out.compute(own("Router"), router_kernels(workload, s));
  if (e.shared_hidden > 0 && !shared_beside && !shared_behind)
    add_tensor_block(out, "SharedExpert", shared(), workload, s);
  const CollectiveWork sent = dispatch(workload, s.load, Direction::forward);
  if (spread)
    out.collective(own("Dispatch"), sent);
  if (shared_beside)
    out.compute_beside(own("SharedExpert"), shared(), sent);
  if (const auto gather =
          expert_tensor_collective(workload, s, Collective::all_gather, Role::expert_tensor_gather))
    out.collective(own("ExpertTensorGather"), *gather);
  if (shared_behind)
    out.compute(own("SharedExpert"), shared());
  if (shared_beside)
    out.compute_alone(own("Expert"), expert_kernels(workload, s));
  else
    out.compute(own("Expert"), expert_kernels(workload, s));
  if (const auto reduce = expert_tensor_collective(workload, s, Collective::reduce_scatter,
                                                   Role::expert_tensor_reduce))
    out.collective(own("ExpertTensorReduce"), *reduce);
  if (spread)
    out.collective(own("Combine"), combine(workload, s.load, Direction::forward));
  out.compute(own("Unpermute"), unpermute_kernels(workload, s));
}

} // namespace

void add_attention(Sequence& out, const LayerSpec& spec, const Workload& workload, const Sizes& s) {
  for (std::int64_t block = 0; block < spec.attention_blocks; ++block)
    add_attention_block(out, workload, s);
}

void add_feed_forward(Sequence& out, const LayerSpec& spec, const Workload& workload,
                      const Sizes& s) {
  if (spec.moe)
    add_moe_block(out, workload, s);
  else
    add_tensor_block(out, "FeedForward", dense_kernels(workload, spec, s), workload, s);
}

void add_head(Sequence& out, const Workload& workload, const Sizes& s) {
  if (const auto gather = token_gather(workload, s))
    out.collective(Label::of("TensorGather", {LayerRef::Kind::head}), *gather);
  out.compute(Label::of("Head"), head_kernels(workload, s));
}

} // namespace moesim
