#include "sim/platform/cluster_graph.hpp"
#include "sim/platform/topology_spec.hpp"

#include <boost/math/distributions/binomial.hpp>
#include <fmt/format.h>

#include <cmath>

namespace moesim {

namespace {

using VertexId = ClusterGraph::VertexId;

/// The share of its capacity that a stage of `cables` parallel cables reaches when `flows` equal
/// flows are hashed onto them: the mean number of flows a cable over the expected maximum. The
/// cables are assumed to be independent, each with a binomial number of flows (Raab and Steger,
/// "Balls into bins", 1998, give the same growth).
double hashed_share(double flows, double cables) {
  if (cables <= 1.0)
    return 1.0;
  const boost::math::binomial load(flows, 1.0 / cables);
  double fullest = 0.0;
  for (double k = 0.0; k < flows; k += 1.0) {
    const double above = 1.0 - std::pow(boost::math::cdf(load, k), cables);
    fullest += above;
    if (above < 1e-12)
      break;
  }
  return (flows / cables) / std::max(fullest, flows / cables);
}

/// Leaves, spines and cores above the NICs. The cables from a leaf to the spines above it are one
/// link, and the spines of a pod one vertex: traffic is spread over them.
class TreeBuilder {
public:
  TreeBuilder(const TopologySpec& spec, const NicVertices& nics, ClusterGraph& cluster)
      : node_(spec.node), fabric_(spec.fabric), nics_(nics), cluster_(cluster),
        rails_(spec.fabric.kind != FabricKind::leaf_spine),
        planes_(spec.fabric.kind == FabricKind::multi_plane) {}

  void build() {
    add_switches();
    for (std::int64_t node = 0; node < cluster_.nodes; ++node)
      for (std::int64_t nic = 0; nic < node_.nics; ++nic)
        add_nic(node, nic);
    for (const ClusterGraph::Gpu& gpu : cluster_.gpus)
      set_own_links(gpu);
  }

private:
  struct Switch {
    VertexId vertex = 0;
    LinkId uplink{};
    LinkId downlink{};
  };
  /// Link classes of the two directions of a cable.
  struct BothWays {
    LinkKind up;
    LinkKind down;
  };

  std::int64_t leaf_of(std::int64_t node, std::int64_t nic) const {
    const std::int64_t group = node / fabric_.nodes_per_leaf;
    return rails_ ? group * node_.nics + nic : group;
  }
  /// Index of the group of spines above a leaf, those of its plane and pod.
  std::int64_t spine_of(std::int64_t leaf) const {
    const std::int64_t plane = planes_ ? leaf % node_.nics : 0;
    const std::int64_t leaf_of_plane = planes_ ? leaf / node_.nics : leaf;
    const std::int64_t pod = fabric_.tiers == 3 ? leaf_of_plane / fabric_.leaves_per_pod : 0;
    return planes_ ? pod * node_.nics + plane : pod;
  }

  std::string spine_name(std::int64_t spine) const {
    const std::string plane = planes_ ? fmt::format("Plane[{}].", spine % node_.nics) : "";
    const std::int64_t pod = planes_ ? spine / node_.nics : spine;
    return plane + (fabric_.tiers == 3 ? fmt::format("Pod[{}].Spine", pod) : "Spine");
  }

  /// Capacity of a leaf with all its cables, even if the job leaves ports empty.
  BytesPerSecond leaf_capacity() const {
    const std::int64_t nics = fabric_.nodes_per_leaf * (rails_ ? 1 : node_.nics);
    return spread(nics, fabric_.oversubscription);
  }
  BytesPerSecond spine_capacity() const {
    const std::int64_t nics =
        fabric_.leaves_per_pod * fabric_.nodes_per_leaf * (rails_ ? 1 : node_.nics);
    return spread(nics, fabric_.oversubscription * fabric_.pod_oversubscription);
  }
  /// Capacity of the upward cables of `nics` NICs, times the share that hashing reaches.
  /// `oversubscription` is the product over all tiers down to the NICs.
  BytesPerSecond spread(std::int64_t nics, double oversubscription) const {
    const double cables = static_cast<double>(nics) / oversubscription;
    const double share =
        fabric_.ecmp_flows_per_nic == 0
            ? 1.0
            : hashed_share(static_cast<double>(nics * fabric_.ecmp_flows_per_nic), cables);
    return node_.nic * (cables * share);
  }

