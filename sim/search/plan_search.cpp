#include "sim/search/plan_search.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/replay.hpp"
#include "sim/scenario/placed_topology.hpp"
#include "sim/schedule/memory_estimate.hpp"
#include "sim/search/step_bound.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <tuple>
#include <utility>

namespace moesim {

namespace {

/// Plans with the same shape and pipeline, and which of their shardings fit.
struct PlanGroup {
  PlanShape shape;
  PlanPipeline pipeline;
  std::vector<std::size_t> fitting; ///< indices of PlanSpace::shardings
};

class Search {
public:
  Search(const PlanProblem& problem, const Costs& costs, std::size_t keep)
      : problem_(problem), costs_(costs), keep_(keep),
        space_(problem.base, problem.choices, problem.topology) {}

  PlanSearch run() {
    find_groups();
    while (!open_.empty() && may_be_kept(open_.top().bound)) {
      const Entry entry = open_.top();
      open_.pop();
      take(entry);
    }
    found_.bounded_out = found_.fit - found_.replayed;
    for (Kept& kept : kept_)
      found_.best.push_back(std::move(kept.plan));
    return std::move(found_);
  }

private:
  /// The bound that an entry of the queue has, from the one that is quickest to find.
  enum class Step : std::uint8_t {
    busiest_computes, ///< of the computes of a group of plans, on the busiest stage
    computes,         ///< of the computes of a group of plans, pass by pass
    busiest_stage,    ///< of one plan with its communications, on the busiest stage
    plan              ///< of one plan with its communications, pass by pass
  };
  /// A group of plans, or one plan of it, with a time that it cannot beat.
  struct Entry {
    Seconds bound;
    Step step = Step::busiest_computes;
    std::size_t group = 0;
    std::size_t sharding = 0; ///< of a plan: an index of PlanGroup::fitting

    bool operator>(const Entry& other) const {
      return std::tie(bound, group, sharding) > std::tie(other.bound, other.group, other.sharding);
    }
  };
  struct Kept {
    Seconds time;
    std::size_t group = 0;
    std::size_t sharding = 0;
    FoundPlan plan;

    bool operator<(const Kept& other) const {
      return std::tie(time, group, sharding) < std::tie(other.time, other.group, other.sharding);
    }
  };

  /// Whether a plan that takes at least `bound` may be among those that are kept.
  bool may_be_kept(Seconds bound) const {
    return kept_.size() < keep_ || bound * (1.0 - bound_slack) <= kept_.back().time;
  }

  /// The cluster as some plans use it, and their bounds there.
  struct PlacedCluster {
    Topology topology;
    PlanBounds bounds;

    PlacedCluster(const TopologySpec& placed, std::int64_t gpus, const Costs& costs,
                  PipelineOrderTable& orders)
        : topology(placed, gpus), bounds(topology, costs, orders) {}
  };

  PlacedCluster& cluster_of(const ParallelPlan& plan) {
    std::unique_ptr<PlacedCluster>& cluster = clusters_[domain_gpus_used(problem_.topology, plan)];
    if (!cluster)
      cluster = std::make_unique<PlacedCluster>(placed_topology(problem_.topology, plan), plan.gpus,
                                                costs_, orders_);
    return *cluster;
  }

  /// The bounds and the memory of plans of one shape.
  struct ShapeModels {
    ExpertLoads loads;
    MemoryModel memory;
    ComputeBounds computes;

    ShapeModels(const Workload& workload, const Costs& costs, PipelineOrderTable& orders)
        : loads(workload), memory(workload, loads, orders), computes(workload, costs, orders) {}
  };

  ShapeModels& models_of(const Workload& workload) {
    std::unique_ptr<ShapeModels>& models = models_[compute_key(workload)];
    if (!models)
      models = std::make_unique<ShapeModels>(workload, costs_, orders_);
    return *models;
  }

