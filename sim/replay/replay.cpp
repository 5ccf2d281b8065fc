#include "sim/replay/replay.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/machine.hpp"
#include "sim/replay/traffic.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace moesim {

namespace {

/// A flow whose route the machine knows.
struct RoutedFlow {
  std::uint32_t route = 0;
  double amount = 0.0;
};

struct RoutedTraffic {
  Seconds startup;
  std::vector<RoutedFlow> flows;
};

/// The state of a replay under way.
class Player {
public:
  Player(const StepGraph& graph, const DeviceLayout& layout, const ReplayContext& context)
      : graph_(graph), planner_(layout, context.plan, context.topology, context.network) {
    for (const ComputeWork& work : graph.computes)
      compute_times_.push_back(compute_time(work, context.compute));
    plan_traffic();
    const auto& links = planner_.folding().links();
    machine_ = std::make_unique<Machine>(graph.devices.size(), links);
    route_traffic();
    timeline_.ops.assign(graph.ops.size(), {Seconds{-1.0}, Seconds{-1.0}});
    waiting_.resize(graph.ops.size());
    unfinished_parts_.assign(graph.ops.size(), 0);
    for (std::uint32_t op = 0; op < graph.ops.size(); ++op)
      waiting_[op] = graph.predecessor_count(OpId(op));
  }

  Timeline play(const Topology& topology) {
    machine_->run(
        [this] {
          for (std::uint32_t op = 0; op < graph_.ops.size(); ++op)
            if (waiting_[op] == 0)
              ready_.push_back(OpId(op));
          start_ready();
        },
        [this](std::uint32_t token) {
          finish_part(OpId(token));
          start_ready();
        });
    check();
    for (const OpSpan& span : timeline_.ops)
      timeline_.end = std::max(timeline_.end, span.finish);
    timeline_.activities = machine_->activities();
    count_link_bytes(topology);
    return std::move(timeline_);
  }

private:
  /// What an operation sends: its work and its place, alike for all micro-batches.
  using TrafficKey = std::tuple<OpKind, std::uint32_t, std::uint32_t>;
  static TrafficKey key_of(const Op& op) { return {op.kind, op.work, op.place}; }

  void plan_traffic() {
    for (const Op& op : graph_.ops) {
      if (op.kind == OpKind::compute || plans_.contains(key_of(op)))
        continue;
      plans_[key_of(op)] =
          op.kind == OpKind::collective
              ? planner_.collective(graph_.collectives[op.work], graph_.groups[op.place])
              : planner_.transfer(graph_.transfers[op.work], graph_.pairs[op.place]);
    }
  }

  void route_traffic() {
    using RouteKey = std::pair<std::vector<std::pair<std::uint32_t, std::uint32_t>>, double>;
    std::map<RouteKey, std::uint32_t> known;
    for (const auto& [key, plan] : plans_) {
      RoutedTraffic& routed = traffic_[key];
      routed.startup = plan.startup;
      for (const PlannedFlow& flow : plan.flows) {
        RouteKey route{{}, flow.route.weight};
        for (const MachineRoute::Hop& hop : flow.route.hops)
          route.first.emplace_back(hop.link, hop.times);
        const auto [place, added] = known.emplace(std::move(route), 0);
        if (added)
          place->second = machine_->add_route(flow.route);
        routed.flows.push_back({place->second, flow.amount});
      }
    }
    op_traffic_.resize(graph_.ops.size(), nullptr);
    for (std::size_t op = 0; op < graph_.ops.size(); ++op)
      if (graph_.ops[op].kind != OpKind::compute)
        op_traffic_[op] = &traffic_.at(key_of(graph_.ops[op]));
  }

  void start_ready() {
    while (!ready_.empty()) {
      const OpId id = ready_.back();
      ready_.pop_back();
      start(id);
    }
  }

  void start(OpId id) {
    const Op& op = graph_.ops[index(id)];
    OpSpan& span = timeline_.ops[index(id)];
    INVARIANT(span.start < Seconds{0.0}, "{} starts twice", graph_.name_of(id));
    span.start = machine_->now();
    const auto token = static_cast<std::uint32_t>(index(id));
    const std::uint32_t device = static_cast<std::uint32_t>(index(graph_.devices_of(op).front()));
    if (op.kind == OpKind::compute)
      start_delay(id, device, compute_times_[op.work].total);
    else if (op_traffic_[token]->startup > Seconds{0.0})
      start_delay(id, device, op_traffic_[token]->startup);
    else
      start_flows(id);
  }