  void add_switches() {
    const std::int64_t leaves = leaf_of(cluster_.nodes - 1, node_.nics - 1) + 1;
    const std::int64_t spines = spine_of(leaves - 1) + 1;
    if (fabric_.tiers == 3)
      for (std::int64_t core = 0; core < (planes_ ? node_.nics : 1); ++core)
        cores_.push_back(cluster_.add_vertex(planes_ ? fmt::format("Plane[{}].Core", core) : "Core",
                                             VertexKind::core));
    for (std::int64_t spine = 0; spine < spines; ++spine) {
      const std::string name = spine_name(spine);
      spines_.push_back({cluster_.add_vertex(name, VertexKind::spine)});
      if (fabric_.tiers == 3)
        connect(spines_.back(), cores_[at(planes_ ? spine % node_.nics : 0)], name,
                {LinkKind::spine_uplink, LinkKind::spine_downlink}, spine_capacity());
    }
    for (std::int64_t leaf = 0; leaf < leaves; ++leaf) {
      const std::string name = fmt::format("Leaf[{}]", leaf);
      leaves_.push_back({cluster_.add_vertex(name, VertexKind::leaf)});
      connect(leaves_.back(), spines_[at(spine_of(leaf))].vertex, name,
              {LinkKind::leaf_uplink, LinkKind::leaf_downlink}, leaf_capacity());
    }
  }

  void connect(Switch& lower, VertexId upper, const std::string& name, BothWays kinds,
               BytesPerSecond capacity) {
    lower.uplink = cluster_.add_link(lower.vertex, upper, name + ".Uplink", kinds.up, capacity,
                                     fabric_.switch_latency);
    lower.downlink = cluster_.add_link(upper, lower.vertex, name + ".Downlink", kinds.down,
                                       capacity, fabric_.switch_latency);
  }

  void add_nic(std::int64_t node, std::int64_t nic) {
    const VertexId vertex = nics_[at(node * node_.nics + nic)];
    const VertexId leaf = leaves_[at(leaf_of(node, nic))].vertex;
    const std::string name = cluster_.graph[vertex].name;
    nic_egress_.push_back(cluster_.add_link(vertex, leaf, name + ".Egress", LinkKind::nic_egress,
                                            node_.nic, node_.nic_latency));
    nic_ingress_.push_back(cluster_.add_link(leaf, vertex, name + ".Ingress", LinkKind::nic_ingress,
                                             node_.nic, node_.nic_latency));
  }

  void set_own_links(const ClusterGraph::Gpu& gpu) {
    const std::int64_t nic = gpu.local * node_.nics / node_.gpus;
    const std::int64_t leaf = leaf_of(gpu.node, nic);
    cluster_.set_own(LinkKind::nic_egress, nic_egress_[at(gpu.node * node_.nics + nic)]);
    cluster_.set_own(LinkKind::nic_ingress, nic_ingress_[at(gpu.node * node_.nics + nic)]);
    cluster_.set_own(LinkKind::leaf_uplink, leaves_[at(leaf)].uplink);
    cluster_.set_own(LinkKind::leaf_downlink, leaves_[at(leaf)].downlink);
    if (fabric_.tiers < 3)
      return;
    cluster_.set_own(LinkKind::spine_uplink, spines_[at(spine_of(leaf))].uplink);
    cluster_.set_own(LinkKind::spine_downlink, spines_[at(spine_of(leaf))].downlink);
  }

  const NodeSpec& node_;
  const FabricSpec& fabric_;
  const NicVertices& nics_;
  ClusterGraph& cluster_;
  bool rails_;
  bool planes_;
  std::vector<VertexId> cores_;
  std::vector<Switch> spines_;
  std::vector<Switch> leaves_;
  std::vector<LinkId> nic_egress_, nic_ingress_; ///< links of nics_, in the same order
};

} // namespace

void add_tree(const TopologySpec& spec, const NicVertices& nics, ClusterGraph& cluster) {
  TreeBuilder(spec, nics, cluster).build();
}

} // namespace moesim
