#include "sim/replay/machine.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace moesim;

namespace {

struct Flow {
  MachineRoute route;
  double bytes = 0.0;
};

/// When each of `flows` ends if all start at time 0.
std::map<std::uint32_t, double> ends_of(const std::vector<MachineLink>& links,
                                        const std::vector<Flow>& flows) {
  Machine machine(1, links);
  for (const Flow& flow : flows)
    machine.add_route(flow.route);
  std::map<std::uint32_t, double> ends;
  machine.run(
      [&] {
        for (std::uint32_t flow = 0; flow < flows.size(); ++flow)
          machine.start_flow(flow, flows[flow].bytes, flow);
      },
      [&](std::uint32_t token) { ends[token] = machine.now().value; });
  return ends;
}

} // namespace

// 1 GB/s shared 1 : 3. The second flow sends its 1.5 GB at 0.75 GB/s in 2 s. The first has sent
// 0.5 GB by then and sends the other 0.5 GB alone: 2.5 s.
TEST_CASE("contending flows share a link by weight") {
  auto ends =
      ends_of({{"Link", gbyte_per_s(1)}}, {{{{{0, 1}}, 1.0}, 1e9}, {{{{0, 1}}, 3.0}, 1.5e9}});
  CHECK(ends[1] == Approx(2.0).epsilon(1e-9));
  CHECK(ends[0] == Approx(2.5).epsilon(1e-9));
}

// The narrow link of 1 GB/s is shared in halves: 0.5 GB/s each. The wide one of 3 GB/s leaves
// 2.5 GB/s to the third flow, which sends 5 GB in 2 s, as the others send 1 GB.
TEST_CASE("flows share by max-min fairness: what one cannot use is for the others") {
  auto ends =
      ends_of({{"Narrow", gbyte_per_s(1)}, {"Wide", gbyte_per_s(3)}},
              {{{{{0, 1}}, 1.0}, 1e9}, {{{{0, 1}, {1, 1}}, 1.0}, 1e9}, {{{{1, 1}}, 1.0}, 5e9}});
  CHECK(ends[0] == Approx(2.0).epsilon(1e-9));
  CHECK(ends[1] == Approx(2.0).epsilon(1e-9));
  CHECK(ends[2] == Approx(2.0).epsilon(1e-9));
}

// Of 1 GB/s one flow takes 0.2 GB/s at most and sends 1 GB in 5 s; the other takes what is left,
// 0.8 GB/s, and sends 2 GB in 2.5 s.
TEST_CASE("a flow with a limit leaves the rest of its link to others") {
  auto ends = ends_of({{"Link", gbyte_per_s(1)}},
                      {{{{{0, 1}}, 8.0, gbyte_per_s(0.2)}, 1e9}, {{{{0, 1}}, 1.0}, 2e9}});
  CHECK(ends[0] == Approx(5.0).epsilon(1e-9));
  CHECK(ends[1] == Approx(2.5).epsilon(1e-9));
}

// A flow that stands for 4 loads 1 GB/s fourfold: 1 GB takes 4 s.
TEST_CASE("a hop that stands several times loads its link as often") {
  auto ends = ends_of({{"Link", gbyte_per_s(1)}}, {{{{{0, 4}}, 1.0}, 1e9}});
  CHECK(ends[0] == Approx(4.0).epsilon(1e-9));
}

// Weights of 1 … 64 add up to 2080: each flow gets weight / 2080 of 2.08 GB/s, weight MB/s, and
// sends weight MB in 1 s. All end together, whatever the rounding of their shares.
TEST_CASE("many weights on one link end together") {
  std::vector<Flow> flows;
  for (int weight = 1; weight <= 64; ++weight)
    flows.push_back({{{{0, 1}}, static_cast<double>(weight)}, weight * 1e6});
  const auto ends = ends_of({{"Link", gbyte_per_s(2.08)}}, flows);
  REQUIRE(ends.size() == 64);
  for (const auto& [flow, end] : ends)
    CHECK(end == Approx(1.0).epsilon(1e-9));
}

// 2,500 routes, the first 2,400 over one link and the others over another of 1 GB/s: a flow of
// 1 MB over each takes 2.4 s on the first, 0.1 s on the second.
TEST_CASE("thousands of routes lead over their own links") {
  std::vector<Flow> flows;
  for (std::uint32_t flow = 0; flow < 2500; ++flow)
    flows.push_back({{{{flow < 2400 ? 0U : 1U, 1}}, 1.0}, 1e6});
  const auto ends = ends_of({{"Crowded", gbyte_per_s(1)}, {"Quiet", gbyte_per_s(1)}}, flows);
  REQUIRE(ends.size() == 2500);
  for (const auto& [flow, end] : ends)
    CHECK(end == Approx(flow < 2400 ? 2.4 : 0.1).epsilon(1e-9));
}

// A thousand delays of one device, of 1 ms to 1 s, run beside each other.
TEST_CASE("delays on one device do not slow each other") {
  Machine machine(1, {});
  machine.run(
      [&] {
        for (std::uint32_t delay = 0; delay < 1000; ++delay)
          machine.start_delay(0, Seconds{1e-3 * (delay + 1)}, delay);
      },
      [&](std::uint32_t delay) {
        CHECK(machine.now().value == Approx(1e-3 * (delay + 1)).epsilon(1e-9));
      });
  CHECK(machine.now().value == Approx(1.0).epsilon(1e-9));
}
