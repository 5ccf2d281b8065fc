#include "sim/schedule/step_graph.hpp"

#include "sim/base/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace moesim {

DeviceId DeviceLayout::device_of(RankId rank) const {
  const std::size_t ranks = class_of_position.size();
  const std::size_t classes = devices.size() / static_cast<std::size_t>(devices.back().stage + 1);
  return DeviceId(static_cast<std::uint32_t>(index(rank) / ranks * classes) +
                  class_of_position[index(rank) % ranks]);
}

DeviceLayout one_rank_per_class(const ParallelPlan& plan,
                                std::vector<std::uint32_t> class_of_position) {
  DeviceLayout layout;
  const auto ranks = static_cast<std::size_t>(plan.stage_ranks());
  INVARIANT(class_of_position.size() == ranks, "classes of {} ranks of {}",
            class_of_position.size(), ranks);
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    std::uint32_t next = 0;
    for (std::size_t position = 0; position < ranks; ++position)
      if (class_of_position[position] == next) {
        const auto rank = static_cast<RankId>(static_cast<std::size_t>(stage) * ranks + position);
        layout.devices.push_back({rank, stage, plan.expert_rank(rank)});
        ++next;
      }
  }
  layout.class_of_position = std::move(class_of_position);
  return layout;
}

DeviceLayout every_rank(const ParallelPlan& plan) {
  std::vector<std::uint32_t> classes(static_cast<std::size_t>(plan.stage_ranks()));
  std::iota(classes.begin(), classes.end(), 0U);
  return one_rank_per_class(plan, std::move(classes));
}

DeviceLayout one_rank_per_stage(const ParallelPlan& plan) {
  return one_rank_per_class(
      plan, std::vector<std::uint32_t>(static_cast<std::size_t>(plan.stage_ranks())));
}

Stream stream_of(const CollectiveWork& work) {
  switch (work.group) {
  case GroupKind::expert:
  case GroupKind::expert_tensor:
    return Stream::expert_parallel;
  case GroupKind::tensor:
  case GroupKind::context:
    return Stream::tensor_parallel;
  case GroupKind::data:
  case GroupKind::expert_data:
    break;
  }
  return Stream::data_parallel;
}

OpId StepGraph::add_op(const Op& op) {
  ops.push_back(op);
  return OpId(static_cast<std::uint32_t>(ops.size() - 1));
}

void StepGraph::add_dependency(OpId before, OpId after) {
  dependencies_.emplace_back(before, after);
}

void StepGraph::seal() {
  // A counting sort of the dependencies by predecessor: there are millions.
  std::vector<std::uint32_t> first(ops.size() + 1, 0);
  for (const auto& [before, after] : dependencies_)
    ++first[index(before) + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<OpId> after_each(dependencies_.size());
  std::vector<std::uint32_t> next = first;
  for (const auto& [before, after] : dependencies_)
    after_each[next[index(before)]++] = after;
  first_successor_.assign(1, 0);
  predecessor_count_.assign(ops.size(), 0);
  successors_.clear();
  for (std::size_t op = 0; op < ops.size(); ++op) {
    const auto begin = after_each.begin() + first[op];
    const auto end = after_each.begin() + first[op + 1];
    std::sort(begin, end);
    successors_.insert(successors_.end(), begin, std::unique(begin, end));
    for (std::size_t i = first_successor_.back(); i < successors_.size(); ++i)
      ++predecessor_count_[index(successors_[i])];
    first_successor_.push_back(static_cast<std::uint32_t>(successors_.size()));
  }
  dependencies_.clear();
  dependencies_.shrink_to_fit();
  check_acyclic();
}

std::span<const OpId> StepGraph::successors(OpId op) const {
  const std::uint32_t first = first_successor_[index(op)];
  return {successors_.data() + first, first_successor_[index(op) + 1] - first};
}

void StepGraph::check_acyclic() const {
  // Kahn's algorithm: operations that it cannot reach are in a cycle or after one.
  std::vector<std::uint32_t> waiting = predecessor_count_;
  std::vector<OpId> ready;
  for (std::uint32_t op = 0; op < ops.size(); ++op)
    if (waiting[op] == 0)
      ready.push_back(OpId(op));
  std::size_t ordered = 0;
  while (!ready.empty()) {
    const OpId op = ready.back();
    ready.pop_back();
    ++ordered;
    for (const OpId next : successors(op))
      if (--waiting[index(next)] == 0)
        ready.push_back(next);
  }
  if (ordered == ops.size())
    return;
  std::string names;
  for (std::uint32_t op = 0; op < ops.size() && names.size() < 400; ++op)
    if (waiting[op] > 0)
      names += (names.empty() ? "" : ", ") + name_of(OpId(op));
  INVARIANT(ordered == ops.size(), "a dependency cycle holds or blocks: {}", names);
}

std::uint64_t StepGraph::operation_count() const {
  std::uint64_t count = 0;
  for (const Op& op : ops) {
    if (op.kind != OpKind::run) {
      ++count;
      continue;
    }
    for (const Op& part : runs[op.work])
      count += part.kind == OpKind::compute ? groups[op.location].devices.size() : 1;
  }
  return count;
}

std::vector<DeviceId> StepGraph::devices_of(const Op& op) const {
  std::vector<DeviceId> found;
  for_each_device(op, [&](DeviceId device) { found.push_back(device); });
  return found;
}

std::string StepGraph::name_of(OpId id) const {
  const Op& op = ops[index(id)];
  // Of a collective only the first device is looked at: it may have thousands.
  const DeviceId first = op.kind == OpKind::collective || op.kind == OpKind::run
                             ? groups[op.location].devices.front()
                             : devices_of(op).front();
  const Device& device = devices[index(first)];
  return fmt::format("Step.Stage[{}].MicroBatch[{}].{}", device.stage, op.micro_batch,
                     works.labels[op.label].text());
}

} // namespace moesim
