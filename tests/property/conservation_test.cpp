#include "tests/property/random_case.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/rank_flows.hpp"
#include "sim/schedule/build_step_graph.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <map>

using namespace moesim;

namespace {

/// Bytes of one rank to and from the others, by whether they are on its node.
struct Totals {
  double sent_inside = 0.0;
  double sent_outside = 0.0;
  double received_inside = 0.0;
  double received_outside = 0.0;
};

std::map<RankId, Totals> totals_of(const std::vector<RankFlow>& flows, const Topology& topology) {
  std::map<RankId, Totals> totals;
  for (const RankFlow& flow : flows) {
    const bool inside = topology.domain_of(flow.source) == topology.domain_of(flow.sink);
    Totals& source = totals[flow.source];
    Totals& sink = totals[flow.sink];
    (inside ? source.sent_inside : source.sent_outside) += flow.bytes;
    (inside ? sink.received_inside : sink.received_outside) += flow.bytes;
  }
  return totals;
}

/// A rank keeps one n-th of a buffer of `bytes` and sends one n-th to each peer, at any position.
void check_all_to_all(const CollectiveWork& work, const std::vector<RankId>& group,
                      const Topology& topology) {
  const auto totals = totals_of(CollectiveFlows(work, group, topology).all(0), topology);
  const double share = static_cast<double>(work.bytes.value) / static_cast<double>(group.size());
  CHECK(totals.size() == group.size());
  for (const auto& [rank, total] : totals) {
    const auto place = std::find(group.begin(), group.end(), rank) - group.begin();
    const auto inside = static_cast<double>(
        CollectiveFlows(work, group, topology).peers(0, static_cast<std::size_t>(place)).inside);
    const double outside = static_cast<double>(group.size() - 1) - inside;
    CHECK(total.sent_inside == Approx(share * inside).epsilon(1e-12));
    CHECK(total.sent_outside == Approx(share * outside).epsilon(1e-12));
    CHECK(total.received_inside == Approx(share * inside).epsilon(1e-12));
    CHECK(total.received_outside == Approx(share * outside).epsilon(1e-12));
  }
}

/// Around its rings a rank passes on and receives (n - 1)/n of the buffer, twice for an all-reduce.
void check_ring(const CollectiveWork& work, const std::vector<RankId>& group,
                const Topology& topology) {
  const auto ranks = static_cast<double>(group.size());
  const double passed = (work.kind == Collective::all_reduce ? 2.0 : 1.0) *
                        static_cast<double>(work.bytes.value) * (ranks - 1.0) / ranks;
  for (const auto& [rank, total] :
       totals_of(CollectiveFlows(work, group, topology).all(0), topology)) {
    CHECK(total.sent_inside + total.sent_outside == Approx(passed).epsilon(1e-12));
    CHECK(total.received_inside + total.received_outside == Approx(passed).epsilon(1e-12));
  }
}

} // namespace

TEST_CASE("collectives conserve bytes by rank and by tier") {
  for (const RandomCase& drawn : random_cases(30'000, 40, {{8, 12, 16, 24, 32, 40, 64}, 6000})) {
    INFO(drawn.text());
    const Scenario scenario = scenario_of(drawn);
    const ParallelPlan& plan = scenario.workload.plan;
    const Topology topology(scenario.topology, plan.gpus);
    const StepGraph graph = build_step_graph(scenario.workload, one_rank_per_stage(plan));
    for (const CollectiveWork& work : graph.works.collectives)
      for (std::uint32_t rank = 0; rank < plan.gpus; ++rank) {
        const std::vector<RankId> group = group_of(plan, work.group, RankId(rank));
        if (group.front() != RankId(rank) || group.size() < 2)
          continue;
        if (work.kind == Collective::all_to_all)
          check_all_to_all(work, group, topology);
        else
          check_ring(work, group, topology);
      }
  }
}

TEST_CASE("an all-to-all carries the routed tokens") {
  for (const RandomCase& drawn : random_cases(31'000, 40, {{8, 16, 32, 64}, 6000})) {
    INFO(drawn.text());
    const Workload workload = scenario_of(drawn).workload;
    const StepGraph graph = build_step_graph(workload, one_rank_per_stage(workload.plan));
    const std::int64_t tokens = workload.training.micro_batch * workload.training.sequence_length /
                                (workload.plan.tensor * workload.plan.context);
    const std::int64_t copies = tokens * workload.model.experts.experts_per_token;
    const std::int64_t hidden = workload.model.hidden;
    const bool fp8 = workload.communication.dispatch_precision == Precision::fp8;
    for (const CollectiveWork& work : graph.works.collectives) {
      if (work.kind != Collective::all_to_all)
        continue;
      // Dispatch and the gradients of combine travel at the dispatch precision.
      const bool narrow = work.role == Role::dispatch;
      INFO(static_cast<int>(work.role));
      // fp8 comes with a 4-byte scale for each 128 values.
      const std::int64_t token = fp8 && narrow ? hidden + hidden / 128 * 4 : 2 * hidden;
      CHECK(work.bytes.value == copies * token);
    }
  }
}

TEST_CASE("a step whose first operation waits for its last is refused") {
  const Workload workload = scenario_of(random_cases(32'000, 1, {{8}, 6000}).front()).workload;
  const StepGraph graph = build_step_graph(workload, every_rank(workload.plan));
  StepGraph doctored = graph;
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op)
    for (const OpId next : graph.successors(OpId(op)))
      doctored.add_dependency(OpId(op), next);
  doctored.add_dependency(OpId(static_cast<std::uint32_t>(graph.ops.size() - 1)), OpId(0));
  CHECK_THROWS_AS(doctored.seal(), InternalError);
}
