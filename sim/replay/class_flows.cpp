#include "sim/replay/class_flows.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

namespace moesim {

namespace {

/// The key of a class of flows: the devices of source and sink, 1 for a flow from a rank to itself,
/// and the first links of the link classes on the route, in order.
using FlowKey = std::vector<std::size_t>;

/// Most parts of a flow. `parts_of` returns the smallest number that makes all shares whole
/// numbers; nothing if it is above this.
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

/// The shares of flows on real links.
using LinkShares = std::vector<std::pair<LinkId, double>>;

/// Sums the shares of each link; sorts by link.
void join(LinkShares& shares) {
  std::stable_sort(shares.begin(), shares.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t joined = 0;
  for (std::size_t next = 1; next < shares.size(); ++next)
    if (shares[next].first == shares[joined].first)
      shares[joined].second += shares[next].second;
    else
      shares[++joined] = shares[next];
  shares.resize(std::min(shares.size(), joined + 1));
}

/// A class of flows during the count.
struct Counted {
  std::size_t flow = 0;
  std::vector<LinkId> links;      ///< first link of each link class on the route, in order
  std::vector<LinkShares> shares; ///< shares of all its flows, by hop
};

/// Whether all links of a class, `alike` in number, have the same share.
bool same_on_all(const LinkShares& shares, std::uint32_t alike) {
  constexpr double exact = 1e-9;
  return shares.size() == alike && std::all_of(shares.begin(), shares.end(), [&](const auto& link) {
           return std::abs(link.second - shares.begin()->second) <= exact * shares.begin()->second;
         });
}

/// Counts flows by class. With a symmetry, the shares of a link include those of its counterparts
/// in all blocks; the key is the link in the first block.
std::vector<Counted> count_flows(const std::vector<std::vector<RankFlow>>& groups,
                                 const DeviceLayout& layout, const Topology& topology,
                                 const LinkFolding& folding,
                                 const std::optional<BlockSymmetry>& symmetry) {
  std::vector<Counted> classes;
  std::map<FlowKey, std::size_t> known;
  Route route;
  FlowKey key;
  for (std::size_t group = 0; group < groups.size(); ++group)
    for (std::size_t number = 0; number < groups[group].size(); ++number) {
      const RankFlow& flow = groups[group][number];
      find_route(topology, flow, route);
      key = {index(layout.device_of(flow.source)), index(layout.device_of(flow.sink)),
             flow.source == flow.sink ? std::size_t{1} : 0};
      for (const RouteHop& hop : route)
        key.push_back(index(folding.first_alike(hop.link)));
      const auto [class_number, added] = known.try_emplace(key, classes.size());
      if (added) {
        INVARIANT(group == 0, "a flow of group {} is of no class of the first", group);
        classes.push_back({number, {}, std::vector<LinkShares>(route.size())});
        for (const RouteHop& hop : route)
          classes.back().links.push_back(folding.first_alike(hop.link));
      }
      for (std::size_t hop = 0; hop < route.size(); ++hop) {
        const LinkId link = symmetry ? symmetry->in_first_block(route[hop].link) : route[hop].link;
        classes[class_number->second].shares[hop].emplace_back(link, route[hop].share);
      }
    }
  for (Counted& counted : classes)
    for (LinkShares& shares : counted.shares)
      join(shares);
  return classes;
}

/// Whether all flows together, each with the bytes of the first group's, load the links of each
/// class evenly. `alike` returns the number of links of a class from its first link.
template <typename Alike>
bool loads_are_even(const std::vector<Counted>& classes, const std::vector<RankFlow>& flows,
                    const Alike& alike) {
  std::map<LinkId, LinkShares> totals;
  for (const Counted& counted : classes)
    for (std::size_t hop = 0; hop < counted.links.size(); ++hop)
      for (const auto& [link, share] : counted.shares[hop])
        totals[counted.links[hop]].emplace_back(link, share * flows[counted.flow].bytes);
  for (auto& [first, shares] : totals)
    join(shares);
  return std::all_of(totals.begin(), totals.end(), [&](const auto& total) {
    return same_on_all(total.second, alike(total.first));
  });
}

} // namespace

FoldedFlows fold_flows(const std::vector<std::vector<RankFlow>>& groups, const DeviceLayout& layout,
                       const Topology& topology, LinkFolding& folding,
                       const std::optional<BlockSymmetry>& symmetry) {
  const std::vector<Counted> classes = count_flows(groups, layout, topology, folding, symmetry);
  const auto alike_in_block = [&](LinkId first) {
    const auto blocks = static_cast<std::uint32_t>(symmetry ? symmetry->blocks() : 1);
    return folding.alike(first) / blocks;
  };
  FoldedFlows folded;
  for (const Counted& counted : classes) {
    ClassFlow& flow = folded.flows.emplace_back();
    flow.flow = counted.flow;
    std::vector<double> times;
    for (std::size_t hop = 0; hop < counted.links.size(); ++hop) {
      const std::uint32_t alike = alike_in_block(counted.links[hop]);
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
  folded.even &= !mixed || loads_are_even(classes, groups.front(), alike_in_block);
  return folded;
}

} // namespace moesim
