#include "sim/schedule/block_kernels.hpp"

#include "sim/schedule/fp8_casts.hpp"
#include "sim/schedule/layer_segments.hpp"
#include "sim/schedule/unfused_attention.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

/// The norm of the residual stream.
Kernel norm(KernelPart part, const Sizes& s) {
  return touch(part, 2 * s.tokens_per_rank * s.hidden);
}

/// A kernel of a module; the backward pass runs it again if the plan recomputes the module.
Kernel of_module(const Workload& workload, RecomputeModule module, Kernel kernel) {
  kernel.repeated = workload.plan.recomputes(module);
  return kernel;
}

} // namespace

std::int64_t heads_per_rank(std::int64_t heads, std::int64_t tensor) {
  return std::max<std::int64_t>(1, heads / tensor);
}

Kernel touch(KernelPart part, std::int64_t values) {
  return memory_bound(part, Bytes{values * bf16_bytes});
}

Kernel layer_norm(const Workload& workload, KernelPart part, const Sizes& s) {
  return of_module(workload, RecomputeModule::norm, norm(part, s));
}

Kernel residual(const Workload& workload, KernelPart part, const Sizes& s) {
  const std::int64_t values = s.tokens_per_rank * s.hidden;
  Kernel kernel = touch(part, 3 * values);
  if (workload.training.hidden_dropout > 0.0) {
    kernel.bytes += Bytes{values};
    kernel.gradient_bytes += Bytes{values};
  }
  return kernel;
}

Kernel token_gemm(KernelPart part, const Sizes& s, std::int64_t n, std::int64_t k) {
  Kernel kernel = gemm(part, s.precision, s.tokens, n, k);
  kernel.cast = s.cast;
  return kernel;
}

Sizes sizes_of(const Workload& workload) {
  Sizes sizes;
  sizes.tokens =
      workload.training.micro_batch * workload.training.sequence_length / workload.plan.context;
  sizes.tokens_per_rank = tokens_per_rank(workload);
  sizes.hidden = workload.model.hidden;
  sizes.tensor = workload.plan.tensor;
  sizes.precision = gemm_precision(workload.training);
  sizes.cast = cast_bytes(workload.training);
  return sizes;
}

Sizes sizes_of_layer(const Workload& workload, std::shared_ptr<const ExpertLoad> load,
                     std::optional<std::int64_t> rank) {
  Sizes sizes = sizes_of(workload);
  sizes.load = std::move(load);
  sizes.rank = rank;
  return sizes;
}

std::int64_t routed_tokens_per_rank(const Workload& workload, const Sizes& s) {
  if (s.load)
    return s.load->sent;
  const std::int64_t routed = tokens_per_rank(workload) * workload.model.experts.experts_per_token;
  return std::llround(static_cast<double>(routed) * workload.routing.carried_share());
}

std::int64_t expert_tokens_per_rank(const Workload& workload, const Sizes& s) {
  return (s.load ? s.load->rank_tokens(s.rank) : routed_tokens_per_rank(workload, s)) *
         workload.plan.expert_tensor;
}

TokenFanOut fan_out_of(const Workload& workload) {
  const ExpertSpec& e = workload.model.experts;
  // Groups of experts limit the domains of a token only if each group is in one domain.
  const bool grouped = keeps_groups_in_domains(placement_request(workload));
  return {e.experts, e.experts_per_token, grouped ? e.groups : 1, grouped ? e.groups_per_token : 1};
}

bool dispatches_in_place(const Workload& workload) {
  return workload.plan.expert > 1 && workload.communication.dispatcher == Dispatcher::node_limited;
}

/// A feed-forward of `width` on all tokens of the micro-batch: gate, up and activation (or up and
/// activation), then down.
std::vector<Kernel> feed_forward_kernels(const Workload& workload, const Sizes& s, KernelPart part,
                                         std::int64_t width) {
  const std::int64_t inputs = workload.model.feed_forward_matrices - 1;
  const RecomputeModule module =
      part == KernelPart::shared_expert ? RecomputeModule::shared_experts : RecomputeModule::dense;
  const auto own = [&](const Kernel& kernel) { return of_module(workload, module, kernel); };
  // The last GEMM's result is the block's output: no plan recomputes it.
  return {own(token_gemm(part, s, inputs * width, s.hidden)),
          own(touch(part, s.tokens * width * (inputs + 1))), token_gemm(part, s, s.hidden, width)};
}

