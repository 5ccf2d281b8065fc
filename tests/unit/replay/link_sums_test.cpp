#include "sim/replay/link_sums.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>

using namespace moesim;

namespace {

/// Two nodes of 8 GPUs, of which one NIC of the second sends at half its speed.
TopologySpec one_slow_nic() {
  const TomlDocument document = TomlDocument::parse(
      "[[fault]]\nlink = \"Node[1].Nic[0].Egress\"\ncapacity_share = 0.5\n", "slow.toml");
  return read_topology(std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies" /
                           "hgx-h100-ndr400.toml",
                       document.root());
}

LinkId link_named(const Topology& topology, const std::string& name) {
  for (std::uint32_t link = 0; link < topology.links(); ++link)
    if (topology.link(LinkId(link)).name == name)
      return LinkId(link);
  FAIL(name);
  return {};
}

} // namespace

// Flow 0 carries 4 bytes in an amount of 8, flow 1 carries 6 in 9. Both NICs send flow 0, the slow
// one takes longer. The ingress takes half of flow 0 and all of flow 1: 8 bytes, an amount of 13.
TEST_CASE("of links of a kind that add up the same flows the slower is the busiest") {
  const Topology topology(one_slow_nic(), 16);
  const LinkId fast = link_named(topology, "Node[0].Nic[0].Egress");
  const LinkId slow = link_named(topology, "Node[1].Nic[0].Egress");
  const LinkId ingress = link_named(topology, "Node[0].Nic[0].Ingress");
  const LinkSums sums(topology,
                      {{fast, 0, 1.0}, {slow, 0, 1.0}, {ingress, 0, 0.5}, {ingress, 1, 1.0}});
  const std::vector<BusyLink> busiest = sums.busiest({4.0, 6.0}, {8.0, 9.0});
  REQUIRE(busiest.size() == 2);
  CHECK(busiest[0].link == slow);
  CHECK(busiest[0].bytes == 4.0);
  CHECK(busiest[0].amount == 8.0);
  CHECK(busiest[1].link == ingress);
  CHECK(busiest[1].bytes == 8.0);
  CHECK(busiest[1].amount == 13.0);
}

TEST_CASE("of equally busy links the first is taken, of idle ones none") {
  const Topology topology(one_slow_nic(), 16);
  const LinkId first = link_named(topology, "Node[0].Nic[1].Egress");
  const LinkId second = link_named(topology, "Node[0].Nic[2].Egress");
  const LinkId idle = link_named(topology, "Node[0].Nic[1].Ingress");
  const LinkSums sums(topology, {{second, 0, 1.0}, {first, 1, 1.0}, {idle, 2, 1.0}});
  const std::vector<BusyLink> busiest = sums.busiest({1.0, 1.0, 0.0}, {2.0, 2.0, 0.0});
  REQUIRE(busiest.size() == 1);
  CHECK(busiest[0].link == std::min(first, second));
}

TEST_CASE("sums of the same flows for other links take the memory of the first") {
  const Topology topology(one_slow_nic(), 16);
  const LinkId first = link_named(topology, "Node[0].Nic[1].Egress");
  const LinkId second = link_named(topology, "Node[0].Nic[2].Egress");
  const LinkSums one(topology, {{first, 0, 1.0}, {first, 1, 0.5}});
  LinkSums alike(topology, {{second, 0, 1.0}, {second, 1, 0.5}});
  CHECK(alike.share_rows(one));
  CHECK(alike.busiest({2.0, 4.0}, {2.0, 4.0})[0].link == second);
  CHECK(alike.busiest({2.0, 4.0}, {2.0, 4.0})[0].bytes == 4.0);
  LinkSums other(topology, {{second, 0, 1.0}, {second, 1, 0.25}});
  CHECK_FALSE(other.share_rows(one));
  CHECK(other.busiest({2.0, 4.0}, {2.0, 4.0})[0].bytes == 3.0);
}
