#include "sim/replay/class_flows.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

namespace moesim {

namespace {

/// Flows with an equal key are a class: the devices of source and sink, if it is from a rank to
/// itself, and the first links of the classes on the route, in order.
using FlowKey = std::tuple<DeviceId, DeviceId, bool, std::vector<LinkId>>;

/// How many times each hop stands so that all shares are kept; nothing if more than `parts_max`.
constexpr double parts_max = 64.0;
std::optional<double> parts_of(const std::vector<double>& shares) {
  constexpr double exact = 1e-9;
  for (double parts = 1.0; parts <= parts_max; parts += 1.0)
    if (std::all_of(shares.begin(), shares.end(), [parts](double share) {
          return std::abs(share * parts - std::round(share * parts)) < exact * parts;
        }))
      return parts;
  return std::nullopt;
}

/// What a flow loads real links with.
using LinkShares = std::map<LinkId, double>;

/// A class while its flows are counted.
struct Counted {
  std::size_t flow = 0;
  std::vector<LinkId> links;      ///< of its route: the first of each class, in order
  std::vector<LinkShares> shares; ///< of all its flows, by hop
};

/// Whether all `alike` links of a class have the same share.
bool same_on_all(const LinkShares& shares, std::uint32_t alike) {
  constexpr double exact = 1e-9;
  return shares.size() == alike && std::all_of(shares.begin(), shares.end(), [&](const auto& link) {
           return std::abs(link.second - shares.begin()->second) <= exact * shares.begin()->second;
         });
}

/// Flows by class.
std::vector<Counted> count_flows(const std::vector<std::vector<RankFlow>>& groups,
                                 const DeviceLayout& layout, const Topology& topology,
                                 const LinkFolding& folding) {
  std::vector<Counted> classes;
  std::map<FlowKey, std::size_t> known;
  Route route;
  for (std::size_t group = 0; group < groups.size(); ++group)
    for (std::size_t number = 0; number < groups[group].size(); ++number) {
      const RankFlow& flow = groups[group][number];
      find_route(topology, flow, route);
      std::vector<LinkId> links;
      for (const RouteHop& hop : route)
        links.push_back(folding.first_alike(hop.link));
      const auto [place, added] =
          known.try_emplace({layout.device_of(flow.source), layout.device_of(flow.sink),
                             flow.source == flow.sink, links},
                            classes.size());
      if (added) {
        INVARIANT(group == 0, "a flow of group {} is of no class of the first", group);
        const std::size_t hops = links.size();
        classes.push_back({number, std::move(links), std::vector<LinkShares>(hops)});
      }
      for (std::size_t hop = 0; hop < route.size(); ++hop)
        classes[place->second].shares[hop][route[hop].link] += route[hop].share;
    }
  return classes;
}

/// What all flows of the first group's size load the links of each class with, by the first.
bool loads_are_even(const std::vector<Counted>& classes, const std::vector<RankFlow>& flows,
                    const LinkFolding& folding) {
  std::map<LinkId, LinkShares> totals;
  for (const Counted& counted : classes)
    for (std::size_t hop = 0; hop < counted.links.size(); ++hop)
      for (const auto& [link, share] : counted.shares[hop])
        totals[counted.links[hop]][link] += share * flows[counted.flow].bytes;
  return std::all_of(totals.begin(), totals.end(), [&](const auto& total) {
    return same_on_all(total.second, folding.alike(total.first));
  });
}

} // namespace

FoldedFlows fold_flows(const std::vector<std::vector<RankFlow>>& groups, const DeviceLayout& layout,
                       const Topology& topology, LinkFolding& folding) {
  const std::vector<Counted> classes = count_flows(groups, layout, topology, folding);
  FoldedFlows folded;
  for (const Counted& counted : classes) {
    ClassFlow& flow = folded.flows.emplace_back();
    flow.flow = counted.flow;
    std::vector<double> times;
    for (std::size_t hop = 0; hop < counted.links.size(); ++hop) {
      const std::uint32_t alike = folding.alike(counted.links[hop]);
      double all = 0.0;
      for (const auto& [link, share] : counted.shares[hop])
        all += share;
      times.push_back(all / alike);
      flow.mixed |= !same_on_all(counted.shares[hop], alike);
    }
    const std::optional<double> parts = parts_of(times);
    folded.even &= parts.has_value() || !flow.mixed;
    flow.parts = parts.value_or(parts_max);
    for (std::size_t hop = 0; hop < counted.links.size(); ++hop)
      flow.route.hops.push_back(folding.hop(
          counted.links[hop],
          static_cast<std::uint32_t>(std::max<long>(1, std::lround(times[hop] * flow.parts)))));
  }
  const bool mixed = std::any_of(folded.flows.begin(), folded.flows.end(),
                                 [](const ClassFlow& flow) { return flow.mixed; });
  folded.even &= !mixed || loads_are_even(classes, groups.front(), folding);
  return folded;
}

} // namespace moesim
