#include "tests/model/ideal_cluster.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// 64 GPUs in 8 nodes, 1 MB from each to each: 64 MB a rank, its own part included.
Seconds megabyte_exchange(const TopologySpec& cluster, Fidelity fidelity) {
  ParallelPlan plan;
  plan.gpus = 64;
  plan.expert = 64;
  return time_of(plan, {"Dispatch", Collective::all_to_all, GroupKind::expert, Bytes{64'000'000}},
                 fidelity, cluster);
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

// As above, but a leaf for each node: 8 x 56 MB up at 8 x 50 GB/s, again 1.12 ms. Longest path:
// 2 x 0.6 us to the leaves and 2 x 0.5 us to the spine.
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
