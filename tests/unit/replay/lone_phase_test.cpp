#include "sim/replay/lone_phase.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// A node of two GPUs on NVLink of 4 GB/s: links enough for a phase.
class TwoLinks {
public:
  TwoLinks()
      : topology_(spec(), 2), layout_{every_rank(plan()), LoadModel::classes},
        folding_(layout_, plan_, topology_) {
    for (const LinkKind kind : {LinkKind::scale_up_egress, LinkKind::scale_up_ingress})
      hops_.push_back(folding_.hop(topology_.own_link(RankId(0), kind)));
  }
  const LinkFolding& folding() const { return folding_; }
  /// A flow over the first link, the second, or both, with a weight in proportion to its amount.
  PlannedFlow flow(double amount, std::vector<std::size_t> links) const {
    PlannedFlow flow{{}, amount, amount};
    flow.route.weight = amount;
    for (const std::size_t link : links)
      flow.route.hops.push_back(hops_[link]);
    return flow;
  }

private:
  static TopologySpec spec() {
    TopologySpec spec;
    spec.name = "pair";
    spec.gpus_max = 2;
    spec.node.gpus = 2;
    spec.node.scale_up_interconnect = "nvlink4";
    spec.node.scale_up_gpus = 2;
    spec.node.scale_up_switch_gpus = 2;
    spec.node.scale_up = gbyte_per_s(4);
    spec.node.nics = 2;
    spec.node.nic_interconnect = "infiniband";
    spec.node.nic = gbyte_per_s(1);
    spec.node.pcie = gbyte_per_s(1);
    return spec;
  }
  ParallelPlan& plan() {
    plan_.gpus = 2;
    return plan_;
  }

  Topology topology_;
  ParallelPlan plan_;
  ReplayLayout layout_;
  LinkFolding folding_;
  std::vector<MachineRoute::Hop> hops_;
};

} // namespace

// The first link carries 2 + 6 GB at 4 GB/s: both flows end after 2 s, at 1 and 3 GB/s. The second
// link carries the 3 GB/s too, and leaves 1 GB/s: 1 GB in 1 s.
TEST_CASE("flows of the fullest link end together, others before them with the rest of theirs") {
  const TwoLinks links;
  const TrafficPhase phase{{},
                           {links.flow(2e9, {0}), links.flow(6e9, {0, 1}), links.flow(1e9, {1})}};
  const std::vector<LoneFlow> flows = lone_flows(phase, links.folding());
  REQUIRE(flows.size() == 3);
  CHECK(flows[0].rate.value == Approx(1e9));
  CHECK(flows[0].duration.value == Approx(2.0));
  CHECK(flows[1].rate.value == Approx(3e9));
  CHECK(flows[1].duration.value == Approx(2.0));
  CHECK(flows[2].rate.value == Approx(1e9));
  CHECK(flows[2].duration.value == Approx(1.0));
}

// At 1 GB/s the limited flow takes 4 s; the other has the 3 GB/s that are left.
TEST_CASE("a flow at its own limit leaves the rest of its link to others") {
  const TwoLinks links;
  TrafficPhase phase{{}, {links.flow(4e9, {0}), links.flow(6e9, {0})}};
  phase.flows[0].route.most = gbyte_per_s(1);
  const std::vector<LoneFlow> flows = lone_flows(phase, links.folding());
  CHECK(flows[0].duration.value == Approx(4.0));
  CHECK(flows[1].duration.value == Approx(2.0));
}

TEST_CASE("a phase without flows has no rates") {
  CHECK(lone_flows({}, TwoLinks().folding()).empty());
}
