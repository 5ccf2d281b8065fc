#include "sim/study/no_plan.hpp"

#include "sim/study/memory_advice.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
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

/// Calls `visit` with the shape and pipeline of each plan that can run, on the GPUs and with the
/// global batch of `base`.
template <typename Visit>
void visit_plans(const Scenario& scenario, const Workload& base, const PlanChoices& choices,
                 const Visit& visit) {
  PlanSpace(base, choices, scenario.topology).for_each(visit);
}

bool any_plan(const Scenario& scenario, const Workload& base) {
  bool found = false;
  visit_plans(scenario, base, *scenario.search,
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
  visit_plans(scenario, base, *scenario.search,
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
    if (any_plan(scenario, base))
      return fmt::format("training.global_batch = {}", batch);
  }
  return std::nullopt;
}

std::optional<std::string> other_gpus(const Scenario& scenario) {
  constexpr std::int64_t farthest = 64;
  const std::int64_t wanted = scenario.workload.plan.gpus;
  for (std::int64_t step = 1; step <= farthest; ++step)
    for (const std::int64_t gpus : {wanted - step, wanted + step}) {
      if (gpus < 1 || gpus > scenario.topology.gpus_max)
        continue;
      Workload base = scenario.workload;
      base.plan.gpus = gpus;
      if (any_plan(scenario, base))
        return fmt::format("cluster.gpus = {}", gpus);
    }
  return std::nullopt;
}

/// The nearest value of a degree with choices, if these alone are in the way.
std::optional<std::string> other_degree(const Scenario& scenario, const Degree& degree) {
  PlanChoices choices = *scenario.search;
  const std::vector<std::int64_t> fixed = choices.*degree.choices;
  if (fixed.empty())
    return std::nullopt;
  (choices.*degree.choices).clear();
  std::set<std::int64_t> values;
  visit_plans(scenario, scenario.workload, choices,
              [&](const PlanShape& shape, const PlanPipeline& pipeline) {
                values.insert(degree.shape ? shape.*degree.shape : pipeline.*degree.pipeline);
              });
  if (values.empty())
    return std::nullopt;
  return fmt::format("{} = {}", degree.key, nearest_of(values, fixed.front()));
}

/// The schedule, left open, if it alone is in the way.
std::optional<std::string> other_schedule(const Scenario& scenario) {
  PlanChoices choices = *scenario.search;
  if (choices.schedule.empty())
    return std::nullopt;
  choices.schedule.clear();
  const Schedule* found = nullptr;
  visit_plans(scenario, scenario.workload, choices,
              [&](const PlanShape&, const PlanPipeline& pipeline) {
                if (!found)
                  found = pipeline.schedule;
              });
  if (!found)
    return std::nullopt;
  return fmt::format("parallel.schedule = \"{}\"", found->name);
}

std::string illegal_text(const Scenario& scenario) {
  std::vector<std::string> changes;
  const auto note = [&](const std::optional<std::string>& change) {
    if (change)
      changes.push_back(*change);
  };
  note(other_batch(scenario));
  note(other_gpus(scenario));
  for (const Degree& degree : degrees)
    note(other_degree(scenario, degree));
  note(other_schedule(scenario));
  const Workload& workload = scenario.workload;
  const std::string none =
      fmt::format("no plan among the choices divides {} GPUs, a global batch of {} sequences, {} "
                  "layers and {} experts",
                  workload.plan.gpus, workload.training.global_batch, workload.model.layers.size(),
                  workload.model.experts.experts);
  return changes.empty()
             ? none + "; no single change of the batch, the GPUs or a fixed key gives one"
             : fmt::format("{}; each of these changes alone gives one: {}", none,
                           fmt::join(changes, ", "));
}

/// Whether a plan fits on `times` as many GPUs.
bool fits_on(const Scenario& scenario, std::int64_t times) {
  Workload base = scenario.workload;
  base.plan.gpus *= times;
  const PlanSpace space(base, *scenario.search, scenario.topology);
  bool found = false;
  space.for_each([&](const PlanShape& shape, const PlanPipeline& pipeline) {
    for (const PlanSharding& sharding : space.shardings(shape, pipeline))
      found = found || fullest_stage(space.workload(shape, pipeline, sharding)).total() <=
                           scenario.topology.gpu.memory;
  });
  return found;
}

/// "64 GPUs are enough", by doubling; or that none are.
std::string enough_gpus(const Scenario& scenario) {
  const std::int64_t gpus = scenario.workload.plan.gpus;
  std::int64_t tried = 1;
  for (std::int64_t times = 2; times <= 8 && times * gpus <= scenario.topology.gpus_max;
       times *= 2) {
    tried = times;
    if (fits_on(scenario, times))
      return fmt::format("a plan fits on {} GPUs", times * gpus);
  }
  return tried == 1 ? fmt::format("the cluster holds no {} GPUs", 2 * gpus)
                    : fmt::format("no plan fits on {} GPUs either", tried * gpus);
}

} // namespace

std::string no_plan_text(const PlanSearch& search, const Scenario& scenario) {
  if (!search.smallest)
    return illegal_text(scenario);
  const Bytes capacity = scenario.topology.gpu.memory;
  return fmt::format(
      "none of {} plans fits into memory; of the one that needs least, {}: {}; {}; {}",
      search.legal, missing_memory_text(fullest_stage(*search.smallest), capacity),
      plan_settings(*search.smallest), enough_gpus(scenario),
      memory_advice(*search.smallest, capacity));
}

} // namespace moesim
