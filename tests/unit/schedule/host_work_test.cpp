#include "sim/schedule/host_work.hpp"
#include "tests/support/stage_view.hpp"
#include "tests/unit/schedule/shipped_workload.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// Mixtral-8x7B of one layer on 4 GPUs, two experts each.
Workload one_layer() {
  Workload workload = shipped_workload("mixtral-8x7b", 4);
  workload.model.layers.resize(1);
  workload.plan.layers_per_stage = {1};
  return workload;
}

/// A pass with the works that its segments name.
struct PassOfStage {
  Works works;
  std::vector<Segment> segments;
};

/// The first virtual stage's pass, forward or backward.
PassOfStage pass_of(const Workload& workload, Direction direction) {
  PassOfStage pass;
  const ExpertLoads loads(workload);
  StepTables tables(workload, pass.works);
  ChunkPasses passes(workload, 0, {&loads, 0, std::nullopt}, tables.works, tables.blocks,
                     tables.gradients);
  pass.segments = direction == Direction::forward
                      ? passes.forward(PassPosition::regular)
                      : passes.backward(Gradients::all, PassPosition::regular);
  return pass;
}

std::vector<HostPortion> host_portions(const PassOfStage& pass, const CudaGraphs& graphs) {
  Workload workload;
  workload.graphs = graphs;
  return host_portions(pass.segments, pass.works, workload);
}

/// The sum of all portions of a pass.
HostWork host_work(const PassOfStage& pass, const CudaGraphs& graphs) {
  HostWork work;
  for (const HostPortion& portion : host_portions(pass, graphs))
    work += portion.work;
  return work;
}

} // namespace

// Embedding 1. Attention: norm, products, rotary, scores, product, residual 6. Router: norm,
// product, scores 3, gather 1. Experts: two sorts, one activation, two products 5, each of which
// launches one group more. Sum of experts and residual 2. Head: norm, product, loss 3. Dispatch and
// combine 2.
TEST_CASE("the framework is called for each kernel, and grouped products launch group by group") {
  const PassOfStage forward = pass_of(one_layer(), Direction::forward);
  CHECK(host_work(forward, {.full_iteration = true}) == HostWork{});
  const CudaGraphs none;
  CHECK(host_work(forward, none) == HostWork{1 + 6 + 4 + 5 + 2 + 3 + 2, 2});
  CudaGraphs attention = none;
  attention.attention = true;
  CHECK(host_work(forward, attention) == HostWork{1 + 0 + 4 + 5 + 2 + 3 + 2, 2});
  // The router's norm, product and scores; the gather before dispatch and what comes after the
  // experts stand with the permutation, as do the two sorts.
  CudaGraphs router = none;
  router.router = true;
  CHECK(host_work(forward, router) == HostWork{1 + 6 + 1 + 5 + 2 + 3 + 2, 2});
}

// fp8 casts the input of a product inside its call: of two products of attention, and of two of the
// rank's two experts, together or, to MXFP8, one by one; the router and the head stay in bf16.
TEST_CASE("fp8 launches a cast more for each product") {
  Workload workload = one_layer();
  const CudaGraphs none;
  const HostWork bf16 = host_work(pass_of(workload, Direction::forward), none);
  workload.training.precision = Precision::fp8;
  const HostWork fp8 = host_work(pass_of(workload, Direction::forward), none);
  CHECK(fp8 == HostWork{bf16.operators, bf16.launches + 2 + 2});
  workload.training.fp8_recipe = Fp8Recipe::mx;
  CHECK(host_work(pass_of(workload, Direction::forward), none).launches == bf16.launches + 2 + 4);
}

