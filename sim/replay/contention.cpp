#include "sim/replay/contention.hpp"

#include <algorithm>

namespace moesim {

namespace {

/// The communications that use a link.
struct LinkUsers {
  std::vector<std::uint32_t> groups; ///< of collectives, until `others` is known
  bool detached = false;             ///< one of them is
  bool others = false;               ///< transfers, or groups that have no device in common
};

class LinkTable {
public:
  LinkTable(const StepGraph& graph, const Topology& topology, StepTraffic& traffic)
      : graph_(graph), topology_(topology), traffic_(traffic) {}

  void add(const Communication& communication) {
    const Op& op = communication.op;
    for_each_flow(op, [&](const PlannedFlow& flow) {
      for (const MachineRoute::Hop& hop : flow.route.hops) {
        if (hop.link >= links_.size())
          links_.resize(hop.link + 1);
        LinkUsers& users = links_[hop.link];
        users.detached |= communication.detached;
        users.others |= op.kind == OpKind::transfer;
        if (!users.others)
          add_group(op.location, users);
      }
    });
  }

  Contention of(const Op& op) {
    if (!same_speeds(op))
      return Contention::others;
    Contention found = Contention::none;
    for_each_flow(op, [&](const PlannedFlow& flow) {
      // Whether one flow stands for another shows in the ends of both (stood_for_all).
      if (flow.mixed)
        found = Contention::others;
      for (const MachineRoute::Hop& hop : flow.route.hops)
        if (links_[hop.link].others)
          found = Contention::others;
        else if (links_[hop.link].detached)
          found = std::max(found, Contention::detached);
    });
    return found;
  }

private:
  void add_group(std::uint32_t group, LinkUsers& users) {
    if (std::find(users.groups.begin(), users.groups.end(), group) != users.groups.end())
      return;
    users.others = std::any_of(users.groups.begin(), users.groups.end(),
                               [&](std::uint32_t other) { return !meet(group, other); });
    users.groups.push_back(group);
  }
  /// Whether two groups have a device in common, whose operations follow each other.
  bool meet(std::uint32_t group, std::uint32_t other) const {
    const std::vector<DeviceId>& devices = graph_.groups[group].devices;
    const std::vector<DeviceId>& others = graph_.groups[other].devices;
    return std::find_first_of(devices.begin(), devices.end(), others.begin(), others.end()) !=
           devices.end();
  }
  /// Whether the devices of an operation compute at one speed.
  bool same_speeds(const Op& op) const {
    const std::vector<DeviceId> devices = graph_.devices_of(op);
    const auto speed = [&](DeviceId device) {
      return topology_.gpu(graph_.devices[index(device)].rank).speed_share;
    };
    return std::all_of(devices.begin(), devices.end(),
                       [&](DeviceId device) { return speed(device) == speed(devices.front()); });
  }
  template <typename Visit> void for_each_flow(const Op& op, const Visit& visit) {
    for (const StepPhase& phase : traffic_.plan(graph_, op))
      for (std::uint32_t flow = 0; flow < phase.flow_count; ++flow)
        visit(traffic_.flows()[phase.first_flow + flow].planned);
  }

  const StepGraph& graph_;
  const Topology& topology_;
  StepTraffic& traffic_;
  std::vector<LinkUsers> links_; ///< by link of the replay
};

} // namespace

std::vector<Contention> find_contention(const StepGraph& graph,
                                        const std::vector<Communication>& communications,
                                        const Topology& topology, StepTraffic& traffic) {
  LinkTable links(graph, topology, traffic);
  for (const Communication& communication : communications)
    links.add(communication);
  std::vector<Contention> found;
  for (const Communication& communication : communications)
    found.push_back(links.of(communication.op));
  return found;
}

} // namespace moesim