std::vector<Kernel> dense_kernels(const Workload& workload, const LayerSpec& layer,
                                  const Sizes& s) {
  std::vector<Kernel> kernels{layer_norm(workload, KernelPart::dense, s)};
  const auto gemms =
      feed_forward_kernels(workload, s, KernelPart::dense, layer.dense_hidden / s.tensor);
  kernels.insert(kernels.end(), gemms.begin(), gemms.end());
  kernels.push_back(residual(workload, KernelPart::dense, s));
  return kernels;
}

std::int64_t second_gate_tokens(const Workload& workload, const Sizes& s) {
  const std::int64_t groups = workload.routing.gate_groups;
  const ExpertSpec& e = workload.model.experts;
  if (groups == 1)
    return 0;
  const double seen = expected_parts({e.experts, e.experts_per_token, 1, 1}, groups);
  return std::llround(static_cast<double>(s.tokens_per_rank) * seen);
}

std::int64_t router_scores(const Workload& workload, const Sizes& s) {
  const std::int64_t groups = workload.routing.gate_groups;
  const std::int64_t experts = workload.model.experts.experts;
  if (groups == 1)
    return s.tokens_per_rank * experts;
  return s.tokens_per_rank * groups + second_gate_tokens(workload, s) * (experts / groups);
}

std::vector<Kernel> router_kernels(const Workload& workload, const Sizes& s) {
  const std::int64_t experts = workload.model.experts.experts;
  const std::int64_t groups = workload.routing.gate_groups;
  const std::int64_t t = s.tokens_per_rank;
  std::vector<Kernel> kernels = {layer_norm(workload, KernelPart::router, s)};
  const auto add_gate = [&](std::int64_t outputs) {
    kernels.push_back(gemm(KernelPart::router, Precision::bf16, t, outputs, s.hidden));
  };
  if (groups == 1) {
    add_gate(experts);
  } else {
    const std::int64_t seen = second_gate_tokens(workload, s);
    add_gate(groups);
    kernels.push_back(touch(KernelPart::permute, (t + seen) * s.hidden));
    kernels.push_back(grouped_gemm(KernelPart::router, Precision::bf16, groups,
                                   (seen + groups - 1) / groups, experts / groups, s.hidden));
  }
  // Scores in fp32: written, read by the softmax, written, read by the top-k.
  constexpr std::int64_t touches = 4;
  constexpr std::int64_t fp32_bytes = 4;
  kernels.push_back(
      memory_bound(KernelPart::router, Bytes{touches * router_scores(workload, s) * fp32_bytes}));
  if (!dispatches_in_place(workload))
    kernels.push_back(
        touch(KernelPart::permute, (t + routed_tokens_per_rank(workload, s)) * s.hidden));
  // The cast of the tokens; in the backward pass the same bytes cast the gradients of results.
  if (const std::int64_t bytes = dispatch_cast_bytes(workload); bytes > 0)
    kernels.push_back(memory_bound(KernelPart::permute, Bytes{t * s.hidden * bytes}));
  return kernels;
}

/// The activation between the GEMMs of experts of `width`, for `tokens` tokens.
Kernel expert_activation(const Workload& workload, std::int64_t tokens, std::int64_t width) {
  if (!workload.model.experts.clamped)
    return touch(KernelPart::expert, tokens * width * workload.model.feed_forward_matrices);
  // GPT-OSS, as Megatron-Core runs it (fusions/fused_bias_geglu.py@034fd2d32): both halves are
  // clamped, joined and activated, bf16 each. Backward: the activation and the tokens' weights, a
  // clamp with one limit, a clamp with two, the split; then sums for the first GEMM's bias.
  constexpr std::int64_t clamps = 2 * (2 + 2);
  constexpr std::int64_t join = 4 + 4;
  constexpr std::int64_t activate = 4 + 2;
  constexpr std::int64_t activate_back = (2 + 4 + 4) + (2 + 4);
  constexpr std::int64_t clamps_back = (3 + 5) + (3 + 3 + 3 + 5);
  constexpr std::int64_t split_back = 4 + 4;
  constexpr std::int64_t bias_back = 4;
  Kernel kernel =
      memory_bound(KernelPart::expert, Bytes{tokens * width * (clamps + join + activate)});
  kernel.gradient_bytes =
      Bytes{tokens * width * (activate_back + clamps_back + split_back + bias_back)};
  kernel.launches = 2 + 1 + 1;
  kernel.gradient_launches = 2 + (2 + 4) + 1 + 1;
  return kernel;
}

