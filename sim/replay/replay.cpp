#include "sim/replay/replay.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/known_durations.hpp"
#include "sim/replay/machine.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace moesim {

namespace {

/// A flow whose route the machine knows.
struct RoutedFlow {
  std::uint32_t route = 0;
  double amount = 0.0;
  std::uint32_t load = 0; ///< its place in Timeline::loads
};

struct RoutedPhase {
  Seconds startup;
  Seconds alone; ///< with the links to itself
  std::vector<RoutedFlow> flows;
};
using RoutedTraffic = std::vector<RoutedPhase>;

/// The state of a replay under way. What takes a known time ends at a known time as soon as all
/// that it waits for has: the machine plays only what contends for links, and the waits before
/// that.
class Player {
public:
  Player(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context)
      : graph_(graph), topology_(context.topology),
        planner_(layout, context.plan, context.topology, context.network, context.compute) {
    plan_traffic();
    known_ = known_durations(graph, plans_, planner_.folding(), compute_durations(context));
    machine_ = std::make_unique<Machine>(graph.devices.size(), reduce_links());
    route_traffic();
    timeline_.ops.assign(graph.ops.size(), {Seconds{-1.0}, Seconds{-1.0}});
    waiting_.resize(graph.ops.size());
    earliest_.assign(graph.ops.size(), Seconds{});
    unfinished_parts_.assign(graph.ops.size(), 0);
    flowing_.assign(graph.ops.size(), false);
    phase_.assign(graph.ops.size(), 0);
    for (std::uint32_t op = 0; op < graph.ops.size(); ++op)
      waiting_[op] = graph.predecessor_count(OpId(op));
  }

  Timeline play() {
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
    count_link_bytes();
    note_algorithms();
    timeline_.uneven = planner_.uneven();
    timeline_.extrapolated.assign(planner_.extrapolated().begin(), planner_.extrapolated().end());
    return std::move(timeline_);
  }

private:
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

  /// By OpId, in seconds; 0 for what does not compute.
  std::vector<double> compute_durations(const ReplayContext& context) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, double> known; // by work and device
    std::vector<double> durations(graph_.ops.size(), 0.0);
    for (std::size_t op = 0; op < graph_.ops.size(); ++op) {
      const auto& [kind, stream, work, place, micro_batch] = graph_.ops[op];
      if (kind != OpKind::compute)
        continue;
      const ComputeWork& compute = graph_.computes[work];
      // Where nothing runs beside it and ranks are alike, it takes as long on all devices.
      const bool differs = compute.beside || !compute.by_expert_rank.empty();
      const auto [time, added] = known.emplace(std::pair(work, differs ? place : 0U), 0.0);
      if (added)
        time->second = compute_time(compute, *context.compute, beside(compute, place),
                                    static_cast<std::size_t>(graph_.devices[place].expert_rank))
                           .total.value;
      durations[op] = time->second / topology_.gpu(graph_.devices[place].rank).speed_share;
    }
    return durations;
  }

  BesideCompute beside(const ComputeWork& compute, std::uint32_t device) {
    if (!compute.beside)
      return {};
    for (const DeviceGroup& group : graph_.groups)
      if (group.kind == compute.beside->group &&
          std::find(group.devices.begin(), group.devices.end(), DeviceId(device)) !=
              group.devices.end())
        return planner_.beside_compute(*compute.beside, group);
    return {};
  }

  /// Divides a link's capacity, and the times that routes load it, by their common factor: fewer
  /// repetitions, the same rates.
  std::vector<MachineLink> reduce_links() {
    std::vector<MachineLink> links = planner_.folding().links();
    common_.assign(links.size(), 0);
    for (const auto& [key, plan] : plans_)
      for (const PlannedFlow& flow : flows_of(plan))
        for (const MachineRoute::Hop& hop : flow.route.hops)
          common_[hop.link] = std::gcd(common_[hop.link], hop.times);
    for (std::size_t link = 0; link < links.size(); ++link)
      links[link].capacity = links[link].capacity / static_cast<double>(common_[link]);
    return links;
  }

  using RouteKey = std::tuple<std::vector<std::pair<std::uint32_t, std::uint32_t>>, double, double>;

  /// The machine's number of a flow's route.
  std::uint32_t number_of(const MachineRoute& route, std::map<RouteKey, std::uint32_t>& known) {
    RouteKey key{{}, route.weight, route.most.value};
    for (const MachineRoute::Hop& hop : route.hops)
      std::get<0>(key).emplace_back(hop.link, hop.times);
    const auto [place, added] = known.emplace(std::move(key), 0);
    if (added) {
      MachineRoute reduced = route;
      for (MachineRoute::Hop& hop : reduced.hops)
        hop.times /= common_[hop.link];
      place->second = machine_->add_route(reduced);
    }
    return place->second;
  }

