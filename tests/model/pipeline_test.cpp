#include "sim/metrics/step_metrics.hpp"
#include "sim/schedule/build_step_graph.hpp"
#include "tests/model/ideal_cluster.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>
#include <string>

using namespace moesim;

namespace {

/// A dense model with a layer for each stage, one GPU a stage, whose host is never late.
Workload one_layer_per_stage(std::int64_t stages, std::int64_t micro_batches) {
  Workload workload;
  workload.model.hidden = 64;
  workload.model.vocabulary = 64;
  workload.model.attention.heads = 1;
  workload.model.attention.kv_heads = 1;
  workload.model.attention.head_dim = 64;
  workload.model.attention.value_dim = 64;
  workload.model.layers.assign(static_cast<std::size_t>(stages), {false, 1, 256});
  workload.plan.gpus = stages;
  workload.plan.pipeline = stages;
  workload.plan.layers_per_stage.assign(static_cast<std::size_t>(stages), 1);
  workload.training.sequence_length = 64;
  workload.training.global_batch = micro_batches;
  workload.graphs.full_iteration = true;
  return workload;
}

/// The same step with computes of 1 ms forward and 2 ms backward on every stage, embedding and head
/// included, and an optimizer that takes no time.
StepGraph with_equal_stages(StepGraph graph, Bytes transfer, Schedule schedule) {
  Works& works = graph.works;
  const auto one_ms = static_cast<std::uint32_t>(works.kernel_lists.size());
  works.kernel_lists.push_back({lasting(Seconds{1e-3})});
  works.kernel_lists.push_back({lasting(Seconds{2e-3})});
  // The gradients of inputs and of weights take 1 ms each, apart or together. DualPipe has the
  // whole backward pass of a chunk, and then that of its inputs by the same label.
  std::map<std::string, std::set<std::uint32_t>> works_of_label;
  for (const Op& op : graph.ops)
    if (op.kind == OpKind::compute)
      works_of_label[works.labels[op.label].text()].insert(op.work);
  for (const auto& [label, numbers] : works_of_label) {
    const bool backward = label.find("Gradient") != std::string::npos;
    const bool weights = label.find("WeightGradient") != std::string::npos;
    for (const std::uint32_t number : numbers) {
      // Beside a communication a compute is a work of its own: the larger of the first two is that
      // of inputs.
      const bool inputs = schedule == Schedule::dual_pipe && number != *numbers.begin() &&
                          !works.computes[number].beside;
      const bool whole = backward && !weights && !inputs && schedule != Schedule::zero_bubble;
      works.computes[number].kernels = {whole ? one_ms + 1 : one_ms};
      if (label == "Optimizer")
        works.computes[number].kernels.clear();
    }
  }
  for (TransferWork& work : works.transfers)
    work.bytes = transfer;
  return graph;
}

/// All-to-alls of `bytes`, and nothing else between ranks.
StepGraph with_exchanges(StepGraph graph, Bytes bytes) {
  for (CollectiveWork& work : graph.works.collectives)
    work.bytes = work.kind == Collective::all_to_all ? bytes : Bytes{0};
  return graph;
}

StepMetrics measure(const Workload& workload, const TopologySpec& cluster, Bytes transfer,
                    Bytes exchange = {}) {
  const Topology topology(cluster, workload.plan.gpus);
  const Costs costs = ideal_costs();
  const ReplayLayout layout{one_rank_per_stage(workload.plan), LoadModel::representative, false};
  const StepGraph graph =
      with_exchanges(with_equal_stages(build_step_graph(workload, layout.layout), transfer,
                                       workload.plan.schedule),
                     exchange);
  const Timeline timeline =
      replay(graph, layout, {workload.plan, topology, &costs.compute, costs.network});
  return measure_step(graph, timeline, topology, ComputeTimes(graph.works, costs.compute));
}

/// Milliseconds that a streaming compute loses beside an all-to-all of `beside` milliseconds.
double lost(double beside) {
  return beside * (1.0 - 0.84 * (1.0 - 2 * 720e6 / (beside * 1e-3) / 1e15));
}

/// One layer with an expert on each of 8 GPUs, the forward pass of one micro-batch beside the
/// backward pass of the other.
Workload two_micro_batches_of_one_layer() {
  Workload workload = one_layer_per_stage(1, 16);
  workload.model.layers = {{true, 1, 0}};
  workload.model.experts.experts = 8;
  workload.model.experts.experts_per_token = 1;
  workload.model.experts.expert_hidden = 64;
  workload.plan.gpus = 8;
  workload.plan.expert = 8;
  workload.plan.overlap_batches = true;
  return workload;
}

TopologySpec without_latency() {
  TopologySpec cluster = ideal_cluster(FabricKind::rail_optimised, 32);
  cluster.node.scale_up_latency = {};
  cluster.node.nic_latency = {};
  return cluster;
}

} // namespace

