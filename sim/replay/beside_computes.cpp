#include "sim/replay/beside_computes.hpp"

#include "sim/cost/collective_traffic.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace moesim {

namespace {

/// Bytes that a collective of `ranks` ranks reads from and writes to the memory of a GPU.
Bytes memory_traffic(const CollectiveWork& work, std::size_t ranks) {
  double accesses = row_of(work.kind).memory_accesses;
  if (is_token_exchange(work.kind)) // a token goes once to each rank that holds experts of it
    accesses *= expected_parts(work.fan_out, static_cast<std::int64_t>(ranks)) /
                static_cast<double>(work.fan_out.experts_per_token);
  return Bytes{std::llround(accesses * static_cast<double>(work.bytes.value))};
}

/// Whether ranks span several domains.
bool span_domains(const std::vector<RankId>& ranks, const Topology& topology) {
  return std::any_of(ranks.begin(), ranks.end(), [&](RankId rank) {
    return topology.domain_of(rank) != topology.domain_of(ranks.front());
  });
}

} // namespace

void BesideComputes::slow_down(const CollectiveWork& work, DeviceId device, TrafficPlan& plan) {
  const Device& member = context_.device(device);
  Uncertain rate = compute_.rate_beside_compute(work.kind);
  // The beside-compute rate already includes the in-training factor, and so does the plan: do not
  // apply both.
  if (span_domains(group_of(context_.plan, work.group, member.rank), context_.topology))
    rate.value = std::min(1.0, rate.value / context_.costs.rate_in_training(work.kind).value);
  const std::vector<LinkAmounts>& amounts = stage_amounts(work, member.stage);
  for (std::size_t phase = 0; phase < plan.phases.size(); ++phase) {
    // All flows of a phase end together.
    const Seconds undisturbed = flow_time(plan.phases[phase], amounts[phase]);
    for (PlannedFlow& flow : plan.phases[phase].flows)
      flow.route.most = BytesPerSecond{flow.amount / undisturbed.value * rate.value};
  }
  plan.error = std::hypot(plan.error, rate.error);
}

BesideCompute BesideComputes::demand(const CollectiveWork& work, DeviceId device,
                                     const TrafficPlan& plan) {
  const Device& member = context_.device(device);
  const std::vector<LinkAmounts>& amounts = stage_amounts(work, member.stage);
  BesideCompute demand{
      {}, memory_traffic(work, group_of(context_.plan, work.group, member.rank).size())};
  for (std::size_t phase = 0; phase < plan.phases.size(); ++phase)
    demand.time += plan.phases[phase].startup + flow_time(plan.phases[phase], amounts[phase]);
  return demand;
}

const std::vector<BesideComputes::LinkAmounts>&
BesideComputes::stage_amounts(const CollectiveWork& work, std::int64_t stage) {
  CollectiveWork alone = work;
  alone.beside_compute = false;
  const auto [known, added] = amounts_.try_emplace({alone, stage});
  std::vector<LinkAmounts>& phases = known->second;
  if (!added)
    return phases;
  std::set<DeviceId> counted;
  for (const std::vector<RankId>& ranks : groups_of_stage(context_.plan, work.group, stage)) {
    const DeviceId first = context_.layout.device_of(ranks.front());
    if (counted.contains(first))
      continue;
    for (const RankId rank : ranks)
      counted.insert(context_.layout.device_of(rank));
    const TrafficPlan& plan = plans_.of(alone, first);
    phases.resize(std::max(phases.size(), plan.phases.size()));
    for (std::size_t phase = 0; phase < plan.phases.size(); ++phase)
      for (const PlannedFlow& flow : plan.phases[phase].flows)
        for (const MachineRoute::Hop& hop : flow.route.hops)
          phases[phase][hop.link] += flow.amount * hop.times;
  }
  return phases;
}

Seconds BesideComputes::flow_time(const TrafficPhase& phase, const LinkAmounts& amounts) const {
  Seconds longest;
  for (const PlannedFlow& flow : phase.flows) {
    for (const MachineRoute::Hop& hop : flow.route.hops)
      longest = std::max(longest,
                         Seconds{amounts.at(hop.link) / context_.folding.capacity(hop.link).value});
    longest = std::max(longest, Seconds{flow.amount / flow.route.most.value});
  }
  return longest;
}

} // namespace moesim
