#include "sim/platform/cluster_graph.hpp"

#include "sim/platform/topology_spec.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

using VertexId = ClusterGraph::VertexId;

/// Adds nodes and scale-up domains; the switches above the NICs come after.
class NodeBuilder {
public:
  NodeBuilder(const TopologySpec& spec, std::int64_t gpus, ClusterGraph& cluster)
      : node_(spec.node), gpus_(gpus), cluster_(cluster) {
    cluster_.nodes = (gpus + node_.gpus - 1) / node_.gpus;
    cluster_.domains = (gpus + node_.scale_up_gpus - 1) / node_.scale_up_gpus;
    // NICs of a job in one scale-up domain carry no traffic: leave them out.
    networked_ = spec.fabric.kind != FabricKind::none && cluster_.domains > 1;
  }

  NicVertices build() {
    for (std::int64_t domain = 0; domain < cluster_.domains; ++domain)
      add_domain(domain);
    return std::move(nics_);
  }

private:
  bool two_levels() const { return node_.scale_up_switch_gpus < node_.scale_up_gpus; }

  std::string domain_name(std::int64_t domain) const {
    const bool is_node = node_.scale_up_gpus == node_.gpus;
    return fmt::format("{}[{}]", is_node ? "Node" : "Domain", domain);
  }

  void add_domain(std::int64_t domain) {
    const std::string name = domain_name(domain);
    const std::int64_t first = domain * node_.scale_up_gpus;
    const std::int64_t last = std::min(first + node_.scale_up_gpus, gpus_);
    const bool tall = two_levels();
    const VertexId top =
        tall ? cluster_.add_vertex(name + ".ScaleUpSpine", VertexKind::scale_up_switch) : 0;
    VertexId hub = 0;
    std::string hub_name;
    for (std::int64_t gpu = first; gpu < last; ++gpu) {
      const std::int64_t offset = gpu - first;
      if (offset % node_.scale_up_switch_gpus == 0) {
        hub_name =
            tall ? fmt::format("{}.ScaleUpSwitch[{}]", name, offset / node_.scale_up_switch_gpus)
                 : name + ".ScaleUpSwitch";
        hub = cluster_.add_vertex(hub_name, VertexKind::scale_up_switch);
        if (tall)
          add_second_level(hub, top, hub_name);
      }
      if (tall) {
        cluster_.set_own(LinkKind::scale_up_uplink, uplink_);
        cluster_.set_own(LinkKind::scale_up_downlink, downlink_);
      }
      add_gpu(gpu, domain, hub);
    }
  }

  void add_second_level(VertexId hub, VertexId top, const std::string& name) {
    const double gpus =
        static_cast<double>(node_.scale_up_switch_gpus) / node_.scale_up_oversubscription;
    uplink_ = cluster_.add_link(hub, top, name + ".Uplink", LinkKind::scale_up_uplink,
                                node_.scale_up * gpus, node_.scale_up_latency);
    downlink_ = cluster_.add_link(top, hub, name + ".Downlink", LinkKind::scale_up_downlink,
                                  node_.scale_up * gpus, node_.scale_up_latency);
  }

  void add_gpu(std::int64_t number, std::int64_t domain, VertexId hub) {
    const std::int64_t node = number / node_.gpus;
    const std::int64_t local = number % node_.gpus;
    if (networked_ && local == 0)
      add_nics(node, hub);
    const std::string name = fmt::format("Node[{}].Gpu[{}]", node, local);
    const VertexId gpu = cluster_.add_vertex(name, VertexKind::gpu, node);
    cluster_.gpus.push_back({gpu, node, domain, local});
    cluster_.set_own(LinkKind::scale_up_egress,
                     cluster_.add_link(gpu, hub, name + ".ScaleUpEgress", LinkKind::scale_up_egress,
                                       node_.scale_up, node_.scale_up_latency));
    cluster_.set_own(LinkKind::scale_up_ingress,
                     cluster_.add_link(hub, gpu, name + ".ScaleUpIngress",
                                       LinkKind::scale_up_ingress, node_.scale_up,
                                       node_.scale_up_latency));
    if (!networked_)
      return;
    const std::int64_t nic = node * node_.nics + local * node_.nics / node_.gpus;
    const PcieLinks pcie =
        node_.nics_on_switch() ? switch_pcie_[at(nic)] : add_pcie(gpu, nics_[at(nic)], name);
    cluster_.set_own(LinkKind::pcie_egress, pcie.egress);
    cluster_.set_own(LinkKind::pcie_ingress, pcie.ingress);
  }

  /// The NICs of a node; on a PCIe-only node they hang off the switch.
  void add_nics(std::int64_t node, VertexId hub) {
    for (std::int64_t nic = 0; nic < node_.nics; ++nic) {
      const std::string name = fmt::format("Node[{}].Nic[{}]", node, nic);
      nics_.push_back(cluster_.add_vertex(name, VertexKind::nic, node));
      if (node_.nics_on_switch())
        switch_pcie_.push_back(add_pcie(hub, nics_.back(), name));
    }
  }

  struct PcieLinks {
    LinkId egress{};
    LinkId ingress{};
  };
  PcieLinks add_pcie(VertexId from, VertexId nic, const std::string& name) {
    return {
        cluster_.add_link(from, nic, name + ".PcieEgress", LinkKind::pcie_egress, node_.pcie, {}),
        cluster_.add_link(nic, from, name + ".PcieIngress", LinkKind::pcie_ingress, node_.pcie,
                          {})};
  }

  const NodeSpec& node_;
  std::int64_t gpus_;
  ClusterGraph& cluster_;
  bool networked_ = false;
  NicVertices nics_;
  LinkId uplink_{}, downlink_{};       ///< uplinks of the scale-up switch that gets GPUs
  std::vector<PcieLinks> switch_pcie_; ///< by NIC of a PCIe-only node
};

} // namespace

LinkId ClusterGraph::add_link(VertexId from, VertexId to, const std::string& name, LinkKind kind,
                              BytesPerSecond capacity, Seconds latency) {
  const auto id = LinkId(static_cast<std::uint32_t>(boost::num_edges(graph)));
  boost::add_edge(from, to, Link{name, kind, id, capacity, latency}, graph);
  return id;
}

ClusterGraph build_cluster(const TopologySpec& spec, std::int64_t gpus) {
  if (spec.fabric.kind == FabricKind::explicit_graph)
    return read_explicit_graph(spec);
  ClusterGraph cluster;
  const NicVertices nics = NodeBuilder(spec, gpus, cluster).build();
  if (nics.empty())
    return cluster;
  switch (spec.fabric.kind) {
  case FabricKind::dragonfly:
    add_dragonfly(spec, nics, cluster);
    break;
  case FabricKind::torus:
    add_torus(spec, nics, cluster);
    break;
  case FabricKind::rail_optimised:
  case FabricKind::leaf_spine:
  case FabricKind::multi_plane:
    add_tree(spec, nics, cluster);
    break;
  case FabricKind::none:
  case FabricKind::explicit_graph:
    break;
  }
  return cluster;
}

} // namespace moesim
