#include "sim/schedule/build_step_graph.hpp"
#include "sim/schedule/stage_parameters.hpp"
#include "tests/unit/schedule/shipped_workload.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <optional>
#include <set>

using namespace moesim;

namespace {

/// Mixtral with a layer for each stage, `micro_batches` of them.
Workload mixtral(std::int64_t stages, std::int64_t micro_batches, std::int64_t expert = 8) {
  Workload workload = shipped_workload("mixtral-8x7b", expert);
  workload.model.layers.resize(static_cast<std::size_t>(stages));
  workload.training.global_batch *= micro_batches;
  return with_pipeline(std::move(workload), stages);
}

std::size_t count(const StepGraph& graph, OpKind kind) {
  std::size_t found = 0;
  for (const Op& op : graph.ops)
    found += op.kind == kind ? 1 : 0;
  return found;
}

std::string work_name(const StepGraph& graph, const Op& op) {
  return graph.works.labels[op.label].text();
}

/// Operations of each device's stage by name and micro-batch, transfers left out.
std::map<std::string, std::size_t> work_of_stage(const StepGraph& graph, std::int64_t stage) {
  std::map<std::string, std::size_t> found;
  std::set<std::size_t> devices;
  for (const Op& op : graph.ops) {
    if (op.kind == OpKind::transfer)
      continue;
    for (const DeviceId device : graph.devices_of(op)) {
      if (graph.devices[index(device)].stage != stage)
        continue;
      devices.insert(index(device));
      ++found[work_name(graph, op) + "@" + std::to_string(op.micro_batch)];
    }
  }
  for (auto& [name, times] : found)
    times /= devices.size();
  return found;
}

bool reaches(const StepGraph& graph, OpId from, OpId to) {
  std::vector<OpId> open{from};
  std::set<OpId> seen;
  while (!open.empty()) {
    const OpId op = open.back();
    open.pop_back();
    if (op == to)
      return true;
    if (seen.insert(op).second)
      for (const OpId next : graph.successors(op))
        open.push_back(next);
  }
  return false;
}

OpId find(const StepGraph& graph, const std::string& name) {
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op)
    if (graph.name_of(OpId(op)) == name)
      return OpId(op);
  FAIL("no " << name);
  return {};
}

} // namespace

// A pass of a layer is 3 computes and 2 all-to-alls; 2 stages, 3 micro-batches, there and back.
TEST_CASE("a folded graph counts a device for each stage") {
  const Workload workload = mixtral(2, 3);
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  CHECK(graph.devices.size() == 2);
  CHECK(count(graph, OpKind::transfer) == 2 * 3);
  // Expert data is 1, so a stage's step ends with the reduction and gathering of dense weights.
  CHECK(count(graph, OpKind::collective) == 2 * 3 * 2 * 2 + 2 * 2);
  CHECK(count(graph, OpKind::compute) == 2 * 3 * 2 * 3 + 2);
}

TEST_CASE("the graph of every rank has each rank's computes and one collective a group") {
  const Workload workload = mixtral(2, 3);
  const StepGraph graph = build_step_graph(workload, every_rank(workload.plan));
  CHECK(graph.devices.size() == 16);
  CHECK(count(graph, OpKind::transfer) == 8 * 2 * 3);
  CHECK(count(graph, OpKind::collective) == 2 * 3 * 2 * 2 + 2 * 2);
  CHECK(count(graph, OpKind::compute) == 8 * (2 * 3 * 2 * 3 + 2));
}

TEST_CASE("a rank has the same operations in every layout") {
  Workload workload = mixtral(2, 4);
  workload.plan.gpus *= 2;
  workload.plan.recompute = Recompute::full;
  workload.training.global_batch *= 2;
  const StepGraph folded = build_step_graph(workload, one_rank_per_stage(workload.plan));
  const StepGraph whole = build_step_graph(workload, every_rank(workload.plan));
  for (std::int64_t stage = 0; stage < 2; ++stage)
    CHECK(work_of_stage(folded, stage) == work_of_stage(whole, stage));
}

TEST_CASE("groups hold the devices of their ranks") {
  Workload workload = mixtral(1, 1, 4);
  workload.plan.gpus = 8;
  const StepGraph graph = build_step_graph(workload, every_rank(workload.plan));
  std::map<GroupKind, std::size_t> groups;
  for (const DeviceGroup& group : graph.groups)
    ++groups[group.kind];
  CHECK(groups[GroupKind::expert] == 2);
  CHECK(groups[GroupKind::expert_data] == 4);
  CHECK(groups[GroupKind::data] == 1);
  CHECK(groups[GroupKind::tensor] == 8);
}

