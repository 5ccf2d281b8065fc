#include "sim/schedule/layer_work.hpp"

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/layer_segments.hpp"
#include "sim/schedule/stage_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace moesim {

namespace {

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
    return forward.name.ends_with(".Combine") ? dispatch(name, workload, forward.expert_load)
                                              : combine(name, workload, forward.expert_load);
  CollectiveWork work = forward;
  work.name = name;
  if (forward.group == GroupKind::context) { // keys and values once more, and their gradients
    work.bytes += forward.bytes;
    return work;
  }
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
      const std::vector<Kernel> kernels =
          gradient_kernels(compute->kernels, gradients, workload.training.gradient_bytes());
      // A pair that runs side by side forward does so backward: the flag moves to its second.
      std::optional<CollectiveWork> communication;
      if (compute->beside)
        communication = combine("", workload, compute->beside->expert_load);
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
void add_weight_gradients(Sequence& out, const std::vector<Segment>& forward,
                          const Workload& workload) {
  for (auto segment = forward.rbegin(); segment != forward.rend(); ++segment)
    if (const auto* compute = std::get_if<ComputeWork>(&segment->work))
      if (const auto kernels = gradient_kernels(compute->kernels, Gradients::weights,
                                                workload.training.gradient_bytes());
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
                  gradient_kernels(compute->kernels, Gradients::inputs,
                                   workload.training.gradient_bytes()));
      add_weight_gradients(weights, {*segment}, workload);
      continue;
    }
    out.collective(gradient_of(std::get<CollectiveWork>(segment->work), workload));
    for (const Segment& delayed : weights.take())
      out.compute_apart(std::get<ComputeWork>(delayed.work), true);
  }
}

/// A part of a virtual stage, in forward order.
struct Block {
  std::vector<Segment> segments;
  bool repeated = false; ///< the backward pass runs it again as a whole
  bool starts_layer = false;
};

std::vector<Block> stage_blocks(const Workload& workload, std::int64_t virtual_stage,
                                const LoadChoice& choice) {
  const Sizes sizes = sizes_of(workload);
  const std::int64_t first = first_layer(workload.plan, virtual_stage);
  const std::int64_t count =
      workload.plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)];
  std::vector<Block> blocks;
  const auto add = [&](bool repeated, auto&& fill) {
    Sequence block;
    fill(block);
    blocks.push_back({block.take(), repeated});
  };
  const bool full = workload.plan.recompute == Recompute::full;
  const auto add_layer = [&](const std::string& name, std::int64_t number) {
    const LayerSpec& spec = workload.model.layers[static_cast<std::size_t>(number)];
    const Sizes of_layer =
        spec.moe ? sizes_of_layer(workload, choice.loads->at(number, choice.micro_batch),
                                  choice.expert_rank)
                 : sizes;
    Sizes of_attention = sizes;
    of_attention.window = spec.window;
    add(full, [&](Sequence& out) { add_attention(out, name, spec, workload, of_attention); });
    blocks.back().starts_layer = true;
    add(full || (spec.moe && workload.plan.recomputes(RecomputeModule::moe)),
        [&](Sequence& out) { add_feed_forward(out, name, spec, workload, of_layer); });
  };
  if (virtual_stage == 0)
    add(false, [&](Sequence& out) { out.compute("Embedding", embedding_kernels(sizes)); });
  for (std::int64_t layer = first; layer < first + count; ++layer)
    add_layer(fmt::format("Layer[{}]", layer), layer);
  if (virtual_stage != workload.plan.virtual_stage_count() - 1)
    return blocks;
  const auto head = [&](Sequence& out) { add_head(out, workload, sizes); };
  add(false, head);
  for (std::int64_t mtp = 0; mtp < workload.model.mtp_layers; ++mtp) {
    const std::string name = fmt::format("Mtp[{}]", mtp);
    add(false,
        [&](Sequence& out) { out.compute(name + ".Projection", mtp_projection_kernels(sizes)); });
    add_layer(name, static_cast<std::int64_t>(workload.model.layers.size()) - 1);
    add(false, head);
  }
  return blocks;
}

