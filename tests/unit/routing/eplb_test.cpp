#include "sim/routing/eplb.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

using Experts = std::vector<std::int64_t>;

std::vector<Experts> ids_of(const Packs& packs) {
  std::vector<Experts> ids;
  for (std::int64_t pack = 0; pack < packs.count(); ++pack) {
    ids.emplace_back();
    for (const PackItem& item : packs.items(pack))
      ids.back().push_back(item.id);
  }
  return ids;
}

std::vector<PackItem> items_of(const std::vector<double>& loads) {
  return replicate_experts(loads, static_cast<std::int64_t>(loads.size()), 1);
}

} // namespace

// The example of the README of github.com/deepseek-ai/EPLB, section "Interface and Example": two
// layers of 12 experts in 4 groups, 16 replicas on 8 GPUs of 2 nodes.
TEST_CASE("EPLB places the experts of its published example as published") {
  const EplbRequest request = {.slots = 16, .groups = 4, .nodes = 2, .gpus = 8};
  CHECK(eplb(request, {90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86}) ==
        Experts{5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1});
  CHECK(eplb(request, {20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27}) ==
        Experts{7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1});
}

// 100 has two replicas of 50 after the first copy, which is below 60; then 50 is the first of 50.
TEST_CASE("EPLB copies the expert with the highest load per replica, one at a time") {
  const std::vector<PackItem> replicas = replicate_experts({10, 100, 60}, 6, 8);
  Experts ids;
  std::vector<double> loads;
  for (const PackItem& replica : replicas) {
    ids.push_back(replica.id);
    loads.push_back(replica.load);
  }
  CHECK(ids == Experts{0, 1, 2, 1, 2, 1});
  CHECK(loads == std::vector<double>{10, 100.0 / 3, 30, 100.0 / 3, 30, 100.0 / 3});
}

TEST_CASE("EPLB gives no expert more replicas than there may be, were it the busiest") {
  const std::vector<PackItem> replicas = replicate_experts({1, 100}, 4, 2);
  CHECK(replicas[2].id == 1);
  CHECK(replicas[3].id == 0);
}

// 5 to the first, 4 to the second, 3 to the second (4 < 5), which is full; 2 to the first.
TEST_CASE("greedy packing gives the next largest item to the least loaded pack with room") {
  CHECK(ids_of(pack_evenly(items_of({2, 5, 3, 4}), 2, 1)) == std::vector<Experts>{{1, 0}, {3, 2}});
}

TEST_CASE("of equal loads the earlier item, and of equal packs the first, comes first") {
  CHECK(ids_of(pack_evenly(items_of({7, 7, 7, 7}), 2, 1)) == std::vector<Experts>{{0, 2}, {1, 3}});
}

TEST_CASE("packs of one item each take the items as they come") {
  CHECK(ids_of(pack_evenly(items_of({1, 3, 2}), 3, 1)) == std::vector<Experts>{{0}, {1}, {2}});
}

// The counter-example of pack_evenly's description.
TEST_CASE("greedy packing can miss the even packing") {
  const Packs packs = pack_evenly(items_of({3, 3, 0, 2, 2, 2}), 2, 1);
  CHECK(packs.load(0) == 7.0);
  CHECK(packs.load(1) == 5.0);
}

// By load: 12 to the first GPU, a replica of 5 to the second. The other replica would find that one
// less loaded (5 < 12), but is there already.
TEST_CASE("the replicas of an expert are on different GPUs, were they less even") {
  const Packs packs = pack_evenly({{0, 5}, {1, 12}, {2, 1}, {0, 5}}, 2, 1);
  CHECK(ids_of(packs) == std::vector<Experts>{{1, 0}, {0, 2}});
}

// Full: 9 and 5. With room: 3 of expert 2, whose other replica comes now.
TEST_CASE("a pack that may not hold an expert twice exchanges another item for it") {
  Packs packs(2, 2, 1);
  packs.add(0, {0, 9});
  packs.add(0, {1, 5});
  packs.add(1, {2, 3});
  CHECK_FALSE(packs.accepts(1, 2)); // it has room, but holds an expert 2
  CHECK_FALSE(packs.accepts(0, 2)); // full
  packs.add_to_least_loaded({2, 3});
  CHECK(ids_of(packs) == std::vector<Experts>{{0, 2}, {2, 1}}); // 5 is the lighter of 9 and 5
  CHECK(packs.load(0) == 12.0);
  CHECK(packs.load(1) == 8.0);
}

// Four slots a node. Node 0: expert 0 is copied, and has as many replicas as the node has GPUs, so
// that expert 1 is next; by load 50, 50, 0.5, 0.5. Node 1: four replicas of load 1; the second one
// of expert 2 cannot go to GPU 2, which holds the first.
TEST_CASE("EPLB copies experts within the node of their group") {
  const EplbRequest request = {.slots = 8, .groups = 2, .nodes = 2, .gpus = 4};
  CHECK(eplb(request, {100, 1, 2, 2}) == Experts{0, 1, 0, 1, 2, 3, 3, 2});
}

// 3 nodes do not divide 4 groups. Expert 0 gets both copies: 4.5 a replica is still above 4. By
// load: 4 to GPU 0, replicas of 3 to GPUs 1, 2 and, as both hold one now, 0; the rest fills GPUs 1
// and 2.
TEST_CASE("EPLB copies experts anywhere if the nodes do not divide the groups") {
  const EplbRequest request = {.slots = 6, .groups = 4, .nodes = 3, .gpus = 3};
  CHECK(eplb(request, {9, 1, 1, 4}) == Experts{3, 0, 0, 1, 0, 2});
}
