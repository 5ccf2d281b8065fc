#include "sim/replay/traffic_planner.hpp"
#include "tests/property/case_count.hpp"
#include "tests/property/random_cluster.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

using namespace moesim;

namespace {

const std::filesystem::path source_folder = MOESIM_SOURCE_DIR;
constexpr double rounding = 1e-12;

/// The loads of a stage's collective on each link, flow by flow.
struct RoutedLoads {
  std::vector<double> bytes; ///< by LinkId
  std::vector<double> amounts;
  Seconds startup;

  double time(LinkId link, const Topology& topology) const {
    return amounts[index(link)] / topology.link(link).capacity.value;
  }
};

/// Flows of all groups of a stage, one by one over their routes: bytes of a flow over the
/// efficiency of what its source sends over the tier; the longest start-up of all ranks, and the
/// longest path of the device's.
class Router {
public:
  Router(const Topology& topology, const NetworkCost& network, const ParallelPlan& plan)
      : topology_(topology), network_(network), plan_(plan) {}

  RoutedLoads route(const CollectiveWork& work, const Device& device, std::size_t phase) const {
    const NodeSpec& node = topology_.spec().node;
    const CollectiveFlows own(work, group_of(plan_, work.group, device.rank), topology_);
    RoutedLoads loads{std::vector<double>(topology_.links(), 0.0),
                      std::vector<double>(topology_.links(), 0.0),
                      {}};
    Seconds farthest;
    for (const std::vector<RankId>& ranks : groups_of_stage(plan_, work.group, device.stage)) {
      const CollectiveFlows flows(work, ranks, topology_);
      for (std::size_t place = 0; place < ranks.size(); ++place) {
        const PeerCount peers = flows.peers(phase, place);
        const Seconds inside =
            network_.startup(node.scale_up_interconnect, own.inside_kind(), peers.inside);
        const Seconds outside =
            peers.outside > 0
                ? network_.startup(node.nic_interconnect, own.outside_kind(), peers.outside)
                : Seconds{};
        loads.startup = std::max(loads.startup, inside + outside);
      }
      for (const RankFlow& flow : flows.all(phase)) {
        const Route route = topology_.route(flow.source, flow.sink);
        if (flow.source == device.rank)
          farthest = std::max(farthest, topology_.latency(route));
        for (const RouteHop& hop : route) {
          loads.bytes[index(hop.link)] += flow.bytes * hop.share;
          loads.amounts[index(hop.link)] += flow.bytes / share_of(flow, own) * hop.share;
        }
      }
    }
    loads.startup += farthest;
    return loads;
  }

private:
  double share_of(const RankFlow& flow, const CollectiveFlows& own) const {
    const NodeSpec& node = topology_.spec().node;
    const Bytes message{std::llround(flow.message_bytes)};
    if (topology_.domain_of(flow.source) == topology_.domain_of(flow.sink))
      return network_
          .efficiency(node.scale_up_interconnect, own.inside_kind(),
                      {message, own.members_inside(), node.scale_up})
          .share;
    const double nics = static_cast<double>(node.nics) / static_cast<double>(node.gpus);
    return network_
        .efficiency(node.nic_interconnect, own.outside_kind(),
                    {message, own.members_outside(), node.nic * nics})
        .share;
  }

