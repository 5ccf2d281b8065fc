#include "tests/property/random_case.hpp"

#include "sim/base/check.hpp"
#include "sim/metrics/link_utilisation.hpp"
#include "sim/replay/rank_flows.hpp"
#include "sim/search/step_bound.hpp"
#include "sim/study/simulate.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

using namespace moesim;

namespace {

const CaseLimits small{{8, 16, 24, 32, 40, 64}, 3000};

/// Replays a case and lets `observe` throw InternalError at what it finds wrong.
StepReplay observed(const RandomCase& drawn, Fidelity fidelity, const TimelineObserver& observe) {
  const Scenario scenario = scenario_of(drawn);
  const Topology topology(scenario.topology, scenario.workload.plan.gpus);
  const Costs& costs = costs_of(scenario);
  return replay_step(scenario.workload, topology, fidelity, costs, ExpertLoads(scenario.workload),
                     observe);
}

/// A step cannot end before its busiest link has carried its bytes.
void expect_link_bounds(const StepGraph&, const Timeline& timeline) {
  for (const LinkUse& link : timeline.links)
    INVARIANT(timeline.end.value * (1.0 + 1e-9) >= link.bytes / link.capacity.value,
              "{} carries {} bytes in {} s", link.name, link.bytes, timeline.end.value);
}

/// Operations of one stream of a device do not overlap, so their times add up to at most the step.
void expect_device_bounds(const StepGraph& graph, const Timeline& timeline) {
  std::map<std::pair<DeviceId, Stream>, Seconds> busy;
  for (std::size_t op = 0; op < graph.ops.size(); ++op)
    if (graph.ops[op].kind == OpKind::compute)
      for (const DeviceId device : graph.devices_of(graph.ops[op]))
        busy[{device, graph.ops[op].stream}] += timeline.ops[op].finish - timeline.ops[op].start;
  for (const auto& [key, time] : busy)
    INVARIANT(time <= timeline.end * (1.0 + 1e-9), "device {} works {} of {} s", index(key.first),
              time.value, timeline.end.value);
}

void expect_order(const StepGraph& graph, const Timeline& timeline) {
  INVARIANT(timeline.ops.size() == graph.ops.size(), "{} spans of {} operations",
            timeline.ops.size(), graph.ops.size());
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op) {
    const OpSpan& span = timeline.ops[op];
    INVARIANT(Seconds{} <= span.start && span.start <= span.finish && span.finish <= timeline.end,
              "{} runs from {} to {}", graph.name_of(OpId(op)), span.start.value,
              span.finish.value);
    for (const OpId next : graph.successors(OpId(op)))
      INVARIANT(timeline.ops[index(next)].start >= span.finish, "{} starts before {} ends",
                graph.name_of(next), graph.name_of(OpId(op)));
  }
}

/// Bytes that leave a node enter another: the bytes of both directions of each kind of link agree.
void expect_conserved_bytes(const StepGraph&, const Timeline& timeline) {
  std::map<LinkKind, double> bytes;
  for (const LinkUse& link : timeline.links)
    bytes[link.kind] += link.bytes;
  const std::pair<LinkKind, LinkKind> directions[] = {
      {LinkKind::scale_up_egress, LinkKind::scale_up_ingress},
      {LinkKind::pcie_egress, LinkKind::pcie_ingress},
      {LinkKind::nic_egress, LinkKind::nic_ingress},
      {LinkKind::pcie_egress, LinkKind::nic_egress},
      {LinkKind::leaf_uplink, LinkKind::leaf_downlink}};
  for (const auto& [out, in] : directions)
    INVARIANT(std::abs(bytes[out] - bytes[in]) <= 1e-9 * bytes[out], "kinds {} and {}: {} and {}",
              static_cast<int>(out), static_cast<int>(in), bytes[out], bytes[in]);
}