/// The bias of the second GEMM of `experts` experts, times the weight of each of `tokens` tokens:
/// expert by expert, in fp32. An assumption about Megatron-Core's transformer/moe/experts.py, of no
/// stated version.
Kernel expert_bias(std::int64_t experts, std::int64_t tokens, std::int64_t hidden) {
  constexpr std::int64_t scale = 4;
  constexpr std::int64_t add = 2 + 4 + 4;
  constexpr std::int64_t join = 4 + 4;
  constexpr std::int64_t cast = 4 + 2;
  constexpr std::int64_t casts_back = (2 + 4) + (4 + 2);
  constexpr std::int64_t multiply_and_sum_back = 2 * (4 + 4 + 4);
  constexpr std::int64_t split_back = 2 + 2;
  Kernel kernel =
      memory_bound(KernelPart::expert, Bytes{tokens * hidden * (scale + add + join + cast)});
  kernel.gradient_bytes =
      Bytes{tokens * hidden * (casts_back + multiply_and_sum_back + split_back)};
  kernel.launches = 2 * experts + 2;
  kernel.gradient_launches = 5 * experts + 2;
  return kernel;
}

std::vector<Kernel> expert_kernels(const Workload& workload, const Sizes& s) {
  const ExpertSpec& e = workload.model.experts;
  const std::int64_t local = experts_per_rank(workload);
  const std::int64_t routed = expert_tokens_per_rank(workload, s);
  const std::int64_t width = e.expert_hidden / workload.plan.expert_tensor;
  const std::int64_t per_expert = (routed + local - 1) / local;
  const std::int64_t inputs = workload.model.feed_forward_matrices - 1;
  // A fused dispatch brings a token to a rank once, for all experts of the rank.
  const double arrived = dispatches_in_place(workload)
                             ? expected_parts(fan_out_of(workload), workload.plan.expert) /
                                   static_cast<double>(e.experts_per_token)
                             : 1.0;
  const ExpertCastBytes casts = expert_cast_bytes(workload);
  const auto gemms = [&](std::int64_t n, std::int64_t k, const CastBytes& cast) {
    Kernel kernel = grouped_gemm(KernelPart::expert, s.precision, local, per_expert, n, k);
    kernel.cast = cast;
    kernel.bias = e.expert_bias;
    if (s.load)
      kernel.busiest_over_mean = s.load->rank_busiest_over_mean(s.rank);
    return kernel;
  };
  const bool sorts = local > 1 && workload.plan.expert > 1; // one expert needs no sorting
  const std::int64_t moved = std::llround(static_cast<double>(routed) * (1.0 + arrived));
  const auto sort = [&](Precision precision) {
    return memory_bound(KernelPart::permute, Bytes{moved * token_bytes(s.hidden, precision)});
  };
  std::vector<Kernel> kernels;
  // Tokens arrive by rank and are sorted by expert, in the precision of the dispatch.
  if (sorts)
    kernels.push_back(sort(workload.communication.dispatch_precision));
  kernels.push_back(gemms(inputs * width, s.hidden, casts.first));
  const bool fused = workload.training.fused_experts;
  if (!fused)
    kernels.push_back(of_module(workload, RecomputeModule::activation,
                                expert_activation(workload, routed, width)));
  kernels.push_back(gemms(s.hidden, width, casts.last));
  if (e.expert_bias && !fused)
    kernels.push_back(expert_bias(local, routed, s.hidden));
  if (sorts)
    kernels.push_back(sort(Precision::bf16));
  return kernels;
}

std::vector<Kernel> unpermute_kernels(const Workload& workload, const Sizes& s) {
  const std::int64_t routed = routed_tokens_per_rank(workload, s);
  if (dispatches_in_place(workload))
    return {residual(workload, KernelPart::permute, s)};
  return {touch(KernelPart::permute, (routed + s.tokens_per_rank) * s.hidden),
          residual(workload, KernelPart::permute, s)};
}

std::vector<Kernel> embedding_kernels(const Sizes& s) {
  return {touch(KernelPart::head, 2 * s.tokens_per_rank * s.hidden)};
}

std::vector<Kernel> mtp_projection_kernels(const Sizes& s) {
  Kernel projection =
      gemm(KernelPart::head, s.precision, s.tokens_per_rank, s.hidden, 2 * s.hidden);
  projection.cast = s.cast;
  return {norm(KernelPart::head, s), norm(KernelPart::head, s), projection};
}

std::vector<Kernel> head_kernels(const Workload& workload, const Sizes& s) {
  const std::int64_t vocabulary = workload.model.vocabulary / s.tensor;
  return {norm(KernelPart::head, s),
          gemm(KernelPart::head, Precision::bf16, s.tokens, vocabulary, s.hidden),
          // Cross-entropy in fp32: logits read, exponentials written and read.
          memory_bound(KernelPart::head, Bytes{s.tokens * vocabulary * (2 + 4 + 4)})};
}

} // namespace moesim