// 4 stages, 6 micro-batches of 1 + 2 ms: 18 ms of work, and a bubble of (4 - 1) x 3 ms = 9 ms,
// which is (p - 1) / m = 1/2 of the work (Narayanan et al., arXiv 2104.04473, section 2.2).
TEST_CASE("equal stages leave a bubble of (p - 1) / m of the work") {
  const StepMetrics metrics = measure(one_layer_per_stage(4, 6), without_latency(), Bytes{0});
  CHECK(metrics.step_time.value == Approx(27e-3).epsilon(1e-9));
  CHECK(metrics.waterfall.compute.value == Approx(18e-3).epsilon(1e-9));
  CHECK(metrics.waterfall.pp_bubble.value == Approx(9e-3).epsilon(1e-9));
}

// The same bubble with the gradients of weights, 1 of the 2 ms, in the drain: 3 x (1 + 1 - 1) ms.
TEST_CASE("zero bubble leaves a third of it where all three passes take alike") {
  Workload workload = one_layer_per_stage(4, 8);
  workload.plan.schedule = Schedule::zero_bubble;
  const StepMetrics metrics = measure(workload, without_latency(), Bytes{0});
  CHECK(metrics.waterfall.compute.value == Approx(24e-3).epsilon(1e-9));
  CHECK(metrics.waterfall.pp_bubble.value == Approx(3e-3).epsilon(1e-9));
}

// 4 stages with 2 chunks of 1 + 2 ms each, 8 micro-batches: 48 ms of work, and the bubble of 9 ms
// that the chunks of one stage make, (p - 1) / (v m) of the work (section 2.3 there).
TEST_CASE("interleaving leaves the bubble of one chunk") {
  Workload workload = one_layer_per_stage(8, 8);
  workload.plan.gpus = 4;
  workload.plan.pipeline = 4;
  workload.plan.virtual_stages = 2;
  workload.plan.schedule = Schedule::interleaved;
  const StepMetrics metrics = measure(workload, without_latency(), Bytes{0});
  CHECK(metrics.waterfall.compute.value == Approx(48e-3).epsilon(1e-9));
  CHECK(metrics.waterfall.pp_bubble.value == Approx(9e-3).epsilon(1e-9));
}

// 2 stages with 2 chunks each, 3 micro-batches: 18 ms of work on each stage without a gap, from 0
// on the first and from 1 ms on the second. By hand, chunk a on the way down and b on the way up:
// stage 0 Fa0 Fa1 Fa2 to 3; stage 1 Fa0 1 to 2, Fb0 to 3, Fa1 to 4, Fb1 to 5; stage 0 Fb0 3 to 4,
// Ib0 to 5, Wb0 to 6; stage 1 Ib0 5 to 6, and so on.
TEST_CASE("the V leaves what the second stage waits for its first micro-batch") {
  Workload workload = one_layer_per_stage(4, 3);
  workload.plan.gpus = 2;
  workload.plan.pipeline = 2;
  workload.plan.virtual_stages = 2;
  workload.plan.schedule = Schedule::zero_bubble;
  const StepMetrics metrics = measure(workload, without_latency(), Bytes{0});
  CHECK(metrics.step_time.value == Approx(19e-3).epsilon(1e-9));
  CHECK(metrics.waterfall.compute.value == Approx(18e-3).epsilon(1e-9));
  CHECK(metrics.waterfall.pp_bubble.value == Approx(1e-3).epsilon(1e-9));
}

// 4 stages, 8 micro-batches, 4 from each end, passes one after the other: 24 ms of work, and the
// bubble of arXiv 2412.19437, table 2: (4 / 2 - 1) (F&B + B - 3 W) = 3 + 2 - 3 ms.
TEST_CASE("DualPipe fills the pipeline from both ends") {
  Workload workload = one_layer_per_stage(4, 8);
  workload.plan.schedule = Schedule::dual_pipe;
  const StepMetrics metrics = measure(workload, without_latency(), Bytes{0});
  CHECK(metrics.step_time.value == Approx(26e-3).epsilon(1e-9));
  CHECK(metrics.waterfall.compute.value == Approx(24e-3).epsilon(1e-9));
  CHECK(metrics.waterfall.pp_bubble.value == Approx(2e-3).epsilon(1e-9));
}

// 8 stages, 2 micro-batches, fewer than stages: (2 + 7) x 3 ms.
TEST_CASE("a pipeline deeper than its micro-batches fills and drains") {
  const StepMetrics metrics = measure(one_layer_per_stage(8, 2), without_latency(), Bytes{0});
  CHECK(metrics.step_time.value == Approx(27e-3).epsilon(1e-9));
  CHECK(metrics.waterfall.pp_bubble.value == Approx(21e-3).epsilon(1e-9));
}