  void route_traffic() {
    std::map<RouteKey, std::uint32_t> known;
    for (const auto& [key, plan] : plans_)
      for (const TrafficPhase& phase : plan.phases) {
        RoutedPhase& routed = traffic_[key].emplace_back();
        routed.startup = phase.startup;
        routed.alone = time_alone(phase, planner_.folding());
        for (const PlannedFlow& flow : phase.flows) {
          routed.flows.push_back({number_of(flow.route, known), flow.amount,
                                  static_cast<std::uint32_t>(timeline_.loads.size())});
          timeline_.loads.push_back(loads_of(flow));
          timeline_.mixed.push_back(flow.mixed);
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
    timeline_.ops[op].start = earliest_[op];
    if (known_[op] >= 0.0) {
      const Seconds end = earliest_[op] + Seconds{known_[op]};
      if (op_traffic_[op])
        note_flows(op, end);
      finish(id, end);
    } else {
      start_phase(id, earliest_[op]);
    }
  }

  /// A phase that begins now or later.
  void start_phase(OpId id, Seconds begin) {
    const auto op = static_cast<std::uint32_t>(index(id));
    const Seconds delay =
        std::max(Seconds{}, begin - machine_->now()) + (*op_traffic_[op])[phase_[op]].startup;
    if (delay > Seconds{}) {
      unfinished_parts_[op] = 1;
      machine_->start_delay(device_of(graph_.ops[op]), delay, op);
    } else {
      start_flows(id);
    }
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
    const RoutedPhase& phase = (*op_traffic_[index(id)])[phase_[index(id)]];
    flowing_[index(id)] = true;
    unfinished_parts_[index(id)] = static_cast<std::uint32_t>(phase.flows.size());
    for (const RoutedFlow& flow : phase.flows) {
      machine_->start_flow(flow.route, flow.amount, token_of_next_flow());
      timeline_.flows.push_back({id, flow.load, machine_->now(), {}});
    }
    if (phase.flows.empty())
      finish_phase(id);
  }

  void finish_phase(OpId id) {
    const std::size_t op = index(id);
    flowing_[op] = false;
    if (++phase_[op] < op_traffic_[op]->size())
      start_phase(id, machine_->now());
    else
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
    if (!flowing_[op])
      start_flows(id); // the start-up is over
    else
      finish_phase(id);
  }

  /// Those of an operation that contends for no link.
  void note_flows(std::uint32_t op, Seconds until) {
    Seconds start = timeline_.ops[op].start;
    for (const RoutedPhase& phase : *op_traffic_[op]) {
      const Seconds end =
          std::min(until, start + phase.alone); // rounding may go past the operation
      for (const RoutedFlow& flow : phase.flows)
        timeline_.flows.push_back({OpId(op), flow.load, std::min(end, start + phase.startup), end});
      start += phase.alone;
    }
  }

  void finish(OpId id, Seconds now) {
    OpSpan& span = timeline_.ops[index(id)];
    INVARIANT(span.finish < Seconds{0.0}, "{} ends twice", graph_.name_of(id));
    span.finish = now;
    ++finished_;
    for (const OpId next : graph_.successors(id)) {
      INVARIANT(waiting_[index(next)] > 0, "{} has started before {}", graph_.name_of(next),
                graph_.name_of(id));
      earliest_[index(next)] = std::max(earliest_[index(next)], now);
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

  void note_algorithms() {
    timeline_.algorithms.resize(graph_.collectives.size(), Collective::all_to_all);
    timeline_.errors.resize(graph_.collectives.size(), 0.0);
    for (const auto& [key, plan] : plans_)
      if (std::get<OpKind>(key) == OpKind::collective) {
        timeline_.algorithms[std::get<1>(key)] = plan.algorithm;
        double& error = timeline_.errors[std::get<1>(key)];
        error = std::max(error, plan.error);
      }
  }

  void count_link_bytes() {
    for (const LinkId original : planner_.folding().originals()) {
      const Link& real = topology_.link(original);
      timeline_.links.push_back({real.name, real.kind, 0.0, real.capacity});
    }
    std::map<TrafficKey, double> repeats;
    for (const Op& op : graph_.ops)
      if (op.kind != OpKind::compute)
        repeats[key_of(op)] += 1.0;
    for (const auto& [key, count] : repeats)
      for (const PlannedFlow& flow : flows_of(plans_.at(key)))
        for (const MachineRoute::Hop& hop : flow.route.hops)
          timeline_.links[hop.link].bytes += count * flow.bytes * hop.times;
  }

  const StepGraph& graph_;
  const Topology& topology_;
  TrafficPlanner planner_;
  std::unique_ptr<Machine> machine_;
  std::vector<std::uint32_t> common_; ///< by link of the replay
  TrafficPlans plans_;
  std::vector<double> known_; ///< known_durations
  std::map<TrafficKey, RoutedTraffic> traffic_;
  std::vector<const RoutedTraffic*> op_traffic_; ///< by OpId; none for computes
  std::vector<std::uint32_t> waiting_;           ///< predecessors that have not ended
  std::vector<Seconds> earliest_;                ///< the latest end of those that have
  std::vector<std::uint32_t> unfinished_parts_;  ///< activities of an operation under way
  std::vector<bool> flowing_;                    ///< past the start-up of its phase
  std::vector<std::uint32_t> phase_;             ///< that a communication is in
  std::vector<OpId> ready_;
  std::size_t finished_ = 0;
  Timeline timeline_;
};

} // namespace

Timeline replay(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context) {
  return Player(graph, layout, context).play();
}

} // namespace moesim
