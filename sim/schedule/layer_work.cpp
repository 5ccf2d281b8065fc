#include "sim/schedule/layer_work.hpp"

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/stage_parameters.hpp"

#include <fmt/format.h>

namespace moesim {

namespace {

constexpr std::int64_t bf16_bytes = 2;

CollectiveWork tensor_collective(const std::string& name, Collective kind, const Sizes& s) {
  return {name, kind, GroupKind::tensor, Bytes{s.tokens * s.hidden * bf16_bytes}};
}

/// What gives a tensor-parallel block the whole micro-batch, and what adds up its partial results.
void gather_tokens(Sequence& out, const std::string& layer, const Workload& workload,
                   const Sizes& s) {
  if (s.tensor > 1 && workload.plan.sequence_parallel)
    out.collective(tensor_collective(layer + ".TensorGather", Collective::all_gather, s));
}
void reduce_tokens(Sequence& out, const std::string& layer, const Workload& workload,
                   const Sizes& s) {
  if (s.tensor > 1)
    out.collective(tensor_collective(
        layer + ".TensorReduce",
        workload.plan.sequence_parallel ? Collective::reduce_scatter : Collective::all_reduce, s));
}

/// Tokens to their experts, or results and gradients the other way (`back`).
CollectiveWork expert_collective(const std::string& name, const Workload& workload, bool back,
                                 Precision precision) {
  const ExpertSpec& e = workload.model.experts;
  const std::int64_t size = token_bytes(workload.model.hidden, precision);
  CollectiveWork work{name, Collective::all_to_all, GroupKind::expert,
                      Bytes{routed_tokens_per_rank(workload) * size}};
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
    work.fan_out = {e.experts, e.experts_per_token, e.groups, e.groups_per_token};
    break;
  }
  return work;
}

CollectiveWork dispatch(const std::string& name, const Workload& workload) {
  return expert_collective(name, workload, false, workload.communication.dispatch_precision);
}
CollectiveWork combine(const std::string& name, const Workload& workload) {
  return expert_collective(name, workload, true, Precision::bf16);
}

void add_moe_block(Sequence& out, const std::string& layer, const Workload& workload,
                   const Sizes& s) {
  const ExpertSpec& e = workload.model.experts;
  const bool spread = workload.plan.expert > 1;
  const bool shared_beside = spread && e.shared_hidden > 0 && s.tensor == 1 &&
                             workload.communication.overlap_shared_expert;
  const auto shared = [&] {
    return feed_forward_kernels(workload, s, KernelPart::shared_expert, e.shared_hidden / s.tensor);
  };
  out.compute(layer + ".Router", router_kernels(workload, s));
  if (e.shared_hidden > 0 && !shared_beside) {
    gather_tokens(out, layer, workload, s);
    out.compute(layer + ".SharedExpert", shared());
    reduce_tokens(out, layer, workload, s);
  }
  if (spread)
    out.collective(dispatch(layer + ".Dispatch", workload));
  if (shared_beside)
    out.compute_apart({layer + ".SharedExpert", shared(), dispatch("", workload).kind}, true);
  if (shared_beside)
    out.compute_apart({layer + ".Expert", expert_kernels(workload, s)}, false);
  else
    out.compute(layer + ".Expert", expert_kernels(workload, s));
  if (spread)
    out.collective(combine(layer + ".Combine", workload));
  out.compute(layer + ".Unpermute", unpermute_kernels(workload, s));
}

void add_layer(Sequence& out, std::int64_t number, const Workload& workload, const Sizes& s) {
  const LayerSpec& spec = workload.model.layers[static_cast<std::size_t>(number)];
  const std::string layer = fmt::format("Layer[{}]", number);
  for (std::int64_t block = 0; block < spec.attention_blocks; ++block) {
    gather_tokens(out, layer, workload, s);
    out.compute(layer + ".Attention", attention_kernels(workload, s));
    reduce_tokens(out, layer, workload, s);
  }
  if (spec.moe) {
    add_moe_block(out, layer, workload, s);
    return;
  }
  gather_tokens(out, layer, workload, s);
  out.compute(layer + ".FeedForward", dense_kernels(workload, spec, s));
  reduce_tokens(out, layer, workload, s);
}

void add_head(Sequence& out, const Workload& workload, const Sizes& s) {
  gather_tokens(out, "Head", workload, s);
  out.compute("Head", head_kernels(workload, s));
}

/// "Layer[0].A to Layer[0].B" backward: "Layer[0].BGradient to Layer[0].AGradient".
std::string gradient_name(const std::string& name, const std::string& gradient = "Gradient") {
  const std::size_t joint = name.find(" to ");
  if (joint == std::string::npos)
    return name + gradient;
  return name.substr(joint + 4) + gradient + " to " + name.substr(0, joint) + gradient;
}

/// The collective that carries the gradient back.
CollectiveWork gradient_of(const CollectiveWork& forward, const Workload& workload) {
  const std::string name = forward.name + "Gradient";
  // Gradients of combine travel as dispatch does, gradients of dispatch as combine does
  // (DeepSeek-V3, arXiv 2412.19437, section 3.3.3).
  if (forward.group == GroupKind::expert)
    return forward.name.ends_with(".Combine") ? dispatch(name, workload) : combine(name, workload);
  CollectiveWork work = forward;
  work.name = name;
  if (forward.kind == Collective::all_gather)
    work.kind = Collective::reduce_scatter;
  if (forward.kind == Collective::reduce_scatter)
    work.kind = Collective::all_gather;
  return work;
}

/// The backward pass of a forward sequence: the same segments from the last to the first.
void add_mirror(Sequence& out, const std::vector<Segment>& forward, const Workload& workload,
                Gradients gradients) {
  bool beside = false;
  for (auto segment = forward.rbegin(); segment != forward.rend(); ++segment) {
    if (const auto* compute = std::get_if<ComputeWork>(&segment->work)) {
      const std::vector<Kernel> kernels = gradient_kernels(compute->kernels, gradients);
      // A pair that runs side by side forward does so backward: the flag moves to its second.
      std::optional<Collective> communication;
      if (compute->beside)
        communication = combine("", workload).kind;
      if (segment->beside_previous || beside)
        out.compute_apart({gradient_name(compute->name), kernels, communication}, beside);
      else
        out.compute(gradient_name(compute->name), kernels);
    } else {
      out.collective(gradient_of(std::get<CollectiveWork>(segment->work), workload), beside);
    }
    beside = segment->beside_previous;
  }
}

/// The gradients of weights of a forward sequence: products alone, nothing travels.
void add_weight_gradients(Sequence& out, const std::vector<Segment>& forward) {
  for (auto segment = forward.rbegin(); segment != forward.rend(); ++segment)
    if (const auto* compute = std::get_if<ComputeWork>(&segment->work))
      if (const auto kernels = gradient_kernels(compute->kernels, Gradients::weights);
          !kernels.empty())
        out.compute(gradient_name(compute->name, "WeightGradient"), kernels);
}

/// The backward pass of a forward sequence, where gradients of weights run beside the communication
/// after them; `weights` holds those that wait for one.
void add_delayed_mirror(Sequence& out, Sequence& weights, const std::vector<Segment>& forward,
                        const Workload& workload) {
  for (auto segment = forward.rbegin(); segment != forward.rend(); ++segment) {
    if (const auto* compute = std::get_if<ComputeWork>(&segment->work)) {
      out.compute(gradient_name(compute->name),
                  gradient_kernels(compute->kernels, Gradients::inputs));
      add_weight_gradients(weights, {*segment});
      continue;
    }
    out.collective(gradient_of(std::get<CollectiveWork>(segment->work), workload));
    for (const Segment& delayed : weights.take())
      out.compute_apart(std::get<ComputeWork>(delayed.work), true);
  }
}

/// The blocks of a virtual stage in forward order; only layers are repeated under full recompute.
struct Block {
  std::vector<Segment> segments;
  bool is_layer = false;
};

std::vector<Block> stage_blocks(const Workload& workload, std::int64_t virtual_stage) {
  const Sizes sizes = sizes_of(workload);
  const std::int64_t first = first_layer(workload.plan, virtual_stage);
  const std::int64_t count =
      workload.plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)];
  std::vector<Block> blocks;
  const auto add = [&](bool is_layer, auto&& fill) {
    Sequence block;
    fill(block);
    blocks.push_back({block.take(), is_layer});
  };
  if (virtual_stage == 0)
    add(false, [&](Sequence& out) { out.compute("Embedding", embedding_kernels(sizes)); });
  for (std::int64_t layer = first; layer < first + count; ++layer)
    add(true, [&](Sequence& out) { add_layer(out, layer, workload, sizes); });
  if (virtual_stage == workload.plan.virtual_stage_count() - 1)
    add(false, [&](Sequence& out) { add_head(out, workload, sizes); });
  return blocks;
}

} // namespace