/// The blocks of a virtual stage, with its data-parallel communication laid over them.
class Stage {
public:
  Stage(const Workload& workload, std::int64_t virtual_stage, const LoadChoice& choice)
      : workload_(workload), communication_(workload, virtual_stage),
        blocks_(stage_blocks(workload, virtual_stage, choice)) {}

  /// `gathers`: the pass itself gathers its weights; `awaits`: it waits for those that it needs.
  std::vector<Segment> forward(bool gathers, bool awaits) const {
    Sequence out;
    if (gathers)
      communication_.start_gather(out);
    if (awaits)
      communication_.await_first(out);
    for (std::size_t block = 0; block < blocks_.size(); ++block) {
      if (awaits && block > 0 && block == first_of_last_layer())
        communication_.await_others(out);
      out.append(blocks_[block].segments);
    }
    return out.take();
  }

  /// `delayed`: gradients of weights run beside the communication after them.
  std::vector<Segment> backward(Gradients gradients, bool gathers, bool reduces,
                                bool delayed = false) const {
    Sequence out;
    Sequence weights;
    if (gathers) {
      communication_.start_gather(out);
      communication_.await_first(out);
    }
    for (std::size_t left = blocks_.size(); left > 0; --left) {
      const Block& block = blocks_[left - 1];
      if (gathers && left < blocks_.size() && left == end_of_first_layer())
        communication_.await_others(out);
      if (block.repeated && gradients != Gradients::weights)
        out.append(block.segments);
      if (gradients == Gradients::weights)
        add_weight_gradients(out, block.segments, workload_);
      else if (delayed)
        add_delayed_mirror(out, weights, block.segments, workload_);
      else
        add_mirror(out, block.segments, workload_, gradients);
      if (reduces && left - 1 == first_of_last_layer())
        communication_.start_reduce(out);
    }
    for (const Segment& last : weights.take())
      out.compute_after_result(std::get<ComputeWork>(last.work));
    if (reduces)
      communication_.finish_reduce(out);
    return out.take();
  }

private:
  /// A layer is two blocks; the embedding comes before the first, the head after the last.
  std::size_t first_of_last_layer() const {
    std::size_t last = 0;
    for (std::size_t block = 0; block < blocks_.size(); ++block)
      if (blocks_[block].starts_layer)
        last = block;
    return last;
  }
  std::size_t end_of_first_layer() const {
    std::size_t block = 0;
    while (block < blocks_.size() && !blocks_[block].starts_layer)
      ++block;
    return std::min(block + 2, blocks_.size());
  }

  const Workload& workload_;
  DataParallelWork communication_;
  std::vector<Block> blocks_;
};

} // namespace

StageWork stage_work(const Workload& workload, std::int64_t virtual_stage,
                     const LoadChoice& choice) {
  if (!choice.loads) {
    const ExpertLoads loads(workload);
    return stage_work(workload, virtual_stage, {&loads, choice.micro_batch, choice.expert_rank});
  }
  const Stage stage(workload, virtual_stage, choice);
  const DataParallelRule rule = data_parallel_rule(workload);
  StageWork work;
  work.forward = stage.forward(rule.gathers_every_pass, rule.gathers_every_pass);
  work.backward = stage.backward(Gradients::all, rule.gathers_every_pass, rule.reduces_every_pass);
  work.backward_input = stage.backward(Gradients::inputs, rule.gathers_every_pass, false);
  work.backward_weight = stage.backward(Gradients::weights, false, rule.reduces_every_pass);
  work.backward_delayed =
      stage.backward(Gradients::all, rule.gathers_every_pass, rule.reduces_every_pass, true);
  if (!rule.overlaps)
    return work;
  work.first_forward = stage.forward(rule.gathers_every_pass, rule.gathers);
  work.last_backward = stage.backward(Gradients::all, rule.gathers_every_pass, true);
  work.last_backward_delayed = stage.backward(Gradients::all, rule.gathers_every_pass, true, true);
  work.last_backward_weight = stage.backward(Gradients::weights, false, true);
  return work;
}

} // namespace moesim
