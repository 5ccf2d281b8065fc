#include "sim/replay/replay.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/machine.hpp"
#include "sim/replay/traffic.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

namespace moesim {

namespace {

/// A flow whose route the machine knows.
struct RoutedFlow {
  std::uint32_t route = 0;
  double amount = 0.0;
  std::uint32_t load = 0; ///< its place in Timeline::loads
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
    find_chains();
    machine_ = std::make_unique<Machine>(graph.devices.size(), reduce_links());
    route_traffic();
    timeline_.ops.assign(graph.ops.size(), {Seconds{-1.0}, Seconds{-1.0}});
    waiting_.resize(graph.ops.size());
    unfinished_parts_.assign(graph.ops.size(), 0);
    flowing_.assign(graph.ops.size(), false);
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
          finish_part(op_of(token));
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

  /// Links that only the collectives of one device use. Those never overlap each other, so nothing
  /// contends for such a link.
  std::vector<bool> find_private_links() const {
    constexpr std::uint32_t nobody = ~0U;
    constexpr std::uint32_t several = nobody - 1;
    std::vector<std::uint32_t> user(planner_.folding().originals().size(), nobody);
    for (const auto& [key, plan] : plans_) {
      const auto& [kind, work, place] = key;
      const bool alone = kind == OpKind::collective && graph_.groups[place].devices.size() == 1;
      const std::uint32_t device =
          alone ? static_cast<std::uint32_t>(index(graph_.groups[place].devices.front())) : several;
      for (const PlannedFlow& flow : plan.flows)
        for (const MachineRoute::Hop& hop : flow.route.hops)
          user[hop.link] = user[hop.link] == nobody || user[hop.link] == device ? device : several;
    }
    std::vector<bool> is_private;
    for (const std::uint32_t device : user)
      is_private.push_back(device != several);
    return is_private;
  }

  /// The durations that are known before the replay: computes, and collectives of one flow over
  /// private links. Negative for the others.
  void find_known_durations() {
    const std::vector<bool> is_private = find_private_links();
    std::map<TrafficKey, double> known;
    for (const auto& [key, plan] : plans_) {
      const bool fixed =
          plan.flows.size() == 1 &&
          std::all_of(plan.flows.front().route.hops.begin(), plan.flows.front().route.hops.end(),
                      [&](const MachineRoute::Hop& hop) { return is_private[hop.link]; });
      known[key] = fixed ? time_alone(plan, planner_.folding()).value : -1.0;
    }
    for (const Op& op : graph_.ops)
      duration_.push_back(op.kind == OpKind::compute ? compute_times_[op.work].total.value
                                                     : known.at(key_of(op)));
  }

  /// Joins operations of known duration that follow each other and nothing else into chains, which
  /// the machine plays as one delay. Exact, and most of a step without contention is such chains.
  void find_chains() {
    find_known_durations();
    next_in_chain_.assign(graph_.ops.size(), no_op);
    for (std::uint32_t op = 0; op < graph_.ops.size(); ++op) {
      const auto successors = graph_.successors(OpId(op));
      if (duration_[op] >= 0.0 && successors.size() == 1 &&
          graph_.predecessor_count(successors.front()) == 1 &&
          duration_[index(successors.front())] >= 0.0)
        next_in_chain_[op] = static_cast<std::uint32_t>(index(successors.front()));
    }
  }

  /// Divides a link's capacity, and the times that routes load it, by their common factor: fewer
  /// repetitions, the same rates.
  std::vector<MachineLink> reduce_links() {
    std::vector<MachineLink> links = planner_.folding().links();
    common_.assign(links.size(), 0);
    for (const auto& [key, plan] : plans_)
      for (const PlannedFlow& flow : plan.flows)
        for (const MachineRoute::Hop& hop : flow.route.hops)
          common_[hop.link] = std::gcd(common_[hop.link], hop.times);
    for (std::size_t link = 0; link < links.size(); ++link)
      links[link].capacity = links[link].capacity / static_cast<double>(common_[link]);
    return links;
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
        if (added) {
          MachineRoute reduced = flow.route;
          for (MachineRoute::Hop& hop : reduced.hops)
            hop.times /= common_[hop.link];
          place->second = machine_->add_route(reduced);
        }
        routed.flows.push_back(
            {place->second, flow.amount, static_cast<std::uint32_t>(timeline_.loads.size())});
        timeline_.loads.push_back(loads_of(flow));
      }
    }
    op_traffic_.resize(graph_.ops.size(), nullptr);
    for (std::size_t op = 0; op < graph_.ops.size(); ++op)
      if (graph_.ops[op].kind != OpKind::compute)
        op_traffic_[op] = &traffic_.at(key_of(graph_.ops[op]));
  }

  static std::vector<LinkLoad> loads_of(const PlannedFlow& flow) {
    std::vector<LinkLoad> loads;
    for (const MachineRoute::Hop& hop : flow.route.hops)
      loads.push_back({hop.link, flow.bytes * hop.times});
    return loads;
  }

  void start_ready() {
    while (!ready_.empty()) {
      const OpId id = ready_.back();
      ready_.pop_back();
      start(id);
    }
  }