  void start_delay(OpId id, std::uint32_t device, Seconds duration) {
    unfinished_parts_[index(id)] = 1;
    machine_->start_delay(device, duration, static_cast<std::uint32_t>(index(id)));
  }

  void start_flows(OpId id) {
    const RoutedTraffic& traffic = *op_traffic_[index(id)];
    flowing_.resize(graph_.ops.size(), false);
    flowing_[index(id)] = true;
    unfinished_parts_[index(id)] = static_cast<std::uint32_t>(traffic.flows.size());
    for (const RoutedFlow& flow : traffic.flows)
      machine_->start_flow(flow.route, flow.amount, static_cast<std::uint32_t>(index(id)));
    if (traffic.flows.empty())
      finish(id);
  }

  void finish_part(OpId id) {
    const std::size_t op = index(id);
    INVARIANT(unfinished_parts_[op] > 0, "{} ends more often than it starts", graph_.name_of(id));
    if (--unfinished_parts_[op] > 0)
      return;
    // The start-up of a communication is over: its flows begin.
    if (op_traffic_[op] && !(op < flowing_.size() && flowing_[op]))
      start_flows(id);
    else
      finish(id);
  }

  void finish(OpId id) {
    OpSpan& span = timeline_.ops[index(id)];
    INVARIANT(span.finish < Seconds{0.0}, "{} ends twice", graph_.name_of(id));
    span.finish = machine_->now();
    ++finished_;
    for (const OpId next : graph_.successors(id)) {
      INVARIANT(waiting_[index(next)] > 0, "{} has started before {}", graph_.name_of(next),
                graph_.name_of(id));
      if (--waiting_[index(next)] == 0)
        ready_.push_back(next);
    }
  }

  void check() const {
    INVARIANT(finished_ == graph_.ops.size(), "{} of {} operations ran", finished_,
              graph_.ops.size());
    for (std::uint32_t op = 0; op < graph_.ops.size(); ++op)
      for (const OpId next : graph_.successors(OpId(op)))
        INVARIANT(timeline_.ops[index(next)].start >= timeline_.ops[op].finish,
                  "{} starts at {} before {} ends at {}", graph_.name_of(next),
                  timeline_.ops[index(next)].start.value, graph_.name_of(OpId(op)),
                  timeline_.ops[op].finish.value);
  }

  void count_link_bytes(const Topology& topology) {
    const auto& links = planner_.folding().links();
    const auto& originals = planner_.folding().originals();
    for (std::size_t link = 0; link < links.size(); ++link) {
      const Link& real = topology.link(originals[link]);
      timeline_.links.push_back({real.name, real.kind, 0.0, real.capacity});
    }
    std::map<TrafficKey, double> repeats;
    for (const Op& op : graph_.ops)
      if (op.kind != OpKind::compute)
        repeats[key_of(op)] += 1.0;
    for (const auto& [key, count] : repeats)
      for (const PlannedFlow& flow : plans_.at(key).flows)
        for (const MachineRoute::Hop& hop : flow.route.hops) {
          // A link of the replay has the capacity of its real link divided by a common factor.
          const double share = timeline_.links[hop.link].capacity / links[hop.link].capacity;
          timeline_.links[hop.link].bytes += count * flow.bytes * hop.times * share;
        }
  }

  const StepGraph& graph_;
  TrafficPlanner planner_;
  std::unique_ptr<Machine> machine_;
  std::vector<ComputeTime> compute_times_;
  std::map<TrafficKey, TrafficPlan> plans_;
  std::map<TrafficKey, RoutedTraffic> traffic_;
  std::vector<const RoutedTraffic*> op_traffic_; ///< by OpId; none for computes
  std::vector<std::uint32_t> waiting_;           ///< predecessors that have not ended
  std::vector<std::uint32_t> unfinished_parts_;  ///< activities of an operation under way
  std::vector<bool> flowing_;                    ///< past its start-up
  std::vector<OpId> ready_;
  std::size_t finished_ = 0;
  Timeline timeline_;
};

} // namespace

ComputeTime compute_time(const ComputeWork& work, const ComputeCost& cost) {
  ComputeTime sum;
  for (const Kernel& kernel : work.kernels) {
    const KernelTime time = cost.time(kernel);
    sum.total += time.time;
    if (time.basis != CostBasis::measured)
      sum.extrapolated += time.time;
  }
  return sum;
}

Timeline replay(const StepGraph& graph, const DeviceLayout& layout, const ReplayContext& context) {
  return Player(graph, layout, context).play(context.topology);
}

} // namespace moesim
