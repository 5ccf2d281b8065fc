#include "sim/schedule/gradients.hpp"

#include "sim/schedule/layer_segments.hpp"

namespace moesim {

namespace {

CollectiveWork gradient_of(const CollectiveWork& forward, const Workload& workload) {
  CollectiveWork work = forward;
  work.direction = Direction::backward;
  switch (forward.role) {
  case Role::dispatch:
    return combine(workload, forward.expert_load, Direction::backward);
  case Role::combine:
    return dispatch(workload, forward.expert_load, Direction::backward);
  case Role::context_gather: // gathers keys and values again, and sends their gradients
    work.bytes += forward.bytes;
    return work;
  case Role::expert_tensor_gather:
  case Role::tensor_gather:
  case Role::weight_gather:
  case Role::replica_weights:
    work.kind = Collective::reduce_scatter;
    return work;
  case Role::expert_tensor_reduce:
  case Role::tensor_reduce:
  case Role::gradient_reduce:
  case Role::replica_gradients:
    break;
  }
  if (forward.kind == Collective::reduce_scatter)
    work.kind = Collective::all_gather;
  return work;
}

} // namespace

KernelLists GradientTable::kernels(std::uint32_t compute, Gradients gradients) {
  KernelLists found;
  const KernelLists lists = table_.works().computes[compute].kernels;
  for (auto list = lists.rbegin(); list != lists.rend(); ++list) {
    const auto [known, added] = lists_.try_emplace({*list, gradients});
    if (added) {
      KernelList kernels = gradient_kernels(table_.works().kernel_lists[*list], gradients,
                                            workload_.training.gradient_bytes());
      if (!kernels.empty())
        known->second = table_.add(std::move(kernels));
    }
    if (known->second)
      found.push_back(*known->second);
  }
  return found;
}

std::uint32_t GradientTable::collective(std::uint32_t forward) {
  const auto [known, added] = collectives_.try_emplace(forward, 0);
  if (added)
    known->second = table_.add(gradient_of(table_.works().collectives[forward], workload_));
  return known->second;
}

namespace {

Label label_of(const Segment& segment, LayerRef layer, Label::Gradient gradient,
               const WorkTable& table) {
  return table.works().labels[segment.label].in(layer).gradient(gradient);
}

} // namespace

void add_mirror(Sequence& out, const std::vector<Segment>& forward, LayerRef layer,
                Gradients gradients, const WorkTable& table, GradientTable& of) {
  bool beside = false;
  for (auto segment = forward.rbegin(); segment != forward.rend(); ++segment) {
    const bool weights_alone = gradients == Gradients::weights;
    const Label label = label_of(
        *segment, layer, weights_alone ? Label::Gradient::weights : Label::Gradient::all, table);
    if (weights_alone) {
      if (segment->kind == OpKind::compute)
        if (const KernelLists kernels = of.kernels(segment->work, gradients); !kernels.empty())
          out.compute(label, kernels);
      continue;
    }
    if (segment->kind == OpKind::collective) {
      out.collective(label, of.collective(segment->work), beside);
    } else {
      const KernelLists kernels = of.kernels(segment->work, gradients);
      std::optional<std::uint32_t> communication = table.works().computes[segment->work].beside;
      if (communication)
        communication = of.collective(*communication);
      // Segments side by side in the forward pass are so in the backward pass: the flag moves to
      // the one that is now second.
      if (segment->beside_previous || beside)
        out.compute_apart(label, kernels, beside, communication);
      else
        out.compute(label, kernels);
    }
    beside = segment->beside_previous;
  }
}

void add_delayed_mirror(Sequence& out, Sequence& weights, const std::vector<Segment>& forward,
                        LayerRef layer, const WorkTable& table, GradientTable& of) {
  for (auto segment = forward.rbegin(); segment != forward.rend(); ++segment) {
    const Label label = label_of(*segment, layer, Label::Gradient::all, table);
    if (segment->kind == OpKind::compute) {
      out.compute(label, of.kernels(segment->work, Gradients::inputs));
      add_mirror(weights, {*segment}, layer, Gradients::weights, table, of);
      continue;
    }
    out.collective(label, of.collective(segment->work), false);
    for (const Segment& delayed : weights.take())
      out.compute_apart(table.works().labels[delayed.label],
                        table.works().computes[delayed.work].kernels, true);
  }
}

} // namespace moesim
