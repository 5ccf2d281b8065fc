#include "tests/model/ideal_cluster.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

Seconds ring_time(Collective kind, std::int64_t gpus, Bytes bytes, Fidelity fidelity) {
  ParallelPlan plan;
  plan.gpus = gpus;
  return time_of(plan, {.kind = kind, .group = GroupKind::data, .bytes = bytes}, fidelity,
                 ideal_cluster(FabricKind::rail_optimised, 32));
}

} // namespace

// 8 ranks pass on 2 x 7/8 of 800 MB: 1400 MB at 450 GB/s take 3.1111 ms; path 2 x 0.25 us.
TEST_CASE("an all-reduce inside a node is a ring over NVLink") {
  CHECK(ring_time(Collective::all_reduce, 8, Bytes{800'000'000}, Fidelity::folded).value ==
        Approx(1.4 / 450 + 0.5e-6).epsilon(1e-8));
}

TEST_CASE("an all-reduce inside a node is a ring over NVLink, flow by flow") {
  CHECK(ring_time(Collective::all_reduce, 8, Bytes{800'000'000}, Fidelity::flows).value ==
        Approx(1.4 / 450 + 0.5e-6).epsilon(1e-8));
}

// 16 ranks pass on 2 x 15/16 of 1600 MB: 3000 MB. There are 8 rings, and each leaves the node at
// another rank: 375 MB through each NIC at 50 GB/s take 7.5 ms. The other 2625 MB stay on NVLink,
// 5.8 ms. Path 2 x 0.6 us.
TEST_CASE("an all-reduce over two nodes takes what its NICs take") {
  CHECK(ring_time(Collective::all_reduce, 16, Bytes{1'600'000'000}, Fidelity::folded).value ==
        Approx(7.5e-3 + 1.2e-6).epsilon(1e-8));
}

TEST_CASE("an all-reduce over two nodes takes what its NICs take, flow by flow") {
  CHECK(ring_time(Collective::all_reduce, 16, Bytes{1'600'000'000}, Fidelity::flows).value ==
        Approx(7.5e-3 + 1.2e-6).epsilon(1e-8));
}

// Half of an all-reduce.
TEST_CASE("a reduce-scatter takes half of an all-reduce") {
  CHECK(ring_time(Collective::reduce_scatter, 16, Bytes{1'600'000'000}, Fidelity::folded).value ==
        Approx(3.75e-3 + 1.2e-6).epsilon(1e-8));
}

TEST_CASE("an all-gather takes half of an all-reduce") {
  CHECK(ring_time(Collective::all_gather, 16, Bytes{1'600'000'000}, Fidelity::folded).value ==
        Approx(3.75e-3 + 1.2e-6).epsilon(1e-8));
}

// Nodes of 8 and 4 ranks make one ring: 2 x 11/12 of 1200 MB are 2200 MB through the one NIC that
// leaves each node at 50 GB/s: 44 ms. Rank 7 sends to rank 8 on another rail: 2 x 0.25 us to the
// GPU that forwards, 2 x 0.6 us by the leaf.
TEST_CASE("an all-reduce over nodes of unlike size is one ring, flow by flow") {
  CHECK(ring_time(Collective::all_reduce, 12, Bytes{1'200'000'000}, Fidelity::flows).value ==
        Approx(44e-3 + 1.7e-6).epsilon(1e-8));
}

TEST_CASE("an all-reduce over nodes of unlike size is one ring, folded as well") {
  CHECK(ring_time(Collective::all_reduce, 12, Bytes{1'200'000'000}, Fidelity::folded).value ==
        Approx(44e-3 + 1.7e-6).epsilon(1e-8));
}