// Segments forward: from the embedding to the router, dispatch, experts, combine, from the sum to
// the head. Embedding, attention and router come before dispatch: 1 + 6 + 4 calls.
TEST_CASE("the host waits for the router before it launches what works on the tokens") {
  const CudaGraphs none;
  const std::vector<HostPortion> forward =
      host_portions(pass_of(one_layer(), Direction::forward), none);
  REQUIRE(forward.size() == 3);
  CHECK(forward[0].end == 1);
  CHECK(forward[0].work == HostWork{11, 0});
  CHECK(forward[0].synchronises);
  // Dispatch and experts; then the rest.
  CHECK(forward[1].end == 3);
  CHECK(forward[1].work == HostWork{1 + 5, 2});
  CHECK_FALSE(forward[1].synchronises);
  CHECK(forward[2].end == 5);
  CHECK(forward[2].work == HostWork{1 + 2 + 3, 0});
  // Backward the host knows how many tokens each expert has.
  const std::vector<HostPortion> backward =
      host_portions(pass_of(one_layer(), Direction::backward), none);
  REQUIRE(backward.size() == 3);
  CHECK(backward[0].end == 1);
  CHECK_FALSE(backward[0].synchronises);
  const CudaGraphs full{.full_iteration = true};
  CHECK(host_portions(pass_of(one_layer(), Direction::forward), full).empty());
}

// Attention's part and the router; the dispatch, whose end the host waits for; the experts; the
// combine; the rest.
TEST_CASE("the host waits for the end of what it posts itself, forward and backward") {
  Workload workload = one_layer();
  workload.communication.dispatcher = Dispatcher::node_limited;
  workload.communication.host_posts = true;
  const CudaGraphs none;
  const PassOfStage segments = pass_of(workload, Direction::forward);
  const std::vector<HostPortion> forward = host_portions(segments, none);
  REQUIRE(forward.size() == 5);
  for (const std::size_t portion : {0, 1, 3}) {
    INFO(portion);
    CHECK(forward[portion].synchronises);
  }
  CHECK(segments.works.collectives[segments.segments[forward[1].end - 1].work].kind ==
        Collective::dispatch);
  CHECK(segments.works.collectives[segments.segments[forward[3].end - 1].work].kind ==
        Collective::combine);
  CHECK_FALSE(forward[2].synchronises);
  CHECK_FALSE(forward[4].synchronises);
  std::int64_t waits = 0;
  for (const HostPortion& portion : host_portions(pass_of(workload, Direction::backward), none))
    waits += portion.synchronises ? 1 : 0;
  CHECK(waits == 2);
  workload.communication.host_posts = false;
  CHECK(host_work(segments, none) == host_work(pass_of(workload, Direction::forward), none));
  CHECK(host_portions(pass_of(workload, Direction::forward), none).size() == 3);
}

// Experts padded to their capacity: their counts are known before the router has run.
TEST_CASE("the host does not wait for the router where experts are padded to their capacity") {
  Workload workload = one_layer();
  workload.graphs = {};
  workload.routing.capacity_factor = 1.0;
  workload.routing.pad_to_capacity = true;
  const PassOfStage forward = pass_of(workload, Direction::forward);
  const std::vector<HostPortion> portions =
      host_portions(forward.segments, forward.works, workload);
  REQUIRE(portions.size() == 3);
  for (const HostPortion& portion : portions)
    CHECK_FALSE(portion.synchronises);
  workload.routing.pad_to_capacity = false;
  CHECK(host_portions(forward.segments, forward.works, workload)[0].synchronises);
}

// A dense layer over two ranks: attention gathers its input and sums its result, as does the
// feed-forward. A graph of attention holds its two collectives beside its kernels: norm, product,
// rotary, scores, product, residual 6; backward 8, as each of the two products has a gradient for
// its input and one for its weight.
TEST_CASE("a graph holds the collectives of tensor parallelism of the kernels that it captures") {
  Workload workload = shipped_workload("llama-2-70b", 1);
  workload.model.layers.resize(1);
  workload.plan.layers_per_stage = {1};
  workload.plan.gpus = 2;
  workload.plan.tensor = 2;
  const CudaGraphs none;
  const CudaGraphs attention{.attention = true};
  const CudaGraphs both{.attention = true, .dense = true};
  const PassOfStage forward = pass_of(workload, Direction::forward);
  const std::int64_t calls = host_work(forward, none).operators;
  CHECK(host_work(forward, attention).operators == calls - (6 + 2));
  // Norm, product, activation, product, residual 5.
  CHECK(host_work(forward, both).operators == calls - (6 + 2) - (5 + 2));
  const PassOfStage backward = pass_of(workload, Direction::backward);
  CHECK(host_work(backward, attention).operators == host_work(backward, none).operators - (8 + 2));
}
