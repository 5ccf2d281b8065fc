#include "tests/property/random_cluster.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace moesim {

namespace {

void draw_node(Draw& draw, NodeSpec& node) {
  node.gpus = draw.one_of<std::int64_t>({2, 4, 8});
  node.scale_up_interconnect = draw.one_in(6) ? "pcie" : "nvlink4";
  node.scale_up = gbyte_per_s(draw.one_of<double>({64, 200, 450, 900}));
  node.scale_up_latency = microseconds(0.25);
  node.scale_up_gpus = node.gpus * draw.one_of<std::int64_t>({1, 1, 2, 4});
  node.scale_up_switch_gpus = draw.one_in(4) ? node.gpus : node.scale_up_gpus;
  node.scale_up_oversubscription = draw.one_of<double>({1.0, 2.0});
  node.in_switch_reduction = draw.one_in(2);
  node.nics = draw.one_of<std::int64_t>({1, 2, 4, 8});
  while (node.nics > node.gpus)
    node.nics /= 2;
  node.nic_interconnect = "infiniband";
  node.nic = gbyte_per_s(draw.one_of<double>({12.5, 25, 50, 100}));
  node.nic_latency = microseconds(0.6);
  node.pcie = gbyte_per_s(draw.one_of<double>({16, 32, 64}));
}

void draw_fabric(Draw& draw, TopologySpec& cluster) {
  FabricSpec& fabric = cluster.fabric;
  fabric.kind = draw.one_of<FabricKind>({FabricKind::rail_optimised, FabricKind::rail_optimised,
                                         FabricKind::leaf_spine, FabricKind::multi_plane,
                                         FabricKind::dragonfly, FabricKind::torus});
  fabric.tiers = draw.one_of<std::int64_t>({2, 3});
  fabric.nodes_per_leaf = draw.one_of<std::int64_t>({1, 2, 4, 16});
  const std::int64_t rails = fabric.kind == FabricKind::rail_optimised ? cluster.node.nics : 1;
  fabric.leaves_per_pod = rails * draw.one_of<std::int64_t>({1, 2, 4});
  fabric.oversubscription = draw.one_of<double>({1.0, 1.5, 3.0});
  fabric.pod_oversubscription = draw.one_of<double>({1.0, 2.0});
  fabric.switch_latency = microseconds(0.3);
  if (draw.one_in(4))
    fabric.ecmp_flows_per_nic = 8;
  fabric.routers_per_group = draw.one_of<std::int64_t>({2, 4});
  fabric.local_link = gbyte_per_s(draw.one_of<double>({25, 50}));
  fabric.global_link = gbyte_per_s(draw.one_of<double>({25, 100}));
  fabric.dimensions = draw.one_of<std::array<std::int64_t, 3>>(
      {{4, 4, 4}, {8, 4, 2}, {3, 3, 8}, {2, 2, 16}, {64, 1, 1}});
  fabric.torus_link = gbyte_per_s(draw.one_of<double>({25, 50}));
}

} // namespace

std::string RandomCollective::text() const {
  const NodeSpec& node = cluster.node;
  const FabricSpec& fabric = cluster.fabric;
  return fmt::format(
      "seed {}: {} bytes of {} over {} GPUs; nodes of {} ({}) in domains of {} "
      "(switches of {}), {} NICs, PCIe {:g}, NIC {:g}; fabric {}, {} tiers, {} nodes a leaf, {} "
      "leaves a pod, oversubscription {} and {}",
      seed, work.bytes.value, collective_name(work.kind), gpus, node.gpus,
      node.scale_up_interconnect, node.scale_up_gpus, node.scale_up_switch_gpus, node.nics,
      node.pcie.value * 1e-9, node.nic.value * 1e-9, static_cast<int>(fabric.kind), fabric.tiers,
      fabric.nodes_per_leaf, fabric.leaves_per_pod, fabric.oversubscription,
      fabric.pod_oversubscription);
}

RandomCollective random_collective(std::uint64_t seed, const std::vector<std::int64_t>& sizes) {
  Draw draw(seed);
  RandomCollective drawn;
  drawn.seed = seed;
  drawn.cluster.name = "random";
  drawn.cluster.gpus_max = 512;
  draw_node(draw, drawn.cluster.node);
  draw_fabric(draw, drawn.cluster);
  drawn.gpus = draw.one_of(sizes);
  drawn.work.kind = draw.one_of<Collective>(
      {Collective::all_to_all, Collective::all_to_all, Collective::all_gather,
       Collective::reduce_scatter, Collective::all_reduce, Collective::all_reduce_tree,
       Collective::all_reduce_in_switch, Collective::dispatch, Collective::combine});
  drawn.work.group = GroupKind::expert;
  drawn.work.bytes = Bytes{draw.one_of<std::int64_t>({1 << 16, 1 << 20, 1 << 24, 1 << 28})};
  if (drawn.work.kind == Collective::all_to_all && draw.one_in(2))
    drawn.work.kind = Collective::two_phase_all_to_all;
  drawn.work.any_algorithm = draw.one_in(2);
  const std::int64_t groups = draw.one_of<std::int64_t>({1, 4, 8});
  drawn.work.fan_out = {256, 8, groups, std::min<std::int64_t>(groups, 4)};
  return drawn;
}

void skew_loads(RandomCollective& drawn, const Skew& skew) {
  Draw draw(drawn.seed);
  const auto ranks = static_cast<std::size_t>(drawn.gpus);
  drawn.work.kind = draw.one_in(4) ? Collective::dispatch : Collective::all_to_all;
  if (drawn.work.kind == Collective::all_to_all && draw.one_in(3))
    drawn.work.kind = Collective::two_phase_all_to_all;
  const double exponent = 1.5 * draw.share();
  std::vector<double> popularity;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const double place = 1.0 + std::floor(draw.share() * static_cast<double>(ranks));
    popularity.push_back(
        std::pow(skew.octaves ? std::exp2(std::floor(std::log2(place))) : place, -exponent));
  }
  const auto off = [&] { return draw.one_of<double>({1.0 - skew.noise, 1.0, 1.0 + skew.noise}); };
  std::vector<double> values;
  for (std::size_t source = 0; source < ranks; ++source) {
    const double all = skew.octaves ? off() : 1.0;
    for (std::size_t sink = 0; sink < ranks; ++sink)
      values.push_back(popularity[sink] * (skew.octaves ? all : off()));
  }
  const double mean =
      std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  constexpr double whole = 1e6; // of the mean load: the parts that loads are counted in
  std::vector<std::uint32_t> counts;
  for (const double value : values)
    counts.push_back(static_cast<std::uint32_t>(whole * value / mean));
  drawn.work.loads = std::make_shared<LoadMatrix>(ranks, std::move(counts), 1.0 / whole);
}

} // namespace moesim
