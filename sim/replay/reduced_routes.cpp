#include "sim/replay/reduced_routes.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

namespace moesim {

namespace {

/// The unit of a link's times, by link.
using Units = std::vector<std::uint64_t>;

/// The largest units by which the times of all flows can be divided.
Units common_factors(const std::vector<MachineRoute>& routes, std::size_t links) {
  Units units(links, 0);
  for (const MachineRoute& route : routes)
    for (const MachineRoute::Hop& hop : route.hops)
      units[hop.link] = std::gcd(units[hop.link], std::uint64_t{hop.times});
  return units;
}

/// Drops links that fill only if another link with the same flows is full.
void drop_slack_links(std::vector<MachineRoute>& routes, const std::vector<MachineLink>& links) {
  using Loads = std::vector<std::pair<std::size_t, std::uint32_t>>; // by route: times
  std::vector<Loads> loads(links.size());
  for (std::size_t route = 0; route < routes.size(); ++route)
    for (const MachineRoute::Hop& hop : routes[route].hops)
      loads[hop.link].emplace_back(route, hop.times);
  const Units factors = common_factors(routes, links.size());
  const auto capacity = [&](std::size_t link) {
    return links[link].capacity.value / static_cast<double>(factors[link]);
  };
  std::map<Loads, std::size_t> fills_first;
  std::vector<bool> slack(links.size(), false);
  for (std::size_t link = 0; link < links.size(); ++link) {
    if (loads[link].empty())
      continue;
    for (auto& [route, times] : loads[link])
      times = static_cast<std::uint32_t>(times / factors[link]);
    const auto [first, added] = fills_first.try_emplace(std::move(loads[link]), link);
    if (added)
      continue;
    std::size_t slower = link; // the one of two links that fills later
    if (capacity(slower) < capacity(first->second))
      std::swap(first->second, slower);
    slack[slower] = true;
  }
  for (MachineRoute& route : routes)
    std::erase_if(route.hops, [&](const MachineRoute::Hop& hop) { return slack[hop.link]; });
}

/// The times of the flow with most runs on each link; of equal ones, the first.
Units times_of_most_run(const std::vector<MachineRoute>& routes, const std::vector<double>& runs,
                        std::size_t links) {
  Units units(links, 1);
  std::vector<double> most(links, 0.0);
  for (std::size_t route = 0; route < routes.size(); ++route)
    for (const MachineRoute::Hop& hop : routes[route].hops)
      if (runs[route] > most[hop.link]) {
        most[hop.link] = runs[route];
        units[hop.link] = hop.times;
      }
  return units;
}

/// A route with its times in units of links and of its own: the smallest whole numbers. Nothing if
/// they are too large.
std::optional<MachineRoute> in_units(const MachineRoute& route, const Units& units) {
  constexpr std::uint64_t largest = std::uint64_t{1} << 20U;
  std::uint64_t whole = 1; // factor that makes all shares whole numbers
  for (const MachineRoute::Hop& hop : route.hops) {
    const std::uint64_t unit = units[hop.link];
    whole = std::lcm(whole, unit / std::gcd(unit, std::uint64_t{hop.times}));
    if (whole > largest)
      return std::nullopt;
  }
  std::uint64_t common = 0;
  for (const MachineRoute::Hop& hop : route.hops)
    common = std::gcd(common, hop.times * whole / units[hop.link]);
  MachineRoute reduced = route;
  for (MachineRoute::Hop& hop : reduced.hops)
    hop.times = static_cast<std::uint32_t>(hop.times * whole / units[hop.link] / common);
  reduced.multiple = static_cast<double>(common) / static_cast<double>(whole);
  return reduced;
}

/// Routes in units of their own, and the hops that all their flows list in a step.
struct ReducedRoutes {
  std::vector<MachineRoute> routes;
  double hops = 0.0;
};

std::optional<ReducedRoutes> all_in_units(const std::vector<MachineRoute>& routes,
                                          const std::vector<double>& runs, const Units& units) {
  ReducedRoutes reduced;
  for (std::size_t route = 0; route < routes.size(); ++route) {
    std::optional<MachineRoute> one = in_units(routes[route], units);
    if (!one)
      return std::nullopt;
    for (const MachineRoute::Hop& hop : one->hops)
      reduced.hops += runs[route] * hop.times;
    reduced.routes.push_back(*std::move(one));
  }
  return reduced;
}

} // namespace

void reduce_routes(std::vector<MachineRoute>& routes, const std::vector<double>& runs,
                   std::vector<MachineLink>& links) {
  drop_slack_links(routes, links);
  Units units = common_factors(routes, links.size());
  std::optional<ReducedRoutes> reduced = all_in_units(routes, runs, units);
  const Units others = times_of_most_run(routes, runs, links.size());
  if (auto by_most_run = all_in_units(routes, runs, others);
      by_most_run && (!reduced || by_most_run->hops < reduced->hops)) {
    reduced = std::move(by_most_run);
    units = others;
  }
  if (!reduced)
    return;
  // No flow gets smaller: the machine counts whole parts of bytes.
  double least = 1.0;
  for (const MachineRoute& route : reduced->routes)
    least = std::min(least, route.multiple);
  for (MachineRoute& route : reduced->routes)
    route.multiple /= least;
  for (std::size_t link = 0; link < links.size(); ++link)
    if (units[link] > 0)
      links[link].capacity = links[link].capacity / (static_cast<double>(units[link]) * least);
  routes = std::move(reduced->routes);
}

} // namespace moesim