TEST_CASE("a pass waits for its input, and the next pass of its stage for it") {
  const Workload workload = mixtral(2, 2);
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  const OpId send = find(graph, "Step.Stage[0].MicroBatch[1].Activation");
  const OpId receive =
      find(graph, "Step.Stage[1].MicroBatch[1].Layer[1].Attention to Layer[1].Router");
  const OpId back = find(graph, "Step.Stage[1].MicroBatch[0].ActivationGradient");
  const OpId last = find(graph, "Step.Stage[0].MicroBatch[0].Optimizer");
  CHECK(reaches(graph, send, receive));
  CHECK(reaches(graph, find(graph, "Step.Stage[0].MicroBatch[1].Layer[0].Combine"), send));
  CHECK(reaches(graph, back, last));
  CHECK_FALSE(reaches(graph, last, back));
  // The last stage runs its first backward pass before its second forward pass.
  CHECK(
      reaches(graph, find(graph, "Step.Stage[1].MicroBatch[0].Layer[1].ExpertGradient"), receive));
}

TEST_CASE("a micro-batch turns round on the last stage of a V without a transfer") {
  Workload workload = mixtral(4, 1);
  workload.plan.gpus = 16;
  workload.plan.pipeline = 2;
  workload.plan.virtual_stages = 2;
  workload.plan.schedule = Schedule::zero_bubble;
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  // Layers 0, 1, 2, 3 are on stages 0, 1, 1, 0: two transfers forward and two backward.
  CHECK(count(graph, OpKind::transfer) == 4);
  CHECK(reaches(graph, find(graph, "Step.Stage[1].MicroBatch[0].Layer[1].Expert"),
                find(graph, "Step.Stage[1].MicroBatch[0].Layer[2].Expert")));
  CHECK(reaches(graph, find(graph, "Step.Stage[1].MicroBatch[0].Layer[2].Expert"),
                find(graph, "Step.Stage[0].MicroBatch[0].Layer[3].Expert")));
}

TEST_CASE("stages that hold the same parameters exchange gradients and weights") {
  Workload workload = mixtral(2, 4);
  workload.plan.schedule = Schedule::dual_pipe;
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  // A transfer for each micro-batch, there and back, and two exchanges of either stage.
  CHECK(count(graph, OpKind::transfer) == 2 * 4 + 2 * 2);
  const OpId gradients = find(graph, "Step.Stage[0].MicroBatch[0].GradientExchange");
  const OpId weights = find(graph, "Step.Stage[0].MicroBatch[0].WeightExchange");
  // Micro-batches 2 and 3 enter at the last stage: their last backward pass is there.
  CHECK(reaches(graph, find(graph, "Step.Stage[1].MicroBatch[3].Layer[0].ExpertGradient"),
                find(graph, "Step.Stage[0].MicroBatch[0].Optimizer")));
  CHECK(reaches(graph, gradients, find(graph, "Step.Stage[1].MicroBatch[0].Optimizer")));
  CHECK(reaches(graph, find(graph, "Step.Stage[0].MicroBatch[0].Optimizer"), weights));
  CHECK(reaches(graph, weights, find(graph, "Step.Stage[1].MicroBatch[0].WeightGather")));
  // Dense parameters over data 8, experts over expert data 1: of its shard a rank updates half.
  const StageParameters p = stage_parameters(workload, 0);
  const std::int64_t half = (p.dense_per_rank / 8 + p.expert_per_rank) / 2;
  CHECK(graph.works.transfers[graph.ops[index(gradients)].work].bytes == Bytes{4 * half});
  CHECK(graph.works.transfers[graph.ops[index(weights)].work].bytes == Bytes{2 * half});
}

TEST_CASE("passes side by side wait for each other's stream, and not for the pass") {
  Workload workload = mixtral(1, 2);
  workload.plan.overlap_batches = true;
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  const auto op = [&](int micro_batch, const std::string& name) {
    return find(graph,
                "Step.Stage[0].MicroBatch[" + std::to_string(micro_batch) + "].Layer[0]." + name);
  };
  // The forward pass of 1 runs beside the backward pass of 0.
  CHECK(reaches(graph, op(0, "CombineGradient"), op(1, "Dispatch")));
  CHECK(reaches(graph, op(1, "Dispatch"), op(0, "DispatchGradient")));
  CHECK_FALSE(reaches(graph, op(1, "Dispatch"), op(0, "ExpertGradient")));
  CHECK_FALSE(reaches(graph, op(0, "DispatchGradient"), op(1, "Expert")));
  CHECK(reaches(graph, op(0, "ExpertGradient"), op(1, "Expert")));
  CHECK(reaches(graph, op(1, "Combine"), op(1, "CombineGradient")));
}

// Stage 1 of 4: after two forward passes of either direction and one pass alone, the first backward
// pass of micro-batch 0 runs beside a forward pass.
TEST_CASE("what a pass sends does not wait for the gradients of weights that end it") {
  Workload workload = mixtral(4, 8);
  workload.plan.schedule = Schedule::dual_pipe;
  workload.plan.overlap_batches = true;
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  const std::string pass = "Step.Stage[1].MicroBatch[0].";
  const OpId send = find(graph, pass + "ActivationGradient");
  const OpId weights =
      find(graph, pass + "Layer[1].RouterWeightGradient to Layer[1].AttentionWeightGradient");
  CHECK(reaches(graph, find(graph, pass + "Layer[1].RouterGradient to Layer[1].AttentionGradient"),
                send));
  CHECK_FALSE(reaches(graph, weights, send));
  CHECK(reaches(graph, weights, find(graph, pass + "Optimizer")));
}

