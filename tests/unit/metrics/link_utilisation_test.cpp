#include "sim/metrics/link_utilisation.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// Ten seconds, two NICs of 100 bytes a second and a leaf's uplink of 50, and three kinds of flow.
Timeline three_links() {
  Timeline timeline;
  timeline.end = Seconds{10.0};
  timeline.links = {{"Node[0].Nic[0].Egress", LinkKind::nic_egress, 0.0, BytesPerSecond{100.0}},
                    {"Node[0].Nic[1].Egress", LinkKind::nic_egress, 0.0, BytesPerSecond{100.0}},
                    {"Leaf[0].Uplink", LinkKind::leaf_uplink, 0.0, BytesPerSecond{50.0}}};
  timeline.loads = {{{0, 400.0}, {2, 100.0}}, {{1, 90.0}}, {{2, 20.0}}};
  return timeline;
}

} // namespace

// 400 bytes from 1 s to 9 s are 50 a second: 200 in each half, 40 % of the 500 bytes that the NIC
// could carry in 5 s; the other NIC carries nothing. On the uplink, 50 of 250 bytes: 20 %.
TEST_CASE("a flow's bytes are spread evenly over its time") {
  Timeline timeline = three_links();
  timeline.flows = {{OpId(0), 0, Seconds{1.0}, Seconds{9.0}}};
  const std::vector<LinkUtilisation> rows = link_utilisation(timeline, 2);
  REQUIRE(rows.size() == 4);
  for (const std::size_t bin : {std::size_t{0}, std::size_t{1}}) {
    CHECK(rows[bin].link_class == "NIC egress");
    CHECK(rows[bin].time.value == Approx(5.0 * static_cast<double>(bin)));
    CHECK(rows[bin].max_percent == Approx(40.0));
    CHECK(rows[bin].mean_percent == Approx(20.0));
    CHECK(rows[bin].busiest_link == "Node[0].Nic[0].Egress");
    CHECK(rows[2 + bin].link_class == "leaf uplink");
    CHECK(rows[2 + bin].max_percent == Approx(20.0));
    CHECK(rows[2 + bin].busiest_link == "Leaf[0].Uplink");
  }
}

// From 4.5 s to 6.5 s at 45 bytes a second: half a second of it in the first half, 22.5 of 500
// bytes; the rest, 67.5, in the second. Two flows on a link add up.
TEST_CASE("a flow across the border of two bins loads each with its part") {
  Timeline timeline = three_links();
  timeline.flows = {{OpId(0), 1, Seconds{4.5}, Seconds{6.5}},
                    {OpId(1), 1, Seconds{0.0}, Seconds{1.0}}};
  const std::vector<LinkUtilisation> rows = link_utilisation(timeline, 2);
  CHECK(rows[0].max_percent == Approx(100.0 * (22.5 + 90.0) / 500.0));
  CHECK(rows[1].max_percent == Approx(100.0 * 67.5 / 500.0));
  CHECK(rows[1].busiest_link == "Node[0].Nic[1].Egress");
}

TEST_CASE("a class that carries nothing in a bin has no busiest link there") {
  Timeline timeline = three_links();
  timeline.flows = {{OpId(0), 1, Seconds{6.0}, Seconds{7.0}}};
  const std::vector<LinkUtilisation> rows = link_utilisation(timeline, 2);
  CHECK(rows[0].max_percent == 0.0);
  CHECK(rows[0].busiest_link.empty());
}

TEST_CASE("a flow that ends with the step, or takes no time, loses no byte") {
  Timeline timeline = three_links();
  timeline.flows = {{OpId(0), 0, Seconds{9.99}, Seconds{10.0}},
                    {OpId(1), 2, Seconds{10.0}, Seconds{10.0}},
                    {OpId(2), 2, Seconds{3.0}, Seconds{3.0}}};
  const std::vector<std::vector<double>> bytes = link_bytes(timeline, 10);
  CHECK(bytes[0][9] == Approx(400.0));
  CHECK(bytes[2][9] == Approx(120.0));
  CHECK(bytes[2][3] == Approx(20.0));
}

TEST_CASE("a step has a hundred bins for each class unless another number is asked for") {
  CHECK(link_utilisation(three_links()).size() == 200);
  CHECK(link_utilisation(three_links(), 7).size() == 14);
}
