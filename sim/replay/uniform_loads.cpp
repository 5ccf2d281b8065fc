#include "sim/replay/uniform_loads.hpp"

#include <algorithm>
#include <set>

namespace moesim {

namespace {

std::size_t at(std::int64_t position) {
  return static_cast<std::size_t>(position);
}

/// Number of members of a group by unit (node, domain, …) and by index in their node.
class UnitCounts {
public:
  /// Counts for the units from `first` to `last`.
  UnitCounts(std::int64_t first, std::int64_t last, std::int64_t locals)
      : first_(first), locals_(locals), counts_(at((last - first + 1) * locals), 0.0),
        totals_(at(last - first + 1), 0.0) {}
  void add(std::int64_t unit, std::int64_t local) {
    counts_[at((unit - first_) * locals_ + local)] += 1.0;
    totals_[at(unit - first_)] += 1.0;
  }
  double of(std::int64_t unit, std::int64_t local) const {
    return counts_[at((unit - first_) * locals_ + local)];
  }
  double all(std::int64_t unit) const { return totals_[at(unit - first_)]; }

private:
  std::int64_t first_;
  std::int64_t locals_;
  std::vector<double> counts_;
  std::vector<double> totals_;
};

/// Whether one size is a multiple of the other.
bool nest(std::int64_t a, std::int64_t b) {
  return a % b == 0 || b % a == 0;
}

bool has_closed_form(const Topology& topology) {
  const TopologySpec& spec = topology.spec();
  const NodeSpec& node = spec.node;
  return topology.regular() && !node.nics_on_switch() && topology.gpus() % node.gpus == 0 &&
         node.scale_up_switch_gpus % node.gpus == 0 && nest(spec.leaf_gpus(), node.scale_up_gpus) &&
         nest(spec.pod_gpus(), node.scale_up_gpus);
}

class Counter {
public:
  Counter(const Topology& topology, const std::vector<RankId>& group)
      : topology_(topology), group_(group), node_(topology.spec().node),
        first_node_(topology.node_of(group.front())), last_node_(topology.node_of(group.back())),
        everywhere_(0, 0, node_.gpus), nodes_(first_node_, last_node_, node_.gpus),
        domains_(topology.domain_of(group.front()), topology.domain_of(group.back()), node_.gpus),
        groups_(leaf_group(first_node_), leaf_group(last_node_), node_.gpus),
        pods_(pod(first_node_), pod(last_node_), node_.gpus),
        switches_(scale_up_switch(first_node_), scale_up_switch(last_node_), node_.gpus) {
    for (const RankId rank : group) {
      const ClusterGraph::Gpu& gpu = topology.gpu(rank);
      everywhere_.add(0, gpu.local);
      nodes_.add(gpu.node, gpu.local);
      domains_.add(gpu.domain, gpu.local);
      groups_.add(leaf_group(gpu.node), gpu.local);
      pods_.add(pod(gpu.node), gpu.local);
      switches_.add(scale_up_switch(gpu.node), gpu.local);
    }
  }

  std::vector<FlowCount> count() {
    for (const RankId rank : group_) {
      count_inside(rank);
      if (topology_.has_fabric())
        count_ingress(rank);
      if (topology_.has_fabric() && !rails())
        count_egress(rank, ways_to(rank, 0, node_.gpus, 1.0));
    }
    if (topology_.has_fabric() && rails())
      count_forwarded();
    return joined();
  }

private:
  /// Number of flows that leave the domain, the leaf, the pod of a rank.
  struct Ways {
    double domain = 0.0;
    double leaf = 0.0;
    double pod = 0.0;
  };

  bool rails() const { return topology_.spec().fabric.kind != FabricKind::leaf_spine; }
  std::int64_t nic_of(std::int64_t local) const { return local / topology_.spec().gpus_per_nic(); }
  std::int64_t leaf_group(std::int64_t node) const {
    return node * node_.gpus / topology_.spec().leaf_gpus();
  }
  std::int64_t pod(std::int64_t node) const {
    return node * node_.gpus / topology_.spec().pod_gpus();
  }
  std::int64_t scale_up_switch(std::int64_t node) const {
    return node * node_.gpus / node_.scale_up_switch_gpus;
  }

  /// `times` × the flows from a rank's position to the members whose index in their node is from
  /// `first` to `last` − 1.
  Ways ways_to(RankId rank, std::int64_t first, std::int64_t last, double times) const {
    const ClusterGraph::Gpu& gpu = topology_.gpu(rank);
    Ways ways;
    for (std::int64_t local = first; local < last; ++local) {
      const double all = everywhere_.of(0, local);
      ways.domain += times * (all - domains_.of(gpu.domain, local));
      // A domain may span leaves and pods: flows inside it do not use the fabric.
      ways.leaf += times * (all - beyond(gpu, groups_, leaf_group(gpu.node), local));
      ways.pod += times * (all - beyond(gpu, pods_, pod(gpu.node), local));
    }
    return ways;
  }

