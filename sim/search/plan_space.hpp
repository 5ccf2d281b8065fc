#pragma once

#include "sim/platform/topology_spec.hpp"
#include "sim/workload/plan_choices.hpp"
#include "sim/workload/workload.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The recompute of a plan: none, full, or selective with its modules.
struct RecomputeChoice {
  Recompute kind = Recompute::none;
  RecomputeModules modules = {};
};

/// How tokens travel, and by which library.
struct DispatchChoice {
  Dispatcher dispatcher = Dispatcher::all_to_all;
  Library library = Library::deepep; ///< of Dispatcher::node_limited
};

/// The members of a plan that its computes depend on.
struct PlanShape {
  std::int64_t tensor = 1;
  std::int64_t context = 1;
  std::int64_t expert = 1;
  std::int64_t expert_tensor = 1;
  std::int64_t micro_batch = 1; ///< sequences
  RecomputeChoice recompute = {};
};

/// The members of a plan that say how its passes are ordered on stages.
struct PlanPipeline {
  std::int64_t pipeline = 1;
  std::int64_t virtual_stages = 1;
  const Schedule* schedule = nullptr;
  Overlap overlap = Overlap::none;
};

/// The members of a plan that change neither its computes nor the order of its passes.
struct PlanSharding {
  std::int64_t zero_stage = 1;
  DispatchChoice dispatch = {};
  std::optional<CudaGraphs> graphs = std::nullopt; ///< nothing: largest_scope of the plan
};

/// All values that the plans of a search may take, each list in order of preference: of plans that
/// take the same time the search chooses the first.
///
/// Open values: tensor degrees are powers of two up to a scale-up domain; context degrees powers of
/// two that leave a rank 4,096 tokens of a sequence; pipeline degrees those that divide the GPUs,
/// up to the layers; virtual stages 1, 2, 4 and 8; expert degrees those that divide the experts;
/// expert-tensor 1 or the tensor degree; micro-batches 1, 2 and 4 sequences, up to 16,384 tokens;
/// every schedule; no recompute, up to three sets of selective recompute, full recompute; ZeRO-1,
/// and ZeRO-3 without a pipeline; every dispatcher, with DeepEP and HybridEP; every overlap; of
/// CUDA graphs the largest scope that Megatron-Core captures for the plan (largest_scope). Smaller
/// scopes leave the host more to launch and take the same memory here: they are not faster, but
/// for fractions of a percent where a late host keeps transfers of two stages apart.
///
/// A scope that is written holds for every plan: other frameworks may capture more or less.
///
/// More than 15 methods: one lists the values of each member of a plan.
class PlanSpace {
public:
  /// The space of a model on the GPUs of `base.plan`, whose other members hold for every plan.
  /// Throws nothing: a choice that no plan can have is in no legal plan.
  PlanSpace(const Workload& base, const PlanChoices& choices, const TopologySpec& topology);

  const Workload& base() const { return base_; }

  /// Calls `visit` with each shape and pipeline of a legal plan (find_plan_fault,
  /// find_routing_fault), in order.
  void for_each(const std::function<void(const PlanShape&, const PlanPipeline&)>& visit) const;
  /// The shardings of the plans of a shape and pipeline, in order. Without expert parallelism
  /// nothing is dispatched.
  const std::vector<PlanSharding>& shardings(const PlanShape& shape,
                                             const PlanPipeline& pipeline) const {
    return shardings_[shape.expert > 1][pipeline.pipeline == 1];
  }

  Workload workload(const PlanShape& shape, const PlanPipeline& pipeline,
                    const PlanSharding& sharding) const;

  /// The legal plan that `settings` describe, as plan_settings wrote them. Throws InternalError if
  /// there is none.
  Workload plan_of(const std::string& settings) const;

private:
  void set_plan(const PlanShape& shape, const PlanPipeline& pipeline, const PlanSharding& sharding,
                Workload& workload) const;
  void
  for_each_degree(const std::function<void(const PlanShape&, const PlanPipeline&)>& visit) const;
  void
  for_each_schedule(const PlanShape& shape, std::int64_t pipeline,
                    const std::function<void(const PlanShape&, const PlanPipeline&)>& visit) const;
  std::vector<std::int64_t> context_degrees() const;
  std::vector<std::int64_t> pipeline_degrees() const;
  std::vector<std::int64_t> expert_degrees() const;
  std::vector<std::int64_t> expert_tensor_degrees(std::int64_t tensor) const;
  std::vector<std::int64_t> micro_batches() const;
  std::vector<RecomputeChoice> recomputes() const;
  std::vector<DispatchChoice> dispatches() const;
  std::vector<Overlap> overlaps(const PlanShape& shape) const;
  std::vector<std::optional<CudaGraphs>> scopes() const;

  Workload base_;
  PlanChoices choices_;
  TopologySpec topology_;
  /// By whether there is expert parallelism, then by whether there is one pipeline stage.
  std::array<std::array<std::vector<PlanSharding>, 2>, 2> shardings_;
};

/// The plan of a workload as assignments of a scenario's keys, each of which `--set` understands:
/// "parallel.tensor=1 parallel.pipeline=4 … training.micro_batch=1 communication.overlap="none"".
std::string plan_settings(const Workload& workload);

} // namespace moesim
