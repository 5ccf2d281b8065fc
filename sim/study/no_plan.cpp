#include "sim/study/no_plan.hpp"

#include "sim/study/memory_advice.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <set>

namespace moesim {

namespace {

/// A degree of a plan: its key, its choices, its value in a plan.
struct Degree {
  const char* key;
  std::vector<std::int64_t> PlanChoices::*choices;
  std::int64_t PlanShape::*shape = nullptr;
  std::int64_t PlanPipeline::*pipeline = nullptr;
};

constexpr auto degrees = std::to_array<Degree>({
    {"parallel.tensor", &PlanChoices::tensor, &PlanShape::tensor},
    {"parallel.context", &PlanChoices::context, &PlanShape::context},
    {"parallel.pipeline", &PlanChoices::pipeline, nullptr, &PlanPipeline::pipeline},
    {"parallel.virtual_stages", &PlanChoices::virtual_stages, nullptr,
     &PlanPipeline::virtual_stages},
    {"parallel.expert", &PlanChoices::expert, &PlanShape::expert},
    {"parallel.expert_tensor", &PlanChoices::expert_tensor, &PlanShape::expert_tensor},
    {"training.micro_batch", &PlanChoices::micro_batch, &PlanShape::micro_batch},
});

/// A test of the plans of a shape and pipeline.
using PlanTest = std::function<bool(const PlanSpace& space, const PlanShape&, const PlanPipeline&)>;

bool can_run(const PlanSpace&, const PlanShape&, const PlanPipeline&) {
  return true; // a space has no other plans
}

/// Whether one of them fits into memory.
PlanTest fits_into(Bytes memory) {
  return [memory](const PlanSpace& space, const PlanShape& shape, const PlanPipeline& pipeline) {
    const auto& shardings = space.shardings(shape, pipeline);
    return std::any_of(shardings.begin(), shardings.end(), [&](const PlanSharding& sharding) {
      return fullest_stage(space.workload(shape, pipeline, sharding)).total() <= memory;
    });
  };
}

/// The choices without values of open keys that need more memory, or divide less, than others.
PlanChoices lean(const Scenario& scenario) {
  PlanChoices choices = *scenario.search;
  if (choices.recompute.empty() && scenario.workload.plan.offload_modules.empty())
    choices.recompute = {Recompute::full};
  if (choices.overlap.empty())
    choices.overlap = {Overlap::none};
  if (choices.dispatcher.empty())
    choices.dispatcher = {Dispatcher::all_to_all};
  if (choices.schedule.empty() && choices.virtual_stages.empty()) {
    choices.schedule = {&Schedule::one_forward_one_backward};
    choices.virtual_stages = {1};
  }
  if (choices.micro_batch.empty())
    choices.micro_batch = {1};
  return choices;
}

/// Calls `visit` with the shape and pipeline of each plan that passes, on the GPUs and with the
/// global batch of `base`.
template <typename Visit>
void visit_plans(const Scenario& scenario, const Workload& base, const PlanChoices& choices,
                 const PlanTest& passes, const Visit& visit) {
  const PlanSpace space(base, choices, scenario.topology);
  space.for_each([&](const PlanShape& shape, const PlanPipeline& pipeline) {
    if (passes(space, shape, pipeline))
      visit(shape, pipeline);
  });
}

bool any_plan(const Scenario& scenario, const Workload& base, const PlanChoices& choices,
              const PlanTest& passes) {
  bool found = false;
  visit_plans(
      scenario, base, choices,
      [&](const PlanSpace& space, const PlanShape& shape, const PlanPipeline& pipeline) {
        return !found && passes(space, shape, pipeline);
      },
      [&](const PlanShape&, const PlanPipeline&) { found = true; });
  return found;
}

/// The value of a list that is nearest to `wanted` by ratio; of equals the smaller.
std::int64_t nearest_of(const std::set<std::int64_t>& values, std::int64_t wanted) {
  return *std::min_element(values.begin(), values.end(), [&](std::int64_t a, std::int64_t b) {
    const auto off = [&](std::int64_t value) {
      return std::abs(std::log2(static_cast<double>(value) / static_cast<double>(wanted)));
    };
    return off(a) < off(b);
  });
}

/// Global batches that some plan may divide, the nearest first: multiples of the sequences of all
/// replicas, and of those times the stages, as some schedules ask.
std::vector<std::int64_t> batches_to_try(const Scenario& scenario) {
  constexpr std::int64_t many = 5040; // divisible by all small numbers
  Workload base = scenario.workload;
  const std::int64_t wanted = base.training.global_batch;
  base.training.global_batch = base.plan.gpus * many;
  std::set<std::int64_t> batches;
  visit_plans(scenario, base, lean(scenario), can_run,
              [&](const PlanShape& shape, const PlanPipeline& pipeline) {
                const std::int64_t replicas =
                    base.plan.gpus / (shape.tensor * shape.context * pipeline.pipeline);
                for (const std::int64_t micro_batches : {std::int64_t{1}, pipeline.pipeline}) {
                  const std::int64_t factor = replicas * shape.micro_batch * micro_batches;
                  const std::int64_t below = wanted / factor * factor;
                  batches.insert({below, below + factor});
                }
              });
  batches.erase(0);
  std::vector<std::int64_t> sorted(batches.begin(), batches.end());
  std::stable_sort(sorted.begin(), sorted.end(), [&](std::int64_t a, std::int64_t b) {
    return std::abs(a - wanted) < std::abs(b - wanted);
  });
  return sorted;
}

std::optional<std::string> other_batch(const Scenario& scenario) {
  for (const std::int64_t batch : batches_to_try(scenario)) {
    Workload base = scenario.workload;
    base.training.global_batch = batch;
    if (any_plan(scenario, base, lean(scenario), can_run))
      return fmt::format("training.global_batch = {}", batch);
  }
  return std::nullopt;
}

/// Numbers of GPUs around that of the scenario, the nearest first.
std::vector<std::int64_t> near_gpus(std::int64_t gpus) {
  constexpr std::int64_t farthest = 64;
  std::vector<std::int64_t> near;
  for (std::int64_t step = 1; step <= farthest; ++step)
    near.insert(near.end(), {gpus - step, gpus + step});
  return near;
}

/// Numbers of GPUs above that of the scenario: times 2, 3, 4, 6, 8, 12, ...
std::vector<std::int64_t> more_gpus(std::int64_t gpus, std::int64_t most) {
  std::vector<std::int64_t> more;
  for (std::int64_t times = 2; times * gpus <= most; times *= 2)
    more.insert(more.end(), {times * gpus, times / 2 * 3 * gpus});
  return more;
}

std::optional<std::string> other_gpus(const Scenario& scenario, const PlanTest& passes,
                                      const std::vector<std::int64_t>& counts) {
  for (const std::int64_t gpus : counts) {
    if (gpus < 1 || gpus > scenario.topology.gpus_max)
      continue;
    Workload base = scenario.workload;
    base.plan.gpus = gpus;
    if (any_plan(scenario, base, lean(scenario), passes))
      return fmt::format("cluster.gpus = {}", gpus);
  }
  return std::nullopt;
}

/// The nearest value of a degree with choices, if these alone are in the way.
std::optional<std::string> other_degree(const Scenario& scenario, const PlanTest& passes,
                                        const Degree& degree) {
  PlanChoices choices = lean(scenario);
  const std::vector<std::int64_t> fixed = *scenario.search.*degree.choices;
  if (fixed.empty())
    return std::nullopt;
  (choices.*degree.choices).clear();
  if (degree.choices == &PlanChoices::micro_batch) // the open ones are few
    for (std::int64_t value = fixed.front(); value > 0; value /= 2)
      choices.micro_batch.push_back(value);
  std::set<std::int64_t> values;
  visit_plans(scenario, scenario.workload, choices, passes,
              [&](const PlanShape& shape, const PlanPipeline& pipeline) {
                values.insert(degree.shape ? shape.*degree.shape : pipeline.*degree.pipeline);
              });
  if (values.empty())
    return std::nullopt;
  return fmt::format("{} = {}", degree.key, nearest_of(values, fixed.front()));
}

/// The schedule, left open, if it alone is in the way.
std::optional<std::string> other_schedule(const Scenario& scenario, const PlanTest& passes) {
  PlanChoices choices = lean(scenario);
  if (scenario.search->schedule.empty())
    return std::nullopt;
  choices.schedule.clear();
  const Schedule* found = nullptr;
  visit_plans(scenario, scenario.workload, choices, passes,
              [&](const PlanShape&, const PlanPipeline& pipeline) {
                if (!found)
                  found = pipeline.schedule;
              });
  if (!found)
    return std::nullopt;
  return fmt::format("parallel.schedule = \"{}\"", found->name);
}

/// A recompute or a ZeRO stage that saves memory, where the scenario fixes them.
std::vector<std::string> other_savings(const Scenario& scenario, const PlanTest& fits) {
  std::vector<std::string> changes;
  const auto try_choices = [&](const PlanChoices& choices, const std::string& change) {
    const bool fitting = any_plan(scenario, scenario.workload, choices, fits);
    if (fitting)
      changes.push_back(change);
    return fitting;
  };
  PlanChoices choices = lean(scenario);
  for (const Recompute recompute : {Recompute::selective, Recompute::full}) {
    choices.recompute = {recompute};
    if (!scenario.search->recompute.empty() &&
        try_choices(choices, fmt::format("parallel.recompute = \"{}\"",
                                         name_of(recompute_names, recompute))))
      break;
  }
  choices = lean(scenario);
  for (const std::int64_t stage : {1, 2, 3}) {
    choices.zero_stage = {stage};
    if (!scenario.search->zero_stage.empty() &&
        try_choices(choices, fmt::format("parallel.zero_stage = {}", stage)))
      break;
  }
  Workload expandable = scenario.workload;
  expandable.training.expandable_segments = true;
  if (any_plan(scenario, expandable, lean(scenario), fits))
    changes.emplace_back("training.expandable_segments = true");
  return changes;
}

/// Single changes that give a plan which passes: of the GPUs, of a fixed degree or schedule.
std::vector<std::string> single_changes(const Scenario& scenario, const PlanTest& passes,
                                        const std::vector<std::int64_t>& gpus) {
  std::vector<std::string> changes;
  const auto note = [&](const std::optional<std::string>& change) {
    if (change)
      changes.push_back(*change);
  };
  note(other_gpus(scenario, passes, gpus));
  for (const Degree& degree : degrees)
    note(other_degree(scenario, passes, degree));
  note(other_schedule(scenario, passes));
  return changes;
}

/// " (parallel.pipeline = 5, parallel.tensor = 1 or 2)": the degrees and schedules that a scenario
/// fixes; empty if all are open.
std::string fixed_text(const PlanChoices& choices) {
  std::vector<std::string> fixed;
  for (const Degree& degree : degrees)
    if (const auto& values = choices.*degree.choices; !values.empty())
      fixed.push_back(fmt::format("{} = {}", degree.key, fmt::join(values, " or ")));
  std::vector<std::string> schedules;
  for (const Schedule* schedule : choices.schedule)
    schedules.push_back(fmt::format("\"{}\"", schedule->name));
  if (!schedules.empty())
    fixed.push_back(fmt::format("parallel.schedule = {}", fmt::join(schedules, " or ")));
  return fixed.empty() ? "" : fmt::format(" ({})", fmt::join(fixed, ", "));
}

std::string changes_text(const std::vector<std::string>& changes) {
  return fmt::format("{} enough: {}",
                     changes.size() == 1 ? "one change is" : "each of these changes alone is",
                     fmt::join(changes, ", "));
}

std::string illegal_text(const Scenario& scenario) {
  const Workload& workload = scenario.workload;
  std::vector<std::string> changes =
      single_changes(scenario, can_run, near_gpus(workload.plan.gpus));
  if (const auto batch = other_batch(scenario))
    changes.insert(changes.begin(), *batch);
  const std::string none =
      fmt::format("no plan among the choices{} divides {} GPUs, a global batch of {} sequences, {} "
                  "layers and {} "
                  "experts",
                  fixed_text(*scenario.search), workload.plan.gpus, workload.training.global_batch,
                  workload.model.layers.size(), workload.model.experts.experts);
  return fmt::format("{}; {}", none,
                     changes.empty()
                         ? "no single change of the batch, the GPUs or a fixed key gives one"
                         : changes_text(changes));
}

std::string memory_text(const PlanSearch& search, const Scenario& scenario) {
  const Bytes capacity = scenario.topology.gpu.memory;
  const PlanTest fits = fits_into(capacity);
  std::vector<std::string> changes = single_changes(
      scenario, fits, more_gpus(scenario.workload.plan.gpus, scenario.topology.gpus_max));
  for (std::string& change : other_savings(scenario, fits))
    changes.push_back(std::move(change));
  const std::string none =
      fmt::format("none of {} plans fits into memory; of the one that needs least, {}: {}",
                  search.legal, missing_memory_text(fullest_stage(*search.smallest), capacity),
                  plan_settings(*search.smallest));
  return fmt::format(
      "{}; {}", none,
      changes.empty() ? fmt::format("no single change is enough, of a fixed key, of the GPUs (up "
                                    "to {}) or of training.expandable_segments",
                                    scenario.topology.gpus_max)
                      : changes_text(changes));
}

} // namespace

std::string no_plan_text(const PlanSearch& search, const Scenario& scenario) {
  return search.smallest ? memory_text(search, scenario) : illegal_text(scenario);
}

} // namespace moesim
