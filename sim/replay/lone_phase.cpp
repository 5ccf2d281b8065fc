#include "sim/replay/lone_phase.hpp"

#include "sim/base/check.hpp"

#include <limits>
#include <map>

namespace moesim {

namespace {

/// The state of a link during the filling.
struct Filling {
  double free = 0.0;   ///< capacity without that of flows with a known rate
  double amount = 0.0; ///< amount of flows without a known rate
};

/// Fills the links of one phase.
class PhaseFilling {
public:
  PhaseFilling(const TrafficPhase& phase, const LinkFolding& folding)
      : flows_(phase.flows), lone_(phase.flows.size()), known_(phase.flows.size(), false) {
    for (const PlannedFlow& flow : flows_)
      for (const MachineRoute::Hop& hop : flow.route.hops) {
        Filling& link = links_[hop.link];
        link.free = folding.capacity(hop.link).value;
        link.amount += flow.amount * hop.times;
      }
  }

  std::vector<LoneFlow> fill() {
    while (left_ > 0)
      fill_next();
    return std::move(lone_);
  }

private:
  /// Rate over amount, the inverse of the duration, that a link allows its flows.
  static double pace(const Filling& link) { return link.free / link.amount; }
  static double limit(const PlannedFlow& flow) { return flow.route.most.value / flow.amount; }

  /// Fixes the rates of the flows that reach their limit first.
  void fill_next() {
    double least = std::numeric_limits<double>::infinity();
    const std::uint32_t* full = nullptr;
    for (const auto& [number, link] : links_)
      if (link.amount > 0.0 && pace(link) < least) {
        least = pace(link);
        full = &number;
      }
    std::size_t limited = flows_.size();
    for (std::size_t flow = 0; flow < flows_.size(); ++flow)
      if (!known_[flow] && limit(flows_[flow]) < least) {
        least = limit(flows_[flow]);
        limited = flow;
      }
    if (limited < flows_.size()) {
      fix(limited, least);
      return;
    }
    INVARIANT(full != nullptr, "{} flows load no link", left_);
    const std::uint32_t link = *full;
    for (std::size_t flow = 0; flow < flows_.size(); ++flow)
      if (!known_[flow] && loads(flows_[flow], link))
        fix(flow, least);
    links_[link].amount = 0.0; // clears rounding errors
  }

  static bool loads(const PlannedFlow& flow, std::uint32_t link) {
    for (const MachineRoute::Hop& hop : flow.route.hops)
      if (hop.link == link)
        return true;
    return false;
  }

  void fix(std::size_t number, double flow_pace) {
    const PlannedFlow& flow = flows_[number];
    known_[number] = true;
    --left_;
    lone_[number] = {BytesPerSecond{flow.amount * flow_pace}, Seconds{1.0 / flow_pace}};
    for (const MachineRoute::Hop& hop : flow.route.hops) {
      Filling& link = links_[hop.link];
      link.free -= flow.amount * flow_pace * hop.times;
      link.amount -= flow.amount * hop.times;
    }
  }

  const std::vector<PlannedFlow>& flows_;
  std::vector<LoneFlow> lone_;
  std::vector<bool> known_; ///< whether the rate is known, by flow
  std::size_t left_ = lone_.size();
  std::map<std::uint32_t, Filling> links_;
};

} // namespace

std::vector<LoneFlow> lone_flows(const TrafficPhase& phase, const LinkFolding& folding) {
  return PhaseFilling(phase, folding).fill();
}

} // namespace moesim
