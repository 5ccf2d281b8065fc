#include "sim/base/check.hpp"
#include "sim/schedule/step_graph.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// Three computes of one device; `after(a, b)` makes b wait for a.
struct ThreeOps {
  StepGraph graph;
  OpId a, b, c;

  ThreeOps() {
    graph.devices = {{RankId(0), 2}};
    graph.works.computes = {{}};
    graph.works.labels = {Label::of("A"), Label::of("B"), Label::of("C")};
    a = graph.add_op({OpKind::compute, Stream::compute, 0, 0, 7, 0});
    b = graph.add_op({OpKind::compute, Stream::compute, 0, 0, 7, 1});
    c = graph.add_op({OpKind::compute, Stream::compute, 0, 0, 7, 2});
  }
};

std::vector<OpId> successors_of(const StepGraph& graph, OpId op) {
  const auto found = graph.successors(op);
  return {found.begin(), found.end()};
}

} // namespace

TEST_CASE("a sealed graph knows successors and counts predecessors") {
  ThreeOps ops;
  ops.graph.add_dependency(ops.a, ops.c);
  ops.graph.add_dependency(ops.a, ops.b);
  ops.graph.add_dependency(ops.b, ops.c);
  ops.graph.seal();
  CHECK(successors_of(ops.graph, ops.a) == std::vector<OpId>{ops.b, ops.c});
  CHECK(successors_of(ops.graph, ops.b) == std::vector<OpId>{ops.c});
  CHECK(successors_of(ops.graph, ops.c).empty());
  CHECK(ops.graph.predecessor_count(ops.a) == 0);
  CHECK(ops.graph.predecessor_count(ops.c) == 2);
}

TEST_CASE("a dependency given twice counts once") {
  ThreeOps ops;
  ops.graph.add_dependency(ops.a, ops.b);
  ops.graph.add_dependency(ops.a, ops.b);
  ops.graph.seal();
  CHECK(ops.graph.predecessor_count(ops.b) == 1);
}

TEST_CASE("a cycle is reported with the names of its operations") {
  ThreeOps ops;
  ops.graph.add_dependency(ops.b, ops.c);
  ops.graph.add_dependency(ops.c, ops.b);
  CHECK_THROWS_AS(ops.graph.seal(), InternalError);
  ThreeOps again;
  again.graph.add_dependency(again.b, again.c);
  again.graph.add_dependency(again.c, again.b);
  CHECK_THROWS_WITH(
      again.graph.seal(),
      Catch::EndsWith("(a dependency cycle holds or blocks: "
                      "Step.Stage[2].MicroBatch[7].B, Step.Stage[2].MicroBatch[7].C)"));
}

TEST_CASE("an operation that waits for itself is a cycle") {
  ThreeOps ops;
  ops.graph.add_dependency(ops.a, ops.a);
  CHECK_THROWS_AS(ops.graph.seal(), InternalError);
}

TEST_CASE("operations know their devices and names") {
  StepGraph graph;
  graph.devices = {{RankId(0), 0}, {RankId(1), 0}, {RankId(2), 1}};
  graph.works.collectives = {{}};
  graph.works.transfers = {{}};
  graph.works.labels = {Label::of("Dispatch", {LayerRef::Kind::layer, 3}), Label::of("Activation")};
  graph.groups = {{GroupKind::expert, {DeviceId(0), DeviceId(1)}}};
  graph.pairs = {{DeviceId(2), DeviceId(1)}};
  const OpId dispatch = graph.add_op({OpKind::collective, Stream::expert_parallel, 0, 0, 4, 0});
  const OpId transfer = graph.add_op({OpKind::transfer, Stream::pipeline, 0, 0, 5, 1});
  CHECK(graph.devices_of(graph.ops[0]) == std::vector<DeviceId>{DeviceId(0), DeviceId(1)});
  CHECK(graph.devices_of(graph.ops[1]) == std::vector<DeviceId>{DeviceId(2)});
  CHECK(graph.name_of(dispatch) == "Step.Stage[0].MicroBatch[4].Layer[3].Dispatch");
  CHECK(graph.name_of(transfer) == "Step.Stage[1].MicroBatch[5].Activation");
}

TEST_CASE("layouts hold every rank, or the first of each stage") {
  ParallelPlan plan;
  plan.gpus = 8;
  plan.pipeline = 2;
  const DeviceLayout all = every_rank(plan);
  REQUIRE(all.devices.size() == 8);
  CHECK(all.devices[5].rank == RankId(5));
  CHECK(all.devices[5].stage == 1);
  const DeviceLayout first = one_rank_per_stage(plan);
  REQUIRE(first.devices.size() == 2);
  CHECK(all.device_of(RankId(5)) == DeviceId(5));
  CHECK(first.device_of(RankId(7)) == DeviceId(1));
  CHECK(first.devices[1].rank == RankId(4));
  CHECK(first.devices[1].stage == 1);
}
