#include "sim/study/memory_advice.hpp"

#include "sim/base/check.hpp"
#include "sim/workload/plan_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace moesim {

namespace {

/// Collects the legal changes of a plan.
class ChangeList {
public:
  void add(const std::string& key, const std::string& value, const Workload& changed) {
    if (!find_plan_fault(changed.plan, changed.model, changed.training))
      changes_.push_back({key, value, fullest_stage(changed)});
  }
  std::vector<MemoryChange> take() { return std::move(changes_); }

private:
  std::vector<MemoryChange> changes_;
};

std::string setting_of(const MemoryChange& change) {
  return change.key + " = " + change.value;
}

void add_longer_pipeline(const Workload& workload, ChangeList& changes) {
  const ParallelPlan& own = workload.plan;
  PlanInput plan{own, own.expert};
  const bool own_split =
      own.layers_per_stage != resolve_plan(plan, workload.model, own.gpus).layers_per_stage;
  plan.written.pipeline *= 2;
  Workload changed = workload;
  changed.plan = resolve_plan(plan, workload.model, own.gpus);
  changes.add(
      "parallel.pipeline",
      fmt::format("{}{}", changed.plan.pipeline, own_split ? " without layers_per_stage" : ""),
      changed);
}

void add_larger_expert_degrees(const Workload& workload, ChangeList& changes) {
  const std::int64_t largest =
      largest_expert_parallel(workload.model.experts.experts, workload.plan.stage_ranks());
  for (std::int64_t degree = workload.plan.expert + 1; degree <= largest; ++degree) {
    Workload changed = workload;
    changed.plan.expert = degree;
    changes.add("parallel.expert", std::to_string(degree), changed);
  }
}

/// The missing memory in GiB, rounded so that it is never shown as 0.
std::string missing_gib(const MemoryEstimate& memory, Bytes capacity) {
  return fmt::format("{:.2f}", std::max(0.01, gib(memory.total() - capacity)));
}

} // namespace

std::vector<MemoryChange> memory_changes(const Workload& workload) {
  ChangeList changes;
  if (!workload.training.expandable_segments) {
    Workload changed = workload;
    changed.training.expandable_segments = true;
    changes.add("training.expandable_segments", "true", changed);
  }
  if (workload.plan.recompute != Recompute::full) {
    Workload changed = workload;
    changed.plan.recompute = Recompute::full;
    changes.add("parallel.recompute", "\"full\"", changed);
  }
  if (workload.training.micro_batch % 2 == 0) {
    Workload changed = workload;
    changed.training.micro_batch /= 2;
    changes.add("training.micro_batch", std::to_string(changed.training.micro_batch), changed);
  }
  if (workload.plan.zero_stage < 1) {
    Workload changed = workload;
    changed.plan.zero_stage = 1;
    changes.add("parallel.zero_stage", "1", changed);
  }
  add_longer_pipeline(workload, changes);
  add_larger_expert_degrees(workload, changes);
  return changes.take();
}

std::string memory_advice(const Workload& workload, Bytes capacity) {
  const std::vector<MemoryChange> changes = memory_changes(workload);
  if (changes.empty())
    return "no single change of the plan that saves memory is legal";
  std::vector<std::string> fitting;
  std::string key_that_fits;
  std::vector<std::string> tried; // keys already listed; changes of one key are consecutive
  for (const MemoryChange& change : changes) {
    if (tried.empty() || tried.back() != change.key)
      tried.push_back(change.key);
    if (change.memory.total() > capacity || change.key == key_that_fits)
      continue;
    key_that_fits = change.key;
    fitting.push_back(setting_of(change) + " fits");
  }
  if (!fitting.empty())
    return fmt::format("{}", fmt::join(fitting, ", "));
  const auto nearest = std::min_element(changes.begin(), changes.end(),
                                        [](const MemoryChange& a, const MemoryChange& b) {
                                          return a.memory.total() < b.memory.total();
                                        });
  return fmt::format("no single change of {} fits; the nearest, {}, lacks {} GiB",
                     fmt::join(tried, ", "), setting_of(*nearest),
                     missing_gib(nearest->memory, capacity));
}

std::string missing_memory_text(const MemoryEstimate& memory, Bytes capacity) {
  INVARIANT(memory.total() > capacity, "{} bytes fit into {}", memory.total().value,
            capacity.value);
  return fmt::format("a GPU of stage {} needs {:.2f} GiB and has {:.2f}: {} GiB are missing",
                     memory.stage, gib(memory.total()), gib(capacity),
                     missing_gib(memory, capacity));
}

} // namespace moesim