  const Topology& topology_;
  const NetworkCost& network_;
  const ParallelPlan& plan_;
};

/// A shipped topology, its leaves and pods cut so that small jobs span several.
struct Cluster {
  std::string name;
  std::string settings;
};

const std::vector<Cluster> clusters = {
    {"hgx-h100-ndr400", ""},
    {"hgx-h800-ndr400", "nodes_per_leaf = 2\n"},
    {"gb200-nvl72", "nodes_per_leaf = 8\n"},
    {"ethernet-100g", "nodes_per_leaf = 3\n"},
    {"fat-tree-3-tier", "nodes_per_leaf = 1\nleaves_per_pod = 16\n"},
    {"pcie-l40s", ""},
    {"deepseek-multiplane-h800", "nodes_per_leaf = 2\n"},
    {"dragonfly-h100", ""},
    {"hgx-h100-ndr400", "nodes_per_leaf = 1\n[[fault]]\nnic = \"Node[1].Nic[2]\"\n"},
    {"hgx-h100-ndr400", "nodes_per_leaf = 1\n[[fault]]\nlink = "
                        "\"Node[1].Gpu[2].ScaleUpEgress\"\ncapacity_share = 0.3\n"},
    {"gb200-nvl72", "[[fault]]\ngpu = \"Node[1].Gpu[1]\"\n"}};

/// A collective of a stage, and the plan that it is part of.
struct DrawnPlan {
  ParallelPlan plan;
  CollectiveWork work;
};

DrawnPlan draw_collective(Draw& draw) {
  DrawnPlan drawn;
  ParallelPlan& plan = drawn.plan;
  plan.expert = draw.one_of<std::int64_t>({4, 8, 16, 24, 32, 64});
  plan.expert_tensor = draw.one_of<std::int64_t>({1, 1, 2});
  plan.pipeline = draw.one_of<std::int64_t>({1, 2, 3});
  plan.gpus = plan.pipeline * plan.expert * plan.expert_tensor * draw.one_of<std::int64_t>({1, 2});
  while (plan.gpus < 16) // two nodes, for the faults to be there
    plan.gpus *= 2;
  drawn.work.group = GroupKind::expert;
  drawn.work.kind = draw.one_of<Collective>(
      {Collective::all_to_all, Collective::all_to_all, Collective::dispatch, Collective::combine,
       Collective::hybrid_dispatch, Collective::hybrid_combine});
  if (drawn.work.kind == Collective::all_to_all && draw.one_in(2))
    drawn.work.kind = Collective::two_phase_all_to_all;
  drawn.work.fan_out = {256, 8, 8, draw.one_of<std::int64_t>({2, 4})};
  return drawn;
}

/// Some pairs carry nothing, some much; 1 on average.
std::shared_ptr<const LoadMatrix> draw_loads(Draw& draw, std::int64_t expert) {
  const auto ranks = static_cast<std::size_t>(expert);
  std::vector<double> values(ranks * ranks);
  for (double& value : values)
    value = draw.one_in(5) ? 0.0 : std::pow(draw.share(), 3.0);
  constexpr double whole = 1e6; // the parts that loads are counted in
  std::vector<std::uint32_t> counts;
  for (const double value : values)
    counts.push_back(static_cast<std::uint32_t>(whole * value));
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  return std::make_shared<LoadMatrix>(ranks, std::move(counts),
                                      static_cast<double>(ranks * ranks) / total);
}

/// Whether a link of the kind takes the longest time for the bytes per capacity of the flow.
bool is_load_of_busiest(const PlannedFlow& flow, const Link& own, const RoutedLoads& routed,
                        double longest, const Topology& topology) {
  const double bytes_time = flow.bytes / own.capacity.value;
  for (std::uint32_t number = 0; number < topology.links(); ++number) {
    const Link& link = topology.link(LinkId(number));
    if (link.kind == own.kind &&
        routed.time(LinkId(number), topology) == Approx(longest).epsilon(rounding).margin(0.0) &&
        routed.bytes[number] / link.capacity.value ==
            Approx(bytes_time).epsilon(rounding).margin(0.0))
      return true;
  }
  return false;
}

/// Each planned flow is the load of the busiest link of its kind, on the link that stands for those
/// of the stage: `stands` has it after the first phase.
void check_phase(const TrafficPhase& planned, const RoutedLoads& routed, const Topology& topology,
                 const LinkFolding& folding, std::map<LinkKind, LinkId>& stands) {
  std::map<LinkKind, double> longest;
  for (std::uint32_t link = 0; link < topology.links(); ++link)
    if (const double time = routed.time(LinkId(link), topology); time > 0.0)
      longest[topology.link(LinkId(link)).kind] =
          std::max(longest[topology.link(LinkId(link)).kind], time);
  REQUIRE(planned.flows.size() == longest.size());
  CHECK(planned.startup.value == Approx(routed.startup.value).epsilon(rounding).margin(0.0));
  for (const PlannedFlow& flow : planned.flows) {
    REQUIRE(flow.route.hops.size() == 1);
    const LinkId id = folding.originals()[flow.route.hops.front().link];
    const Link& link = topology.link(id);
    INFO(link.name);
    CHECK(flow.route.hops.front().times == 1);
    const auto kind = longest.find(link.kind);
    REQUIRE(kind != longest.end());
    CHECK(flow.amount / link.capacity.value == Approx(kind->second).epsilon(rounding).margin(0.0));
    CHECK(is_load_of_busiest(flow, link, routed, kind->second, topology));
    CHECK(stands.try_emplace(link.kind, id).first->second == id);
    longest.erase(kind);
  }
}

} // namespace

// A second and a third collective that differ from the first in their loads and bytes alone take
// its routes.
TEST_CASE("planned loads of a stage are those of its flows on their routes") {
  const NetworkCost network = NetworkCost::load(source_folder / "calibration");
  for (std::uint64_t seed = 1; seed < 1 + cases(200); ++seed) {
    Draw draw(seed);
    const Cluster& cluster = clusters[seed % clusters.size()];
    auto [plan, work] = draw_collective(draw);
    INFO(fmt::format("seed {}: {} {}, {} GPUs, pipeline {}, expert {} x {}, {}", seed, cluster.name,
                     cluster.settings, plan.gpus, plan.pipeline, plan.expert, plan.expert_tensor,
                     collective_name(work.kind)));
    const TomlDocument settings = TomlDocument::parse(cluster.settings, "settings.toml");
    const Topology topology(
        read_topology(source_folder / "topologies" / (cluster.name + ".toml"), settings.root()),
        plan.gpus);
    ReplayLayout replayed{one_rank_per_stage(plan), LoadModel::stage_links};
    DeviceLayout& layout = replayed.layout;
    for (Device& device : layout.devices)
      device.rank = RankId(static_cast<std::uint32_t>(
          device.stage * plan.stage_ranks() +
          static_cast<std::int64_t>(draw.share() * static_cast<double>(plan.stage_ranks()))));
    TrafficPlanner planner(replayed, plan, topology, network, nullptr);
    const Router router(topology, network, plan);
    std::map<std::uint32_t, std::map<LinkKind, LinkId>> stands; // by stage
    for (const std::int64_t bytes : {1 << 16, 1 << 24, 1 << 28}) {
      work.bytes = Bytes{bytes};
      work.loads = draw_loads(draw, plan.expert);
      for (std::uint32_t stage = 0; stage < layout.devices.size(); ++stage) {
        const TrafficPlan& planned =
            planner.collective(work, {GroupKind::expert, {DeviceId{stage}}});
        for (std::size_t phase = 0; phase < planned.phases.size(); ++phase)
          check_phase(planned.phases[phase], router.route(work, layout.devices[stage], phase),
                      topology, planner.folding(), stands[stage]);
      }
    }
  }
}