  /// Collects the legal plans that fit, each with a bound.
  void find_groups() {
    space_.for_each([&](const PlanShape& shape, const PlanPipeline& pipeline) {
      const std::vector<PlanSharding>& shardings = space_.shardings(shape, pipeline);
      const Workload first = space_.workload(shape, pipeline, shardings.front());
      ShapeModels& models = models_of(first);
      PlanGroup group{shape, pipeline, {}};
      std::map<std::pair<std::int64_t, bool>, Bytes> memory; // by what it depends on
      for (std::size_t number = 0; number < shardings.size(); ++number) {
        const PlanSharding& sharding = shardings[number];
        const bool gathers = sharding.dispatch.dispatcher == Dispatcher::all_gather;
        const auto [known, added] = memory.try_emplace({sharding.zero_stage, gathers});
        if (added) {
          ParallelPlan plan = first.plan;
          plan.zero_stage = sharding.zero_stage;
          models.memory.set_plan(plan, sharding.dispatch.dispatcher);
          known->second = models.memory.fullest().total();
        }
        if (known->second <= problem_.topology.gpu.memory)
          group.fitting.push_back(number);
        else
          note_smallest(shape, pipeline, sharding, known->second);
      }
      found_.legal += static_cast<std::int64_t>(shardings.size());
      found_.fit += static_cast<std::int64_t>(group.fitting.size());
      if (group.fitting.empty())
        return;
      open_.push(
          {models.computes.busiest_stage(first.plan), Step::busiest_computes, groups_.size()});
      groups_.push_back(std::move(group));
    });
  }

  void note_smallest(const PlanShape& shape, const PlanPipeline& pipeline,
                     const PlanSharding& sharding, Bytes memory) {
    if (found_.fit > 0 || (found_.smallest && memory >= smallest_))
      return;
    smallest_ = memory;
    found_.smallest = space_.workload(shape, pipeline, sharding);
  }

  void bound_group(std::size_t number) {
    const Workload first = workload_of(number, 0);
    push({models_of(first).computes.of(first.plan), Step::computes, number});
  }

  void bound_plans(std::size_t number) {
    for (std::size_t fitting = 0; fitting < groups_[number].fitting.size(); ++fitting)
      bound_plan(Step::busiest_stage, number, fitting);
  }

  void bound_plan(Step step, std::size_t number, std::size_t fitting) {
    const Workload workload = workload_of(number, fitting);
    PlanBounds& bounds = cluster_of(workload.plan).bounds;
    push({step == Step::plan ? bounds.of(workload) : bounds.busiest_stage(workload), step, number,
          fitting});
  }

  void push(const Entry& entry) {
    if (may_be_kept(entry.bound))
      open_.push(entry);
  }

  /// Replaces an entry by those with the next tighter bound, or replays its plan.
  void take(const Entry& entry) {
    switch (entry.step) {
    case Step::busiest_computes:
      return bound_group(entry.group);
    case Step::computes:
      return bound_plans(entry.group);
    case Step::busiest_stage:
      return bound_plan(Step::plan, entry.group, entry.sharding);
    case Step::plan:
      return replay(entry);
    }
  }

  /// No plan that takes longer is kept. Sums in another order may differ by rounding.
  Seconds limit() const {
    constexpr double rounding = 1e-9;
    return kept_.size() < keep_ ? no_limit : kept_.back().time * (1.0 + rounding);
  }

  void replay(const Entry& entry) {
    Workload workload = workload_of(entry.group, entry.sharding);
    const std::optional<StepReplay> replay = replay_step_within(
        limit(), workload, cluster_of(workload.plan).topology, problem_.fidelity, costs_);
    ++found_.replayed;
    if (!replay)
      return;
    const Seconds time = replay->metrics.step_time;
    INVARIANT(replay->approximate || time.value >= entry.bound.value * (1.0 - bound_slack),
              "step {} bound {} for {}", time.value, entry.bound.value, plan_settings(workload));
    kept_.push_back({time, entry.group, entry.sharding, {std::move(workload), *replay}});
    std::sort(kept_.begin(), kept_.end());
    if (kept_.size() > keep_)
      kept_.pop_back();
  }

  /// `fitting` is an index of PlanGroup::fitting.
  Workload workload_of(std::size_t number, std::size_t fitting) const {
    const PlanGroup& group = groups_[number];
    return space_.workload(group.shape, group.pipeline,
                           space_.shardings(group.shape, group.pipeline)[group.fitting[fitting]]);
  }

  const PlanProblem& problem_;
  const Costs& costs_;
  std::size_t keep_;
  PlanSpace space_;
  PipelineOrderTable orders_;
  std::map<std::int64_t, std::unique_ptr<PlacedCluster>> clusters_; ///< by domain_gpus_used
  PlanSearch found_;
  std::vector<PlanGroup> groups_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open_;
  std::vector<Kept> kept_;
  Bytes smallest_; ///< memory of `found_.smallest`
  std::map<ComputeKey, std::unique_ptr<ShapeModels>> models_;
};

} // namespace

PlanSearch search_plans(const PlanProblem& problem, const Costs& costs, std::size_t keep) {
  return Search(problem, costs, keep).run();
}

} // namespace moesim