// 2 stages, 1 micro-batch: forward 1 + 1 ms, backward 2 + 2 ms, and between the stages there and
// back 45 MB over NVLink at 450 GB/s and 0.5 us: 0.1005 ms each.
TEST_CASE("a transfer between stages on one node goes over NVLink") {
  const StepMetrics metrics = measure(
      one_layer_per_stage(2, 1), ideal_cluster(FabricKind::rail_optimised, 32), Bytes{45'000'000});
  CHECK(metrics.step_time.value == Approx(6e-3 + 2 * 0.1005e-3).epsilon(1e-9));
}

// The same with a node for each stage: 45 MB at 50 GB/s and 2 x 0.6 us are 0.9012 ms.
TEST_CASE("a transfer between stages on two nodes goes over their NICs") {
  TopologySpec cluster = ideal_cluster(FabricKind::rail_optimised, 32);
  cluster.node.gpus = 1;
  cluster.node.scale_up_gpus = 1;
  cluster.node.scale_up_switch_gpus = 1;
  cluster.node.nics = 1;
  const StepMetrics metrics = measure(one_layer_per_stage(2, 1), cluster, Bytes{45'000'000});
  CHECK(metrics.step_time.value == Approx(6e-3 + 2 * 0.9012e-3).epsilon(1e-9));
}

// With 3 micro-batches, t for 0.1005 ms: the first stage runs F0, F1 in 2 ms and then waits for the
// gradient of 0, which the second stage has done at 4 + t. B0 runs there from 4 + 2t and F2 to 7 +
// 2t; the second stage, idle since 7 + t, runs F2 and B2 from 7 + 3t to 10 + 3t, and B2 of the
// first stage ends at 12 + 4t.
TEST_CASE("one forward, one backward waits for each transfer in its turn") {
  const StepMetrics metrics = measure(
      one_layer_per_stage(2, 3), ideal_cluster(FabricKind::rail_optimised, 32), Bytes{45'000'000});
  CHECK(metrics.step_time.value == Approx(12e-3 + 4 * 0.1005e-3).epsilon(1e-9));
}

// One layer with an expert on each of 8 GPUs: forward 3 computes of 1 ms and 2 all-to-alls between
// them of 7/8 x 720 MB at 450 GB/s, 1.4 ms: 5.8 ms; backward 3 computes of 2 ms: 8.8 ms. Two
// micro-batches: F0, then F1 beside B0, then B1. An all-to-all holds 16 of 100 SMs, so that a
// compute loses 16 % of the time that it runs beside one, and as the computes here stream, of what
// is left the share of the memory's 1e15 B/s that reading and writing 720 MB takes: of 1 ms it
// takes 1/0.84, of 2 ms b = 2 + lost(A), where A is an all-to-all of the pair at 0.8 of its rate
// (toy_constants), 1.75 ms. In the pair, B for backward: B1 0 to 2; its A to 2 + A beside
// F1 to 3.19; F's A, behind that of B, to 2 + 2A beside B2, from 2 + A to 2 + A + b; B's second A
// to 2 + 2A + b beside F2; F's second A to 2 + 3A + b beside B3, from 2 + 2A + b to 2 + 2A + 2b; F3
// 1 ms more.
TEST_CASE("two micro-batches side by side hide their all-to-alls") {
  const Workload workload = two_micro_batches_of_one_layer();
  const StepMetrics metrics = measure(workload, without_latency(), Bytes{0}, Bytes{720'000'000});
  const double slow = 1.4 / 0.8;
  const double pair = 3.0 + 2 * slow + 2 * (2.0 + lost(slow));
  CHECK(metrics.step_time.value == Approx((5.8 + pair + 8.8) * 1e-3).epsilon(1e-9));
  CHECK(metrics.ep_total.value == Approx(4 * (1.4 + slow) * 1e-3).epsilon(1e-9));
  CHECK(metrics.dispatch.value == Approx(2 * (1.4 + slow) * 1e-3).epsilon(1e-9));
  CHECK(metrics.combine.value == Approx(2 * (1.4 + slow) * 1e-3).epsilon(1e-9));
}

// The same with 0.1 ms of waiting: 1.5 ms an all-to-all, 1.85 in the pair; 6.0 ms forward, 9.0 ms
// backward.
TEST_CASE("waits for ranks lengthen all-to-alls") {
  Workload workload = two_micro_batches_of_one_layer();
  workload.communication.wait_for_ranks = Seconds{0.1e-3};
  const StepMetrics metrics = measure(workload, without_latency(), Bytes{0}, Bytes{720'000'000});
  const double slow = 1.4 / 0.8 + 0.1;
  const double pair = 3.0 + 2 * slow + 2 * (2.0 + lost(slow));
  CHECK(metrics.step_time.value == Approx((6.0 + pair + 9.0) * 1e-3).epsilon(1e-9));
  CHECK(metrics.ep_total.value == Approx(4 * (1.5 + slow) * 1e-3).epsilon(1e-9));
}
