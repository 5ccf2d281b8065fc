#include "sim/replay/machine.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <vector>

using namespace moesim;

namespace {

struct Flow {
  MachineRoute route;
  double bytes = 0.0;
};

/// When each of `flows` ends if all start at time 0.
std::map<std::uint32_t, double> ends_of(const std::vector<MachineLink>& links,
                                        const std::vector<Flow>& flows) {
  const auto machine = Machine::make(links);
  for (const Flow& flow : flows)
    machine->add_route(flow.route);
  std::map<std::uint32_t, double> ends;
  for (std::uint32_t flow = 0; flow < flows.size(); ++flow)
    machine->start_flow(flow, flows[flow].bytes, flow);
  machine->run({[&](std::uint32_t token) { ends[token] = machine->now().value; }, [] {}});
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

// The link has 1 GB/s. One flow takes at most 0.2 GB/s and sends 1 GB in 5 s; the other takes the
// remaining 0.8 GB/s and sends 2 GB in 2.5 s.
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

// 1 GB over 1 GB/s takes 1 s; an alarm after 0.25 s starts another of 1 GB on the same link. The
// first has 0.75 GB left, which take 1.5 s at half the rate: it ends at 1.75 s. The second has sent
// as much by then, and the other 0.25 GB take 0.25 s: 2 s.
TEST_CASE("an alarm starts a flow while another is under way") {
  const auto machine = Machine::make({{"Link", gbyte_per_s(1)}});
  machine->add_route({{{0, 1}}, 1.0});
  std::map<std::uint32_t, double> ends;
  machine->start_flow(0, 1e9, 0);
  machine->set_alarm(Seconds{0.25});
  machine->run({[&](std::uint32_t token) { ends[token] = machine->now().value; },
                [&] { machine->start_flow(0, 1e9, 1); }});
  CHECK(ends[0] == Approx(1.75).epsilon(1e-9));
  CHECK(ends[1] == Approx(2.0).epsilon(1e-9));
}

// An alarm that is set anew comes at its last time alone, and one that is cancelled never.
TEST_CASE("an alarm comes once, at the time that was set last") {
  const auto machine = Machine::make({{"Link", gbyte_per_s(1)}});
  machine->add_route({{{0, 1}}, 1.0});
  std::vector<double> alarms;
  machine->start_flow(0, 1e9, 0);
  machine->set_alarm(Seconds{0.25});
  machine->set_alarm(Seconds{0.5});
  machine->run({[&](std::uint32_t) { machine->cancel_alarm(); },
                [&] {
                  alarms.push_back(machine->now().value);
                  machine->set_alarm(Seconds{0.75}); // after the flow's end, which cancels it
                }});
  REQUIRE(alarms.size() == 1);
  CHECK(alarms.front() == Approx(0.5).epsilon(1e-9));
  CHECK(machine->now().value == Approx(1.0).epsilon(1e-9));
}

// Each run goes on where the one before ended: 1 s, then 2 s more.
TEST_CASE("a machine runs again, its clock goes on") {
  const auto machine = Machine::make({{"Link", gbyte_per_s(1)}});
  machine->add_route({{{0, 1}}, 1.0});
  std::vector<double> ends;
  for (const double bytes : {1e9, 2e9}) {
    machine->start_flow(0, bytes, 0);
    machine->run({[&](std::uint32_t) { ends.push_back(machine->now().value); }, [] {}});
  }
  REQUIRE(ends.size() == 2);
  CHECK(ends[0] == Approx(1.0).epsilon(1e-9));
  CHECK(ends[1] == Approx(3.0).epsilon(1e-9));
}
