#include "tests/model/ideal_cluster.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// 64 GPUs in 8 nodes, or fewer, 1 MB from each to each: 64 MB a rank, its own part included.
Seconds megabyte_exchange(const TopologySpec& cluster, Fidelity fidelity, std::int64_t gpus = 64,
                          bool beside_compute = false) {
  ParallelPlan plan;
  plan.gpus = gpus;
  plan.expert = gpus;
  CollectiveWork work{.bytes = Bytes{gpus * 1'000'000}};
  work.beside_compute = beside_compute;
  return time_of(plan, work, fidelity, cluster);
}

/// The share of that exchange that is between scale-up domains.
double share_between_domains(const TopologySpec& cluster, std::int64_t gpus = 64) {
  ParallelPlan plan;
  plan.gpus = gpus;
  plan.expert = gpus;
  const Topology topology(cluster, gpus);
  const Costs costs = ideal_costs();
  const LoneCollective lone =
      lone_collective(plan, {.bytes = Bytes{gpus * 1'000'000}}, Fidelity::folded);
  const Timeline timeline =
      replay(lone.graph, lone.layout, {plan, topology, &costs.compute, costs.network});
  const StepMetrics metrics =
      measure_step(lone.graph, timeline, topology, ComputeTimes(lone.graph.works, costs.compute));
  return metrics.ep_scale_out / metrics.waterfall.ep_exposed;
}

} // namespace

// A rank sends 1 MB to 56 ranks of other nodes: 56 MB through its NIC at 50 GB/s take 1.12 ms. Over
// NVLink it sends 7 MB to its node and, as the GPU on the rail of the sink forwards, 49 MB more:
// 56 MB at 450 GB/s, less. Longest path: 2 x 0.25 us to the forwarding GPU, 2 x 0.6 us by one leaf.
TEST_CASE("an all-to-all on rails takes what its NICs take") {
  const TopologySpec cluster = ideal_cluster(FabricKind::rail_optimised, 32);
  CHECK(megabyte_exchange(cluster, Fidelity::folded).value ==
        Approx(1.12e-3 + 1.7e-6).epsilon(1e-9));
}

TEST_CASE("an all-to-all on rails takes what its NICs take, flow by flow") {
  const TopologySpec cluster = ideal_cluster(FabricKind::rail_optimised, 32);
  CHECK(megabyte_exchange(cluster, Fidelity::flows).value ==
        Approx(1.12e-3 + 1.7e-6).epsilon(1e-9));
}

// Over EFA at 0.4 of that in a training step (toy_constants), beside computes too, where
// others have 0.8; inside a node at 0.8 of 450 GB/s for 7 MB, 0.5 us through the switch.
TEST_CASE("an all-to-all is slower beside computes") {
  const TopologySpec cluster = ideal_cluster(FabricKind::rail_optimised, 32);
  CHECK(megabyte_exchange(cluster, Fidelity::folded, 64, true).value ==
        Approx(1.12e-3 / 0.8 + 1.7e-6).epsilon(1e-9));
}

TEST_CASE("an all-to-all over EFA is slower in training, but not slower again beside computes") {
  TopologySpec cluster = ideal_cluster(FabricKind::rail_optimised, 32);
  cluster.node.nic_interconnect = "efa";
  CHECK(megabyte_exchange(cluster, Fidelity::folded, 64, true).value ==
        Approx(1.12e-3 / 0.4 + 1.7e-6).epsilon(1e-9));
}

TEST_CASE("inside a node an all-to-all knows nothing of EFA") {
  TopologySpec cluster = ideal_cluster(FabricKind::rail_optimised, 32);
  cluster.node.nic_interconnect = "efa";
  CHECK(megabyte_exchange(cluster, Fidelity::folded, 8, true).value ==
        Approx(7e6 / 450e9 / 0.8 + 0.5e-6).epsilon(1e-9));
}

TEST_CASE("an all-to-all over EFA is slower in training, flow by flow") {
  TopologySpec cluster = ideal_cluster(FabricKind::rail_optimised, 32);
  cluster.node.nic_interconnect = "efa";
  CHECK(megabyte_exchange(cluster, Fidelity::flows).value ==
        Approx(1.12e-3 / 0.4 + 1.7e-6).epsilon(1e-9));
}

// The first case with a leaf for each node: 8 x 56 MB up at 8 x 50 GB/s, again 1.12 ms. Longest
// path: 2 x 0.6 us to the leaves and 2 x 0.5 us to the spine.
TEST_CASE("an all-to-all on leaf and spine takes what its NICs take") {
  const TopologySpec cluster = ideal_cluster(FabricKind::leaf_spine, 1);
  CHECK(megabyte_exchange(cluster, Fidelity::folded).value ==
        Approx(1.12e-3 + 2.2e-6).epsilon(1e-9));
}

TEST_CASE("an all-to-all on leaf and spine takes what its NICs take, flow by flow") {
  const TopologySpec cluster = ideal_cluster(FabricKind::leaf_spine, 1);
  CHECK(megabyte_exchange(cluster, Fidelity::flows).value ==
        Approx(1.12e-3 + 2.2e-6).epsilon(1e-9));
}

// Two nodes a leaf: 16 ranks send to 48 others, 768 MB up. The uplink of 16 NICs at 3:1 carries
// 16 x 50 / 3 = 266.67 GB/s: 2.88 ms.
TEST_CASE("an oversubscribed leaf holds an all-to-all up") {
  TopologySpec cluster = ideal_cluster(FabricKind::leaf_spine, 2);
  cluster.fabric.oversubscription = 3.0;
  CHECK(megabyte_exchange(cluster, Fidelity::folded).value ==
        Approx(2.88e-3 + 2.2e-6).epsilon(1e-9));
}

TEST_CASE("an oversubscribed leaf holds an all-to-all up, flow by flow") {
  TopologySpec cluster = ideal_cluster(FabricKind::leaf_spine, 2);
  cluster.fabric.oversubscription = 3.0;
  CHECK(megabyte_exchange(cluster, Fidelity::flows).value ==
        Approx(2.88e-3 + 2.2e-6).epsilon(1e-9));
}

// 4 GPUs a NIC: 2 x 50 GB/s for the 8 x 56 MB of a node, 4.48 ms.
TEST_CASE("GPUs that share a NIC share its capacity") {
  TopologySpec cluster = ideal_cluster(FabricKind::rail_optimised, 32);
  cluster.node.nics = 2;
  CHECK(megabyte_exchange(cluster, Fidelity::folded).value ==
        Approx(4.48e-3 + 1.7e-6).epsilon(1e-9));
}

// On rails a GPU's NVLink carries 56 MB, at 450 GB/s a ninth of the time of 56 MB at 50 GB/s. On
// leaf and spine it carries the 7 MB of its node alone: 7/9 to 56 parts of time.
TEST_CASE("an all-to-all is split between and inside domains by its busiest links alone") {
  CHECK(share_between_domains(ideal_cluster(FabricKind::rail_optimised, 32)) == Approx(0.9));
  CHECK(share_between_domains(ideal_cluster(FabricKind::leaf_spine, 1)) ==
        Approx(56.0 / (56.0 + 7.0 / 9.0)));
  CHECK(share_between_domains(ideal_cluster(FabricKind::rail_optimised, 32), 8) == 0.0);
}