// Stage 0 of 4 warms up with three forward passes, stage 1 with one and then two in turn.
TEST_CASE("where stages exchange between turns, both wait for a transfer, and it for both") {
  Workload workload = mixtral(4, 8);
  workload.plan.schedule = Schedule::dual_pipe;
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  const auto op = [&](int stage, int micro_batch, const std::string& name) {
    return find(graph, "Step.Stage[" + std::to_string(stage) + "].MicroBatch[" +
                           std::to_string(micro_batch) + "]." + name);
  };
  CHECK(reaches(graph, op(0, 0, "Activation"), op(0, 1, "Embedding to Layer[0].Router")));
  CHECK(reaches(graph, op(1, 0, "Layer[1].Expert"), op(0, 1, "Activation")));
  // Stage 1 receives the result after its first turn, before the pass of the other direction.
  CHECK(reaches(graph, op(0, 1, "Activation"), op(1, 4, "Layer[2].Expert")));
  workload.plan.schedule = Schedule::one_forward_one_backward;
  const StepGraph free = build_step_graph(workload, one_rank_per_stage(workload.plan));
  CHECK_FALSE(reaches(free, find(free, "Step.Stage[0].MicroBatch[0].Activation"),
                      find(free, "Step.Stage[0].MicroBatch[1].Embedding to Layer[0].Router")));
}

TEST_CASE("a shared expert waits for the router and not for the dispatch") {
  Workload workload = shipped_workload("deepseek-v3", 64);
  workload.model.layers = {{true, 1, 0}};
  workload.plan.layers_per_stage = {1};
  workload.communication.overlap_shared_expert = true;
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  const std::string layer = "Step.Stage[0].MicroBatch[0].Layer[0].";
  const OpId router = find(graph, "Step.Stage[0].MicroBatch[0].Embedding to Layer[0].Router");
  const OpId shared = find(graph, layer + "SharedExpert");
  const OpId dispatch = find(graph, layer + "Dispatch");
  const OpId expert = find(graph, layer + "Expert");
  CHECK(reaches(graph, router, shared));
  CHECK_FALSE(reaches(graph, dispatch, shared));
  CHECK_FALSE(reaches(graph, shared, dispatch));
  CHECK(reaches(graph, shared, expert));
  CHECK(reaches(graph, dispatch, expert));
}

// A cycle would make seal() throw.
TEST_CASE("graphs of up to 8 stages and 16 micro-batches have no cycle") {
  for (std::int64_t stages = 1; stages <= 8; ++stages)
    for (const std::int64_t micro_batches : {1, 2, 3, 7, 8, 16}) {
      INFO("stages " << stages << " micro-batches " << micro_batches);
      const Workload workload = mixtral(stages, micro_batches);
      const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
      CHECK(count(graph, OpKind::transfer) ==
            static_cast<std::size_t>(2 * (stages - 1) * micro_batches));
    }
}

// 4096 tokens of 4096 values in bf16, split over tensor parallelism.
TEST_CASE("a transfer carries the activations of one rank") {
  Workload workload = mixtral(2, 1);
  workload.plan.tensor = 2;
  workload.training.global_batch = 4;
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  REQUIRE(graph.works.transfers.size() == 1); // the gradient is as large
  CHECK(graph.works.transfers[0].bytes == Bytes{4096LL * 4096 * 2 / 2});
}

TEST_CASE(
    "the host launches a layer's experts after its router has ended, but ahead of attention") {
  Workload workload = mixtral(1, 1);
  workload.graphs = {};
  const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
  std::vector<OpId> launches;
  std::optional<OpId> router;
  std::optional<OpId> dispatch;
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op) {
    const std::string& name = work_name(graph, graph.ops[op]);
    if (name == "Launch")
      launches.push_back(OpId(op));
    if (name == "Embedding to Layer[0].Router")
      router = OpId(op);
    if (name == "Layer[0].Dispatch")
      dispatch = OpId(op);
  }
  // Three computes forward, three backward.
  REQUIRE(launches.size() == 6);
  REQUIRE((router && dispatch));
  CHECK_FALSE(reaches(graph, *router, launches[0]));
  CHECK(reaches(graph, launches[0], *dispatch));
  CHECK(reaches(graph, *router, launches[1]));
  CHECK_FALSE(reaches(graph, *dispatch, launches[1]));
  CHECK_FALSE(reaches(graph, *dispatch, launches[2]));
  CHECK_FALSE(reaches(graph, *dispatch, launches[3]));
}
