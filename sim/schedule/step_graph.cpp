#include "sim/schedule/step_graph.hpp"

#include "sim/base/check.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

DeviceLayout every_rank(const ParallelPlan& plan) {
  DeviceLayout layout;
  for (std::int64_t rank = 0; rank < plan.gpus; ++rank) {
    const auto id = RankId(static_cast<std::uint32_t>(rank));
    layout.devices.push_back({id, plan.stage_of(id)});
  }
  return layout;
}

DeviceLayout one_rank_per_stage(const ParallelPlan& plan) {
  DeviceLayout layout;
  layout.folded = true;
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage)
    layout.devices.push_back(
        {RankId(static_cast<std::uint32_t>(stage * plan.stage_ranks())), stage});
  return layout;
}

OpId StepGraph::add_op(const Op& op) {
  ops.push_back(op);
  return OpId(static_cast<std::uint32_t>(ops.size() - 1));
}

void StepGraph::add_dependency(OpId before, OpId after) {
  dependencies_.emplace_back(before, after);
}

void StepGraph::seal() {
  std::sort(dependencies_.begin(), dependencies_.end());
  dependencies_.erase(std::unique(dependencies_.begin(), dependencies_.end()), dependencies_.end());
  first_successor_.assign(ops.size() + 1, 0);
  predecessor_count_.assign(ops.size(), 0);
  successors_.reserve(dependencies_.size());
  for (const auto& [before, after] : dependencies_) {
    ++first_successor_[index(before) + 1];
    ++predecessor_count_[index(after)];
    successors_.push_back(after);
  }
  for (std::size_t op = 0; op < ops.size(); ++op)
    first_successor_[op + 1] += first_successor_[op];
  dependencies_.clear();
  dependencies_.shrink_to_fit();
  check_acyclic();
}

std::span<const OpId> StepGraph::successors(OpId op) const {
  const std::uint32_t first = first_successor_[index(op)];
  return {successors_.data() + first, first_successor_[index(op) + 1] - first};
}

void StepGraph::check_acyclic() const {
  // Kahn's order: whatever it cannot reach stands in a cycle or behind one.
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

std::vector<DeviceId> StepGraph::devices_of(const Op& op) const {
  switch (op.kind) {
  case OpKind::compute:
    return {DeviceId(op.place)};
  case OpKind::collective:
    return groups[op.place].devices;
  case OpKind::transfer:
    return {pairs[op.place].source};
  }
  return {};
}

std::string StepGraph::name_of(OpId id) const {
  const Op& op = ops[index(id)];
  const std::string& work = op.kind == OpKind::compute      ? computes[op.work].name
                            : op.kind == OpKind::collective ? collectives[op.work].name
                                                            : transfers[op.work].name;
  // Of a collective only the first device is looked at: it may have thousands.
  const DeviceId first =
      op.kind == OpKind::collective ? groups[op.place].devices.front() : devices_of(op).front();
  const Device& device = devices[index(first)];
  return fmt::format("Step.Stage[{}].MicroBatch[{}].{}", device.stage, op.micro_batch, work);
}

} // namespace moesim