/// The bins of a step hold what the links carried in the whole step, and no flow runs outside its
/// operation: utilisation x capacity x length of the bin, summed, are the bytes.
void expect_conserved_bins(const StepGraph&, const Timeline& timeline) {
  for (const FlowSpan& flow : timeline.flows) {
    const OpSpan& op = timeline.ops[index(flow.op)];
    INVARIANT(op.start <= flow.start && flow.start <= flow.finish && flow.finish <= op.finish,
              "a flow from {} to {} in an operation from {} to {}", flow.start.value,
              flow.finish.value, op.start.value, op.finish.value);
  }
  const std::size_t bins = 37; // no divisor of anything
  const std::vector<std::vector<double>> bytes = link_bytes(timeline, bins);
  std::map<std::string, double> expected; // by class, of mean x capacity x length x links
  std::map<std::string, double> capacity; // of all links
  for (std::size_t number = 0; number < timeline.links.size(); ++number) {
    const LinkUse& link = timeline.links[number];
    const double sum = std::accumulate(bytes[number].begin(), bytes[number].end(), 0.0);
    INVARIANT(std::abs(sum - link.bytes) <= 1e-9 * link.bytes, "{} carried {} bytes, in bins {}",
              link.name, link.bytes, sum);
    expected[row_of(link.kind).title] += link.bytes;
    capacity[row_of(link.kind).title] += link.capacity.value;
  }
  std::map<std::string, double> used;
  for (const LinkUtilisation& row : link_utilisation(timeline, bins))
    used[row.link_class] += row.mean_percent / 100.0 * capacity[row.link_class] *
                            timeline.end.value / static_cast<double>(bins);
  for (const auto& [name, amount] : expected)
    INVARIANT(std::abs(used[name] - amount) <= 1e-9 * amount, "{} carried {} bytes, used for {}",
              name, amount, used[name]);
}

void check_observed(std::uint64_t seed, Fidelity fidelity, const TimelineObserver& observe) {
  for (const RandomCase& drawn : random_cases(seed, 40, small)) {
    INFO(drawn.text());
    CHECK_NOTHROW(observed(drawn, fidelity, observe));
  }
}

} // namespace

TEST_CASE("no step ends before its busiest link has carried its bytes") {
  check_observed(20'000, Fidelity::folded, expect_link_bounds);
  check_observed(21'000, Fidelity::flows, expect_link_bounds);
}

TEST_CASE("no step ends before its busiest device has computed") {
  check_observed(22'000, Fidelity::folded, expect_device_bounds);
  check_observed(23'000, Fidelity::flows, expect_device_bounds);
}

TEST_CASE("the bins of a step hold what its links carried") {
  check_observed(30'000, Fidelity::folded, expect_conserved_bins);
  check_observed(31'000, Fidelity::flows, expect_conserved_bins);
}

TEST_CASE("every operation runs once, after all it waits for") {
  check_observed(24'000, Fidelity::folded, expect_order);
  check_observed(25'000, Fidelity::flows, expect_order);
}

TEST_CASE("what leaves on one side of a link kind arrives on the other") {
  check_observed(26'000, Fidelity::flows, expect_conserved_bytes);
}

TEST_CASE("no step beats the bound that plans are ordered by") {
  for (const RandomCase& drawn : random_cases(27'000, 200, small)) {
    INFO(drawn.text());
    const Scenario scenario = scenario_of(drawn);
    const Topology topology(scenario.topology, scenario.workload.plan.gpus);
    const Costs& costs = costs_of(scenario);
    const StepReplay replay = replay_step(scenario.workload, topology, Fidelity::folded, costs);
    const Seconds bound = step_time_bound(scenario.workload, topology, costs);
    PipelineOrderTable orders;
    CHECK(ComputeBounds(scenario.workload, costs, orders).of(scenario.workload.plan) <= bound);
    if (!replay.approximate)
      CHECK(replay.metrics.step_time.value * (1.0 + bound_slack) >= bound.value);
  }
}

TEST_CASE("what an observer throws comes back as an internal error") {
  const RandomCase drawn = random_cases(28'000, 1, small).front();
  CHECK_THROWS_AS(observed(drawn, Fidelity::folded,
                           [](const StepGraph&, const Timeline&) { INVARIANT(false, "{}", 1); }),
                  InternalError);
}

TEST_CASE("the same scenario gives the same cells") {
  for (const RandomCase& drawn : random_cases(29'000, 3, {{8, 16, 32}, 3000})) {
    INFO(drawn.text());
    const Scenario scenario = scenario_of(drawn);
    const Costs& costs = costs_of(scenario);
    const StepResult first = simulate(scenario, costs).result;
    const StepResult second = simulate(scenario, costs).result;
    CHECK(first.status == second.status);
    for (const ResultColumn& column : result_columns()) {
      INFO(column.name);
      CHECK(cell_text(first, column) == cell_text(second, column));
    }
  }
}