std::int64_t token_bytes(std::int64_t hidden, Precision precision) {
  constexpr std::int64_t block = 128;
  constexpr std::int64_t scale_bytes = 4;
  return precision == Precision::fp8 ? hidden + (hidden + block - 1) / block * scale_bytes
                                     : hidden * bf16_bytes;
}

StageWork stage_work(const Workload& workload, std::int64_t virtual_stage) {
  const std::vector<Block> blocks = stage_blocks(workload, virtual_stage);
  Sequence forward;
  Sequence backward;
  Sequence backward_input;
  Sequence backward_weight;
  Sequence delayed;
  Sequence delayed_weights;
  for (const Block& block : blocks)
    forward.append(block.segments);
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (workload.plan.recompute == Recompute::full && block->is_layer) {
      backward.append(block->segments);
      backward_input.append(block->segments);
      delayed.append(block->segments);
    }
    add_mirror(backward, block->segments, workload, Gradients::all);
    add_mirror(backward_input, block->segments, workload, Gradients::inputs);
    add_weight_gradients(backward_weight, block->segments);
    add_delayed_mirror(delayed, delayed_weights, block->segments, workload);
  }
  delayed.append(delayed_weights.take());
  return {forward.take(), backward.take(), backward_input.take(), backward_weight.take(),
          delayed.take()};
}