  /// Members in the GPU's unit, or in its domain if that holds more.
  double beyond(const ClusterGraph::Gpu& gpu, const UnitCounts& units, std::int64_t unit,
                std::int64_t local) const {
    return std::max(units.of(unit, local), domains_.of(gpu.domain, local));
  }

  void add_inside(RankId rank, LinkKind kind, double flows) {
    if (flows > 0.0)
      counts_.push_back({topology_.own_link(rank, kind), flows, 0.0});
  }
  void add_outside(RankId rank, LinkKind kind, double flows) {
    if (flows > 0.0)
      counts_.push_back({topology_.own_link(rank, kind), 0.0, flows});
  }

  /// The counts, summed by link.
  std::vector<FlowCount> joined() {
    std::sort(counts_.begin(), counts_.end(),
              [](const FlowCount& a, const FlowCount& b) { return a.link < b.link; });
    std::vector<FlowCount> links;
    for (const FlowCount& count : counts_)
      if (links.empty() || links.back().link != count.link) {
        links.push_back(count);
      } else {
        links.back().inside += count.inside;
        links.back().outside += count.outside;
      }
    return links;
  }

  void count_inside(RankId rank) {
    const ClusterGraph::Gpu& gpu = topology_.gpu(rank);
    const double peers = domains_.all(gpu.domain) - 1.0;
    add_inside(rank, LinkKind::scale_up_egress, peers);
    add_inside(rank, LinkKind::scale_up_ingress, peers);
    if (node_.scale_up_switch_gpus == node_.scale_up_gpus)
      return;
    const double far = domains_.all(gpu.domain) - switches_.all(scale_up_switch(gpu.node));
    add_inside(rank, LinkKind::scale_up_uplink, far);
    add_inside(rank, LinkKind::scale_up_downlink, far);
  }

  void count_ingress(RankId rank) {
    const ClusterGraph::Gpu& gpu = topology_.gpu(rank);
    const auto all = static_cast<double>(group_.size());
    const double domain = domains_.all(gpu.domain);
    add_outside(rank, LinkKind::nic_ingress, all - domain);
    add_outside(rank, LinkKind::pcie_ingress, all - domain);
    add_outside(rank, LinkKind::leaf_downlink,
                all - std::max(domain, groups_.all(leaf_group(gpu.node))));
    if (topology_.spec().fabric.tiers == 3)
      add_outside(rank, LinkKind::spine_downlink, all - std::max(domain, pods_.all(pod(gpu.node))));
  }

  void count_egress(RankId rank, const Ways& ways) {
    add_outside(rank, LinkKind::pcie_egress, ways.domain);
    add_outside(rank, LinkKind::nic_egress, ways.domain);
    add_outside(rank, LinkKind::leaf_uplink, ways.leaf);
    if (topology_.spec().fabric.tiers == 3)
      add_outside(rank, LinkKind::spine_uplink, ways.pod);
  }

  /// With rails, a GPU sends to its own rail, and forwards for the other GPUs of its node to the
  /// GPUs of its own index (PXN).
  void count_forwarded() {
    std::set<std::int64_t> used;
    const std::set<RankId> members(group_.begin(), group_.end());
    for (const RankId rank : group_)
      used.insert(topology_.node_of(rank));
    const std::int64_t per_nic = topology_.spec().gpus_per_nic();
    for (const std::int64_t node : used)
      for (std::int64_t local = 0; local < node_.gpus; ++local) {
        const RankId rank{static_cast<std::uint32_t>(node * node_.gpus + local)};
        const std::int64_t first = nic_of(local) * per_nic;
        double others = nodes_.all(node);
        for (std::int64_t same = first; same < first + per_nic; ++same)
          others -= nodes_.of(node, same);
        const Ways forwarded = ways_to(rank, local, local + 1, others);
        count_egress(rank, forwarded);
        add_outside(rank, LinkKind::scale_up_ingress, forwarded.domain);
        if (!members.contains(rank))
          continue;
        const Ways own = ways_to(rank, first, first + per_nic, 1.0);
        count_egress(rank, own);
        add_outside(rank, LinkKind::scale_up_egress,
                    ways_to(rank, 0, node_.gpus, 1.0).domain - own.domain);
      }
  }

  const Topology& topology_;
  const std::vector<RankId>& group_;
  const NodeSpec& node_;
  std::int64_t first_node_, last_node_; ///< first and last node of the group, whose ranks are in
                                        ///< order
  UnitCounts everywhere_, nodes_, domains_, groups_, pods_, switches_;
  std::vector<FlowCount> counts_;
};

} // namespace

std::optional<std::vector<FlowCount>> count_all_to_all(const Topology& topology,
                                                       const std::vector<RankId>& group) {
  if (!has_closed_form(topology))
    return std::nullopt;
  return Counter(topology, group).count();
}

} // namespace moesim
