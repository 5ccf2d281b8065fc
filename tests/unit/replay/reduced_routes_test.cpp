#include "sim/replay/reduced_routes.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("of links that the same flows load, the one that fills first stays") {
  // Both flows load link 1 twice as often as link 0, so it fills first, though it is faster.
  std::vector<MachineLink> links = {{"A", {100.0}}, {"B", {150.0}}, {"C", {10.0}}};
  std::vector<MachineRoute> routes(2);
  routes[0].hops = {{0, 1}, {1, 2}};
  routes[1].hops = {{0, 1}, {1, 2}, {2, 1}};
  reduce_routes(routes, {1.0, 1.0}, links);
  CHECK(routes[0].hops == std::vector<MachineRoute::Hop>{{1, 1}});
  CHECK(routes[1].hops == std::vector<MachineRoute::Hop>{{1, 1}, {2, 1}});
  CHECK(routes[0].multiple == 1.0);
  CHECK(links[1].capacity.value == 75.0);
}

TEST_CASE("a flow that loads all its links 31 times is one of 31 times the amount") {
  std::vector<MachineLink> links = {{"A", {100.0}}, {"B", {200.0}}, {"C", {300.0}}};
  std::vector<MachineRoute> routes(2);
  routes[0].hops = {{0, 31}, {1, 31}};
  routes[1].hops = {{0, 1}, {2, 1}};
  reduce_routes(routes, {3.0, 1.0}, links);
  CHECK(routes[0].hops == std::vector<MachineRoute::Hop>{{0, 1}, {1, 1}});
  CHECK(routes[0].multiple == Approx(31.0));
  CHECK(links[0].capacity.value == Approx(100.0));
  CHECK(links[1].capacity.value == Approx(200.0));
  // The other loads link C 31 times, of which the capacity is 31 times as much.
  CHECK(routes[1].hops == std::vector<MachineRoute::Hop>{{0, 1}, {2, 31}});
  CHECK(routes[1].multiple == Approx(1.0));
  CHECK(links[2].capacity.value == Approx(9300.0));
}