namespace {

/// Parameters of a rank that one data-parallel group holds in common.
struct ReplicatedParameters {
  GroupKind group = GroupKind::data;
  std::int64_t parameters = 0;
  std::int64_t replicas = 1;
};

std::vector<ReplicatedParameters> replicated_parameters(const Workload& workload,
                                                        std::int64_t stage) {
  const StageParameters p = stage_parameters(workload, stage);
  return {{GroupKind::data, p.dense_per_rank, workload.plan.data()},
          {GroupKind::expert_data, p.expert_per_rank, workload.plan.expert_data()}};
}

} // namespace

std::vector<Segment> step_end_work(const Workload& workload, std::int64_t stage) {
  constexpr std::int64_t gradient_bytes = 4; // accumulated in fp32
  constexpr std::int64_t weight_bytes = 2;
  // fp32: gradient read; master weight and two Adam moments read and written; bf16 weight written.
  constexpr std::int64_t optimizer_bytes = 4 + 3 * (4 + 4) + 2;
  const bool sharded = workload.plan.zero_stage >= 1;
  Sequence out;
  std::int64_t updated = 0;
  for (const auto& [group, parameters, replicas] : replicated_parameters(workload, stage)) {
    if (replicas > 1 && parameters > 0)
      out.collective({"GradientReduce",
                      sharded ? Collective::reduce_scatter : Collective::all_reduce, group,
                      Bytes{parameters * gradient_bytes}});
    updated += sharded ? parameters / (replicas * workload.plan.copies()) : parameters;
  }
  out.compute("Optimizer", {memory_bound(KernelPart::optimizer, Bytes{updated * optimizer_bytes})});
  for (const auto& [group, parameters, replicas] : replicated_parameters(workload, stage))
    if (sharded && replicas > 1 && parameters > 0)
      out.collective(
          {"WeightGather", Collective::all_gather, group, Bytes{parameters * weight_bytes}});
  return out.take();
}

} // namespace moesim
