#include "sim/replay/class_flows.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

namespace moesim {

namespace {

/// Flows with an equal key are a class: the devices of source and sink, if it is from a rank to
/// itself, and the first links of the classes on the route, in order.
using FlowKey = std::tuple<DeviceId, DeviceId, bool, std::vector<LinkId>>;

/// How many times each hop stands so that all shares are kept, at most to one part in 64.
double parts_of(const Route& route) {
  constexpr double parts_max = 64.0;
  constexpr double exact = 1e-9;
  for (double parts = 1.0; parts < parts_max; parts += 1.0)
    if (std::all_of(route.begin(), route.end(), [parts](const RouteHop& hop) {
          return std::abs(hop.share * parts - std::round(hop.share * parts)) < exact;
        }))
      return parts;
  return parts_max;
}

/// A class while its flows are counted.
struct Counted {
  ClassFlow flow;
  std::vector<LinkId> links;  ///< of its route: the first of each class, in order
  std::vector<double> shares; ///< of all its flows, by hop
};

} // namespace

std::vector<ClassFlow> fold_flows(const std::vector<std::vector<RankFlow>>& groups,
                                  const DeviceLayout& layout, const Topology& topology,
                                  LinkFolding& folding) {
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
        classes.push_back({{number, {}, parts_of(route)},
                           std::move(links),
                           std::vector<double>(route.size(), 0.0)});
      }
      for (std::size_t hop = 0; hop < route.size(); ++hop)
        classes[place->second].shares[hop] += route[hop].share;
    }
  std::vector<ClassFlow> folded;
  for (Counted& counted : classes) {
    for (std::size_t hop = 0; hop < counted.links.size(); ++hop) {
      const double times = counted.shares[hop] / folding.alike(counted.links[hop]);
      counted.flow.route.hops.push_back(folding.hop(
          counted.links[hop],
          static_cast<std::uint32_t>(std::max<long>(1, std::lround(times * counted.flow.parts)))));
    }
    folded.push_back(std::move(counted.flow));
  }
  return folded;
}

} // namespace moesim
