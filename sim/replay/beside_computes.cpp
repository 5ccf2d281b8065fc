#include "sim/replay/traffic.hpp"

#include <algorithm>
#include <cmath>
#include <set>

// How long a collective takes when all groups of its stage run theirs, and what computes beside it
// make of that: the same time whether one rank stands for all groups or each is replayed.
namespace moesim {

namespace {

/// The bytes that a collective between `ranks` reads from and writes to the memory of a GPU.
Bytes memory_traffic(const CollectiveWork& work, std::size_t ranks) {
  double accesses = row_of(work.kind).memory_accesses;
  if (is_token_exchange(work.kind)) // a token goes once to each rank that has experts of it
    accesses *= expected_parts(work.fan_out, static_cast<std::int64_t>(ranks)) /
                static_cast<double>(work.fan_out.experts_per_token);
  return Bytes{std::llround(accesses * static_cast<double>(work.bytes.value))};
}

} // namespace

const std::vector<TrafficPlanner::LinkAmounts>&
TrafficPlanner::stage_amounts(const CollectiveWork& work, std::int64_t stage) {
  const auto [known, added] = stage_amounts_.try_emplace({work, stage});
  std::vector<LinkAmounts>& phases = known->second;
  if (!added)
    return phases;
  CollectiveWork plain = work;
  plain.beside_compute = false;
  std::set<DeviceId> counted;
  for (const std::vector<RankId>& ranks : groups_of_stage(plan_, work.group, stage)) {
    const DeviceId first = layout_.device_of(ranks.front());
    if (counted.contains(first))
      continue;
    for (const RankId rank : ranks)
      counted.insert(layout_.device_of(rank));
    const TrafficPlan& plan = collective(plain, {work.group, {first}});
    phases.resize(std::max(phases.size(), plan.phases.size()));
    for (std::size_t phase = 0; phase < plan.phases.size(); ++phase)
      for (const PlannedFlow& flow : plan.phases[phase].flows)
        for (const MachineRoute::Hop& hop : flow.route.hops)
          phases[phase][hop.link] += flow.amount * hop.times;
  }
  return phases;
}

Seconds TrafficPlanner::flow_time_in_stage(const TrafficPhase& phase,
                                           const LinkAmounts& amounts) const {
  Seconds longest;
  for (const PlannedFlow& flow : phase.flows) {
    for (const MachineRoute::Hop& hop : flow.route.hops)
      longest =
          std::max(longest, Seconds{amounts.at(hop.link) / folding_.capacity(hop.link).value});
    longest = std::max(longest, Seconds{flow.amount / flow.route.most.value});
  }
  return longest;
}

BesideCompute TrafficPlanner::beside_compute(const CollectiveWork& work, const DeviceGroup& group) {
  const Device& device = layout_.devices[index(group.devices.front())];
  const std::vector<LinkAmounts>& amounts = stage_amounts(work, device.stage);
  BesideCompute beside{{}, memory_traffic(work, group_of(plan_, work.group, device.rank).size())};
  const std::vector<TrafficPhase>& phases = collective(work, group).phases;
  for (std::size_t phase = 0; phase < phases.size(); ++phase)
    beside.time += phases[phase].startup + flow_time_in_stage(phases[phase], amounts[phase]);
  return beside;
}

// The links are idle meanwhile: transfer and messages are timed apart, as if none ran beside the
// other.
void TrafficPlanner::add_host_posts(const CollectiveWork& work, RankId member, TrafficPlan& plan) {
  if (!compute_)
    return;
  const NodeSpec& node = topology_.spec().node;
  const CollectiveFlows flows(work, group_of(plan_, work.group, member), topology_);
  const std::int64_t domains = flows.members_outside();
  const double copies = static_cast<double>(*work.host_posted_tokens) *
                        expected_parts(work.fan_out, domains) * static_cast<double>(domains - 1) /
                        static_cast<double>(domains);
  const PostingTime posting = compute_->host().posting_time(
      {work.kind.library, work.role == Role::combine,
       static_cast<std::int64_t>(flows.ranks().size()), copies, node.nic_medium, node.nic});
  if (posting.extrapolated)
    notes_.extrapolated.insert("messages of a host on " + node.nic_medium);
  const Seconds transfer = time_alone(plan, folding_);
  plan.phases.front().startup += posting.time;
  plan.error = std::hypot(transfer.value * plan.error, posting.time.value * posting.error) /
               (transfer + posting.time).value;
}

bool TrafficPlanner::leaves_domain(const CollectiveWork& work, RankId member) const {
  const std::vector<RankId> ranks = group_of(plan_, work.group, member);
  return std::any_of(ranks.begin(), ranks.end(), [&](RankId rank) {
    return topology_.domain_of(rank) != topology_.domain_of(ranks.front());
  });
}

void TrafficPlanner::slow_beside_computes(const CollectiveWork& work, const Device& device,
                                          TrafficPlan& plan) {
  if (!compute_)
    return;
  Uncertain rate = compute_->rate_beside_compute(work.kind);
  // What slows it in any step hides what computes beside it would.
  if (leaves_domain(work, device.rank))
    rate.value = std::min(1.0, rate.value / costs_.rate_in_training(work.kind).value);
  const std::vector<LinkAmounts>& amounts = stage_amounts(work, device.stage);
  for (std::size_t phase = 0; phase < plan.phases.size(); ++phase) {
    // All flows of a phase end together.
    const Seconds undisturbed = flow_time_in_stage(plan.phases[phase], amounts[phase]);
    for (PlannedFlow& flow : plan.phases[phase].flows)
      flow.route.most = BytesPerSecond{flow.amount / undisturbed.value * rate.value};
  }
  plan.error = std::hypot(plan.error, rate.error);
}

} // namespace moesim
