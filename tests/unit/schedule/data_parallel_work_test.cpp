#include "sim/schedule/build_step_graph.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "tests/support/stage_view.hpp"
#include "tests/unit/schedule/shipped_workload.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <map>
#include <set>

using namespace moesim;

namespace {

/// Mixtral-8x7B of so many layers on 32 GPUs a stage: data 32, expert 8, expert data 4.
Workload overlapped(std::int64_t layers, std::int64_t stages = 1) {
  Workload workload = shipped_workload("mixtral-8x7b", 8);
  workload.model.layers.resize(static_cast<std::size_t>(layers));
  workload.plan.layers_per_stage = {layers};
  workload.plan.gpus = 32;
  workload.training.global_batch = 32 * 4;
  workload.communication.overlap_data_parallel = true;
  return with_pipeline(std::move(workload), stages);
}

/// Bytes of the collectives whose name ends like this, by group.
std::map<GroupKind, std::int64_t> bytes_of(const std::vector<SeenSegment>& segments,
                                           const std::string& ending) {
  std::map<GroupKind, std::int64_t> bytes;
  for (const SeenSegment& segment : segments)
    if (const auto* work = std::get_if<SeenCollective>(&segment.work))
      if (work->name.ends_with(ending))
        bytes[work->group] += work->bytes.value;
  return bytes;
}

/// Every operation that must have ended before `op` starts.
std::set<std::string> before(const StepGraph& graph, const std::string& name) {
  std::set<std::string> found;
  std::vector<std::vector<OpId>> predecessors(graph.ops.size());
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op)
    for (const OpId next : graph.successors(OpId(op)))
      predecessors[index(next)].push_back(OpId(op));
  std::function<void(OpId)> visit = [&](OpId op) {
    for (const OpId previous : predecessors[index(op)])
      if (found.insert(graph.name_of(previous)).second)
        visit(previous);
  };
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op)
    if (graph.name_of(OpId(op)).ends_with(name))
      visit(OpId(op));
  return found;
}

bool any_ends_with(const std::set<std::string>& names, const std::string& ending) {
  for (const std::string& name : names)
    if (name.ends_with(ending))
      return true;
  return false;
}

} // namespace

TEST_CASE("overlapped communication reduces and gathers every parameter once a step") {
  const Workload workload = overlapped(5, 1);
  const StageParameters all = stage_parameters(workload, 0);
  const StageView work = stage_work(workload, 0);
  const auto reduced = bytes_of(work.last_backward, "GradientReduce");
  CHECK(reduced.at(GroupKind::data) == 4 * all.dense_per_rank);
  CHECK(reduced.at(GroupKind::expert_data) == 4 * all.expert_per_rank);
  const auto gathered = bytes_of(step_start_work(workload, 0), "WeightGather");
  CHECK(gathered.at(GroupKind::data) == 2 * all.dense_per_rank);
  CHECK(gathered.at(GroupKind::expert_data) == 2 * all.expert_per_rank);
  CHECK(bytes_of(work.forward, "WeightGather").empty());
  CHECK(bytes_of(work.backward, "GradientReduce").empty());
  CHECK(step_end_work(workload, 0).size() == 1);
}

TEST_CASE("gradients are reduced beside the last backward pass, and waited for by the optimizer") {
  const Workload workload = overlapped(2);
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  const auto reduce = before(graph, "].GradientReduce");
  CHECK(any_ends_with(reduce, "MicroBatch[3].Layer[1].DispatchGradient"));
  CHECK_FALSE(any_ends_with(reduce, "MicroBatch[3].Layer[0].CombineGradient"));
  CHECK(any_ends_with(before(graph, "LastGradientReduce"),
                      "MicroBatch[3].Layer[0].DispatchGradient"));
  CHECK_FALSE(
      any_ends_with(before(graph, "MicroBatch[3].Layer[0].DispatchGradient"), "GradientReduce"));
  CHECK(any_ends_with(before(graph, "Optimizer"), "LastGradientReduce"));
}

TEST_CASE("weights are gathered beside the first forward pass, and waited for by the last layer") {
  const Workload workload = overlapped(2);
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  CHECK(any_ends_with(before(graph, "MicroBatch[0].Layer[0].Dispatch"), ".FirstWeightGather"));
  CHECK_FALSE(any_ends_with(before(graph, "MicroBatch[0].Layer[0].Dispatch"), "].WeightGather"));
  CHECK(any_ends_with(before(graph, "MicroBatch[0].Layer[1].Dispatch"), "].WeightGather"));
}

// ZeRO-2 reduces after every micro-batch, ZeRO-3 gathers for every pass.
TEST_CASE("sharded gradients and weights travel with every pass") {
  Workload workload = overlapped(3);
  workload.plan.zero_stage = 2;
  CHECK(bytes_of(stage_work(workload, 0).backward, "GradientReduce").size() == 2);
  CHECK(bytes_of(stage_work(workload, 0).forward, "WeightGather").empty());
  workload.plan.zero_stage = 3;
  const StageView work = stage_work(workload, 0);
  const StageParameters all = stage_parameters(workload, 0);
  CHECK(bytes_of(work.forward, "WeightGather").at(GroupKind::data) == 2 * all.dense_per_rank);
  CHECK(bytes_of(work.backward, "WeightGather").at(GroupKind::data) == 2 * all.dense_per_rank);
  CHECK(bytes_of(work.backward, "GradientReduce").at(GroupKind::data) == 4 * all.dense_per_rank);
}

// 8 copies on 8 ranks, one each, of Mixtral's experts of 3 x 4,096 x 14,336 parameters in two
// layers: each copy away from the first sends 4 bytes a parameter and gets 2.
TEST_CASE("copies of experts send their gradients to the first and get its weights") {
  Workload workload = overlapped(2);
  workload.routing.load = LoadKind::zipf;
  workload.routing.zipf_alpha = 1.0;
  workload.routing.redundant_experts = 8;
  CHECK(bytes_of(step_end_work(overlapped(2), 0), "ExpertCopyGradients").empty());
  const ExpertLoads loads(workload);
  std::int64_t away = 0;
  for (const std::int64_t layer : {0, 1})
    for (const ReplicaRanks& copies : ranks_of_replicas(loads.placement(layer), 8))
      away += static_cast<std::int64_t>(copies.ranks.size()) - 1;
  CHECK(away == 16); // no rank holds an expert twice
  const std::int64_t expert = 3LL * 4096 * 14336;
  const auto gradients = bytes_of(step_end_work(workload, 0), "ExpertCopyGradients");
  const auto weights = bytes_of(step_end_work(workload, 0), "ExpertCopyWeights");
  CHECK(gradients.at(GroupKind::expert) == away * expert * 4 / 8);
  CHECK(weights.at(GroupKind::expert) == away * expert * 2 / 8);
}
