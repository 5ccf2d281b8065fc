#include "sim/schedule/build_step_graph.hpp"
#include "tests/unit/schedule/shipped_workload.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace moesim;

namespace {

/// Mixtral with a layer in each of two stages, three micro-batches. A pass is 3 computes and 2
/// all-to-alls.
Workload two_stages() {
  Workload workload = shipped_workload("mixtral-8x7b", 8);
  workload.model.layers.resize(2);
  workload.training.global_batch *= 3;
  return with_pipeline(std::move(workload), 2);
}

/// The graph if collectives of `role` have this contention, and others have none.
StepGraph graph_if(const Workload& workload, Role role, Contention contention,
                   const DeviceLayout& layout) {
  return build_step_graph(workload, layout, ExpertLoads(workload),
                          [&](const StepGraph& graph, const std::vector<Communication>& all) {
                            std::vector<Contention> found;
                            for (const auto& [op, detached] : all)
                              found.push_back(op.kind == OpKind::collective &&
                                                      graph.works.collectives[op.work].role == role
                                                  ? contention
                                                  : Contention::none);
                            return found;
                          });
}

std::ptrdiff_t run_count(const StepGraph& graph) {
  return std::count_if(graph.ops.begin(), graph.ops.end(),
                       [](const Op& op) { return op.kind == OpKind::run; });
}

} // namespace

TEST_CASE("a pass whose communications meet nobody is one operation") {
  const Workload workload = two_stages();
  const DeviceLayout layout = one_rank_per_stage(workload.plan);
  const StepGraph single = build_step_graph(workload, layout);
  const StepGraph graph = graph_if(workload, Role::dispatch, Contention::none, layout);
  CHECK(run_count(graph) == 2 * 2 * 3);
  CHECK(graph.ops.size() == single.ops.size() - 2 * 2 * 3 * (5 - 1));
  CHECK(graph.operation_count() == single.ops.size());
  // Stages, forward and backward: micro-batches share theirs.
  CHECK(graph.runs.size() == 2 * 2);
  for (const std::vector<Op>& run : graph.runs)
    CHECK(run.size() == 5);
}

// A forward pass is compute, dispatch, compute, combine, compute. The dispatch meets others, so the
// last three make a run. A backward pass is the reverse: its first three make a run.
TEST_CASE("a communication that meets others is no part of a run") {
  const Workload workload = two_stages();
  const DeviceLayout layout = one_rank_per_stage(workload.plan);
  const StepGraph graph = graph_if(workload, Role::dispatch, Contention::others, layout);
  CHECK(run_count(graph) == 2 * 2 * 3);
  for (const std::vector<Op>& run : graph.runs) {
    CHECK(run.size() == 3);
    for (const Op& op : run)
      CHECK((op.kind == OpKind::compute || graph.works.collectives[op.work].role == Role::combine));
  }
}

// The collective that comes first brings the devices together: its compute stays alone on each.
TEST_CASE("devices of a group run together from a collective on") {
  const Workload workload = two_stages();
  const DeviceLayout layout = every_rank(workload.plan);
  const StepGraph graph = graph_if(workload, Role::dispatch, Contention::none, layout);
  CHECK(run_count(graph) == 2 * 2 * 3);
  for (const std::vector<Op>& run : graph.runs) {
    CHECK(run.size() == 4);
    CHECK(run.front().kind == OpKind::collective);
  }
  CHECK(graph.operation_count() == build_step_graph(workload, layout).ops.size());
}

// With the gradients of a layer reduced beside the last backward pass, and its weights gathered
// beside the first forward pass, those passes have communications beside them.
TEST_CASE("a communication that meets detached ones joins no run beside them") {
  Workload workload = two_stages();
  workload.plan.gpus *= 2; // expert data 2
  workload.plan.zero_stage = 2;
  workload.training.global_batch *= 2;
  workload.communication.overlap_data_parallel = true;
  const DeviceLayout layout = one_rank_per_stage(workload.plan);
  const StepGraph free = graph_if(workload, Role::dispatch, Contention::none, layout);
  const StepGraph met = graph_if(workload, Role::dispatch, Contention::detached, layout);
  CHECK(run_count(met) > 0);
  CHECK(met.ops.size() > free.ops.size());
  CHECK(met.operation_count() == free.operation_count());
}
