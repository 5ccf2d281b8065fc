#include "tests/model/ideal_cluster.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// Two collectives on different streams of the same 16 GPUs, started together.
Seconds beside_each_other(const ParallelPlan& plan, const CollectiveWork& first,
                          const CollectiveWork& second) {
  const Topology topology(ideal_cluster(FabricKind::rail_optimised, 32), plan.gpus);
  const Costs costs = ideal_costs();
  StepGraph graph;
  const ReplayLayout layout{every_rank(plan), LoadModel::classes, false};
  graph.devices = layout.layout.devices;
  for (const CollectiveWork& work : {first, second}) {
    DeviceGroup group{work.group, {}};
    for (std::uint32_t device = 0; device < layout.layout.devices.size(); ++device)
      group.devices.push_back(DeviceId(device));
    graph.groups.push_back(group);
    graph.works.collectives.push_back(work);
  }
  graph.add_op({OpKind::collective, Stream::expert_parallel, 0, 0, 0});
  graph.add_op({OpKind::collective, Stream::data_parallel, 1, 1, 0});
  graph.seal();
  return replay(graph, layout, {plan, topology, &costs.compute, costs.network}).end;
}

} // namespace

// Through each NIC go 8 x 5 MB of the all-to-all (80 MB a rank, 16 ranks) and 60 MB of the
// all-gather's ring that leaves there (8 rings; 512 MB x 15/16 / 8): 100 MB at 50 GB/s take 2 ms.
// Both share the NIC from their start, 1.7 us and 1.2 us after 0; the ring alone has it for those
// 0.5 us and no capacity is lost in the end, so the last byte leaves 1.2 us + 2 ms after 0.
TEST_CASE("collectives of two streams share a NIC without losing capacity") {
  ParallelPlan plan;
  plan.gpus = 16;
  plan.expert = 16;
  const Seconds end = beside_each_other(
      plan,
      {.kind = Collective::all_to_all, .group = GroupKind::expert, .bytes = Bytes{80'000'000}},
      {.kind = Collective::all_gather, .group = GroupKind::data, .bytes = Bytes{512'000'000}});
  CHECK(end.value == Approx(2e-3 + 1.2e-6).epsilon(1e-8));
}

// A collective of 3.75 ms + 1.2 us (see ring_test) beside a compute of 5 ms.
TEST_CASE("a compute beside a collective takes the longer of the two") {
  ParallelPlan plan;
  plan.gpus = 16;
  LoneCollective lone = lone_collective(
      plan,
      {.kind = Collective::all_gather, .group = GroupKind::data, .bytes = Bytes{1'600'000'000}},
      Fidelity::folded);
  lone.graph.works.kernel_lists = {{lasting(Seconds{5e-3})}};
  lone.graph.works.computes = {{{0}}};
  lone.graph.add_op({OpKind::compute, Stream::compute, 0, 0, 0});
  lone.graph.seal();
  const Topology topology(ideal_cluster(FabricKind::rail_optimised, 32), plan.gpus);
  const Costs costs = ideal_costs();
  const Timeline timeline =
      replay(lone.graph, lone.layout, {plan, topology, &costs.compute, costs.network});
  CHECK(timeline.end.value == Approx(5e-3).epsilon(1e-8));
  CHECK(timeline.ops[0].finish.value == Approx(3.75e-3 + 1.2e-6).epsilon(1e-8));
}

// Its wait first, 1 ms, then the 0.5 us through the switch; 7 of 8 tokens leave their rank, 630 MB
// at 0.7 (toy_constants) of 450 GB/s.
TEST_CASE("a dispatch beside computes waits for its ranks, and moves its bytes more slowly") {
  ParallelPlan plan;
  plan.gpus = 8;
  plan.expert = 8;
  CollectiveWork work{
      .kind = Collective::dispatch, .group = GroupKind::expert, .bytes = Bytes{720'000'000}};
  work.fan_out = {8, 1, 1, 1};
  work.beside_compute = true;
  work.wait_for_ranks = Seconds{1e-3};
  CHECK(
      time_of(plan, work, Fidelity::folded, ideal_cluster(FabricKind::rail_optimised, 32)).value ==
      Approx(1e-3 + 0.5e-6 + 1.4e-3 / 0.7).epsilon(1e-8));
}

// A token of one expert leaves its domain in half of all cases: 80 MB through a NIC of 50 GB/s take
// 1.6 ms, 1.2 us after their start on one rail, and 1,000 copies are 500 messages (ideal_costs: 100
// us and 1 us a message).
TEST_CASE("a dispatch whose host posts its messages takes them on top of its transfer") {
  ParallelPlan plan;
  plan.gpus = 16;
  plan.expert = 16;
  CollectiveWork work{
      .kind = Collective::dispatch, .group = GroupKind::expert, .bytes = Bytes{160'000'000}};
  work.fan_out = {16, 1, 1, 1};
  work.host_posted_tokens = 2000;
  CHECK(
      time_of(plan, work, Fidelity::folded, ideal_cluster(FabricKind::rail_optimised, 32)).value ==
      Approx(1.6e-3 + 1.2e-6 + 600e-6).epsilon(1e-8));
}

// Half of 10 ms streams. Beside a dispatch that holds 20 of 100 SMs for 1 ms and takes a fifth of
// the memory's 1e15 B/s, products take 1/0.8 of their time, what streams 1/0.8 of 1/0.8 of it: on
// average 1.25 x 1.125, so that 1 ms does the work of 1/1.40625 ms.
TEST_CASE("what streams beside a dispatch has less memory bandwidth, products have not") {
  const Costs costs = ideal_costs();
  // A square product at 1000 TFLOPS, a fixed time on top.
  const Kernel product = gemm(KernelPart::dense, Precision::bf16, 13572, 13572, 13572);
  const Seconds products = costs.compute.time(product).time;
  const Kernel stream = lasting(products);
  CollectiveWork dispatch{
      .kind = Collective::dispatch, .group = GroupKind::expert, .bytes = Bytes{1}};
  const BesideCompute beside{Seconds{1e-3}, Bytes{200'000'000'000}};
  const auto time = [&](std::vector<Kernel> kernels) {
    const Works works{.kernel_lists = {std::move(kernels)}, .collectives = {dispatch}};
    return ComputeTimes(works, costs.compute).of({{0}, 0}, beside);
  };
  const double done = 1e-3;
  CHECK(time({product}).value == Approx(products.value + done * (1 - 1 / 1.25)).epsilon(1e-9));
  CHECK(time({stream}).value ==
        Approx(products.value + done * (1 - 1 / (1.25 * 1.25))).epsilon(1e-9));
  CHECK(time({product, stream}).value ==
        Approx(2 * products.value + done * (1 - 1 / 1.40625)).epsilon(1e-9));
}