  void start(OpId id) {
    const auto op = static_cast<std::uint32_t>(index(id));
    INVARIANT(timeline_.ops[op].start < Seconds{0.0}, "{} starts twice", graph_.name_of(id));
    timeline_.ops[op].start = machine_->now();
    if (duration_[op] >= 0.0)
      start_chain(op);
    else if (op_traffic_[op]->startup > Seconds{0.0})
      start_delay(op, op_traffic_[op]->startup);
    else
      start_flows(id);
  }

  void start_chain(std::uint32_t first) {
    double total = duration_[first];
    for (std::uint32_t op = next_in_chain_[first]; op != no_op; op = next_in_chain_[op])
      total += duration_[op];
    start_delay(first, Seconds{total});
  }

  void start_delay(std::uint32_t op, Seconds duration) {
    unfinished_parts_[op] = 1;
    machine_->start_delay(device_of(graph_.ops[op]), duration, op);
  }

  std::uint32_t device_of(const Op& op) const {
    switch (op.kind) {
    case OpKind::compute:
      break;
    case OpKind::collective:
      return static_cast<std::uint32_t>(index(graph_.groups[op.place].devices.front()));
    case OpKind::transfer:
      return static_cast<std::uint32_t>(index(graph_.pairs[op.place].source));
    }
    return op.place;
  }

  void start_flows(OpId id) {
    const RoutedTraffic& traffic = *op_traffic_[index(id)];
    flowing_[index(id)] = true;
    unfinished_parts_[index(id)] = static_cast<std::uint32_t>(traffic.flows.size());
    for (const RoutedFlow& flow : traffic.flows) {
      machine_->start_flow(flow.route, flow.amount, token_of_next_flow());
      timeline_.flows.push_back({id, flow.load, machine_->now(), {}});
    }
    if (traffic.flows.empty())
      finish(id, machine_->now());
  }

  /// The tokens of flows follow those of operations.
  std::uint32_t token_of_next_flow() const {
    return static_cast<std::uint32_t>(graph_.ops.size() + timeline_.flows.size());
  }

  /// The operation of which a part has ended; notes the end of a flow.
  OpId op_of(std::uint32_t token) {
    if (token < graph_.ops.size())
      return OpId(token);
    FlowSpan& flow = timeline_.flows[token - graph_.ops.size()];
    flow.finish = machine_->now();
    return flow.op;
  }

  void finish_part(OpId id) {
    const std::size_t op = index(id);
    INVARIANT(unfinished_parts_[op] > 0, "{} ends more often than it starts", graph_.name_of(id));
    if (--unfinished_parts_[op] > 0)
      return;
    if (duration_[op] >= 0.0)
      finish_chain(static_cast<std::uint32_t>(op));
    else if (!flowing_[op])
      start_flows(id); // the start-up is over
    else
      finish(id, machine_->now());
  }

  void finish_chain(std::uint32_t op) {
    Seconds time = timeline_.ops[op].start;
    for (std::uint32_t next = next_in_chain_[op]; next != no_op; next = next_in_chain_[next]) {
      time += Seconds{duration_[op]};
      finish_in_chain(op, time);
      timeline_.ops[next].start = time;
      op = next;
    }
    finish_in_chain(op, machine_->now());
  }

  void finish_in_chain(std::uint32_t op, Seconds now) {
    finish(OpId(op), now);
    if (op_traffic_[op])
      for (const RoutedFlow& flow : op_traffic_[op]->flows)
        timeline_.flows.push_back(
            {OpId(op), flow.load, timeline_.ops[op].start + op_traffic_[op]->startup, now});
  }

  void finish(OpId id, Seconds now) {
    OpSpan& span = timeline_.ops[index(id)];
    INVARIANT(span.finish < Seconds{0.0}, "{} ends twice", graph_.name_of(id));
    span.finish = now;
    ++finished_;
    for (const OpId next : graph_.successors(id)) {
      INVARIANT(waiting_[index(next)] > 0, "{} has started before {}", graph_.name_of(next),
                graph_.name_of(id));
      // What a chain holds starts within the chain.
      if (--waiting_[index(next)] == 0 && next_in_chain_[index(id)] == no_op)
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
    for (const LinkId original : planner_.folding().originals()) {
      const Link& real = topology.link(original);
      timeline_.links.push_back({real.name, real.kind, 0.0, real.capacity});
    }
    std::map<TrafficKey, double> repeats;
    for (const Op& op : graph_.ops)
      if (op.kind != OpKind::compute)
        repeats[key_of(op)] += 1.0;
    for (const auto& [key, count] : repeats)
      for (const PlannedFlow& flow : plans_.at(key).flows)
        for (const MachineRoute::Hop& hop : flow.route.hops)
          timeline_.links[hop.link].bytes += count * flow.bytes * hop.times;
  }

  static constexpr std::uint32_t no_op = ~0U;

  const StepGraph& graph_;
  TrafficPlanner planner_;
  std::unique_ptr<Machine> machine_;
  std::vector<std::uint32_t> common_; ///< by link of the replay
  std::vector<ComputeTime> compute_times_;
  std::map<TrafficKey, TrafficPlan> plans_;
  std::map<TrafficKey, RoutedTraffic> traffic_;
  std::vector<const RoutedTraffic*> op_traffic_; ///< by OpId; none for computes
  std::vector<double> duration_;                 ///< in seconds, by OpId; negative if not known
  std::vector<std::uint32_t> next_in_chain_;     ///< by OpId; no_op at the end of a chain
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
