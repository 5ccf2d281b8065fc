#include "sim/replay/flow_costs.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace moesim {

FlowKind kind_of(const CollectiveFlows& flows) {
  return {flows.inside_kind(), flows.outside_kind(), flows.members_inside(),
          flows.members_outside()};
}

FlowKind point_to_point_kind() {
  return {Collective::point_to_point, Collective::point_to_point, 2, 2};
}

double FlowCosts::efficiency(const RankFlow& flow, const FlowKind& kind) const {
  const NodeSpec& node = topology_.spec().node;
  const Bytes bytes{std::llround(flow.message_bytes)};
  const bool inside = topology_.domain_of(flow.source) == topology_.domain_of(flow.sink);
  const BytesPerSecond nic =
      node.nic * (static_cast<double>(node.nics) / static_cast<double>(node.gpus));
  const std::string& interconnect = inside ? node.scale_up_interconnect : node.nic_interconnect;
  const Collective collective = inside ? kind.inside : kind.outside;
  const TierUse use = inside ? TierUse{bytes, kind.members_inside, node.scale_up}
                             : TierUse{bytes, kind.members_outside, nic};
  const NetworkEfficiency efficiency = network_.efficiency(interconnect, collective, use);
  notes_.by_kernel[inside ? 0 : 1] |= efficiency.by_kernel;
  if (efficiency.extrapolated) {
    const std::string name = collective_name(row_of(collective).costs) + " on " + interconnect;
    const bool added = notes_.extrapolated.insert(name).second;
    if (const NetworkCurve* curve = efficiency.stand_in; curve && added)
      notes_.stand_ins.insert(name + ": the curve of " + collective_name(curve->collective) +
                              " on " + curve->interconnect);
  }
  return efficiency.share * (inside ? 1.0 : rate_in_training(collective).value);
}

double FlowCosts::mean_amount(const std::vector<RankFlow>& flows, const FlowKind& kind) const {
  // Messages of one size have one efficiency, inside a domain and beyond.
  std::map<std::pair<bool, double>, double> efficiencies;
  double total = 0.0;
  for (const RankFlow& flow : flows) {
    const bool inside = topology_.domain_of(flow.source) == topology_.domain_of(flow.sink);
    const auto [known, added] = efficiencies.try_emplace({inside, flow.message_bytes});
    if (added)
      known->second = efficiency(flow, kind);
    total += flow.bytes / known->second;
  }
  return total / static_cast<double>(flows.size());
}

Uncertain FlowCosts::rate_in_training(Collective collective) const {
  if (!compute_)
    return {1.0, 0.0};
  return compute_->rate_in_training(collective, topology_.spec().node.nic_interconnect);
}

Seconds FlowCosts::startup(const FlowKind& kind, const PeerCount& peers) const {
  const NodeSpec& node = topology_.spec().node;
  Seconds time = network_.startup(node.scale_up_interconnect, kind.inside, peers.inside);
  if (peers.outside > 0)
    time += network_.startup(node.nic_interconnect, kind.outside, peers.outside);
  return time;
}

double FlowCosts::error(const FlowKind& kind, const PeerCount& peers) const {
  const NodeSpec& node = topology_.spec().node;
  const double outside = network_.error(node.nic_interconnect, kind.outside, peers.outside);
  return std::max(network_.error(node.scale_up_interconnect, kind.inside, peers.inside),
                  peers.outside > 0 ? std::hypot(outside, rate_in_training(kind.outside).error)
                                    : outside);
}

} // namespace moesim
