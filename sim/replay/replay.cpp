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
};

struct RoutedPhase {
  Seconds startup;
  std::vector<RoutedFlow> flows;
};
using RoutedTraffic = std::vector<RoutedPhase>;

/// The flows of all phases.
std::vector<PlannedFlow> flows_of(const TrafficPlan& plan) {
  std::vector<PlannedFlow> flows;
  for (const TrafficPhase& phase : plan.phases)
    flows.insert(flows.end(), phase.flows.begin(), phase.flows.end());
  return flows;
}

/// The state of a replay under way.
class Player {
public:
  Player(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context)
      : graph_(graph), topology_(context.topology),
        planner_(layout.layout, layout.model, context.plan, context.topology, context.network) {
    for (const ComputeWork& work : graph.computes)
      compute_times_.push_back(compute_time(work, *context.compute));
    plan_traffic();
    find_chains();
    machine_ = std::make_unique<Machine>(graph.devices.size(), reduce_links());
    route_traffic();
    timeline_.ops.assign(graph.ops.size(), {Seconds{-1.0}, Seconds{-1.0}});
    waiting_.resize(graph.ops.size());
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
          finish_part(OpId(token));
          start_ready();
        });
    check();
    for (const OpSpan& span : timeline_.ops)
      timeline_.end = std::max(timeline_.end, span.finish);
    timeline_.activities = machine_->activities();
    count_link_bytes();
    note_algorithms();
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
      for (const PlannedFlow& flow : flows_of(plan))
        for (const MachineRoute::Hop& hop : flow.route.hops)
          user[hop.link] = user[hop.link] == nobody || user[hop.link] == device ? device : several;
    }
    std::vector<bool> is_private;
    for (const std::uint32_t device : user)
      is_private.push_back(device != several);
    return is_private;
  }

  /// True if the duration of a phase follows from its own flows: there is one at most, over private
  /// links, or each has a private link of its own.
  static bool runs_alone(const TrafficPhase& phase, const std::vector<bool>& is_private) {
    const bool single_hops =
        std::all_of(phase.flows.begin(), phase.flows.end(),
                    [](const PlannedFlow& flow) { return flow.route.hops.size() == 1; });
    if (phase.flows.size() > 1 && !single_hops)
      return false;
    for (const PlannedFlow& flow : phase.flows)
      for (const MachineRoute::Hop& hop : flow.route.hops)
        if (!is_private[hop.link])
          return false;
    return true;
  }

  /// The durations that are known before the replay: computes, and collectives of one flow over
  /// private links. Negative for the others.
  void find_known_durations() {
    const std::vector<bool> is_private = find_private_links();
    std::map<TrafficKey, double> known;
    for (const auto& [key, plan] : plans_) {
      const bool fixed =
          std::all_of(plan.phases.begin(), plan.phases.end(),
                      [&](const TrafficPhase& phase) { return runs_alone(phase, is_private); });
      known[key] = fixed ? time_alone(plan, planner_.folding()).value : -1.0;
    }
    for (const Op& op : graph_.ops)
      duration_.push_back(op.kind == OpKind::compute
                              ? compute_times_[op.work].total.value / speed_share(op.place)
                              : known.at(key_of(op)));
  }

  double speed_share(std::uint32_t device) const {
    return topology_.gpu(graph_.devices[device].rank).speed_share;
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
      for (const PlannedFlow& flow : flows_of(plan))
        for (const MachineRoute::Hop& hop : flow.route.hops)
          common_[hop.link] = std::gcd(common_[hop.link], hop.times);
    for (std::size_t link = 0; link < links.size(); ++link)
      links[link].capacity = links[link].capacity / static_cast<double>(common_[link]);
    return links;
  }

  using RouteKey = std::pair<std::vector<std::pair<std::uint32_t, std::uint32_t>>, double>;

  /// The machine's number of a flow's route.
  std::uint32_t number_of(const MachineRoute& route, std::map<RouteKey, std::uint32_t>& known) {
    RouteKey key{{}, route.weight};
    for (const MachineRoute::Hop& hop : route.hops)
      key.first.emplace_back(hop.link, hop.times);
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
        for (const PlannedFlow& flow : phase.flows)
          routed.flows.push_back({number_of(flow.route, known), flow.amount});
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
    const auto op = static_cast<std::uint32_t>(index(id));
    INVARIANT(timeline_.ops[op].start < Seconds{0.0}, "{} starts twice", graph_.name_of(id));
    timeline_.ops[op].start = machine_->now();
    if (duration_[op] >= 0.0)
      start_chain(op);
    else
      start_phase(id);
  }

  void start_phase(OpId id) {
    const auto op = static_cast<std::uint32_t>(index(id));
    const RoutedPhase& phase = (*op_traffic_[op])[phase_[op]];
    if (phase.startup > Seconds{0.0})
      start_delay(op, phase.startup);
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
    const RoutedPhase& phase = (*op_traffic_[index(id)])[phase_[index(id)]];
    flowing_[index(id)] = true;
    unfinished_parts_[index(id)] = static_cast<std::uint32_t>(phase.flows.size());
    for (const RoutedFlow& flow : phase.flows)
      machine_->start_flow(flow.route, flow.amount, static_cast<std::uint32_t>(index(id)));
    if (phase.flows.empty())
      finish_phase(id);
  }

  void finish_phase(OpId id) {
    const std::size_t op = index(id);
    flowing_[op] = false;
    if (++phase_[op] < op_traffic_[op]->size())
      start_phase(id);
    else
      finish(id, machine_->now());
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
      finish_phase(id);
  }

  void finish_chain(std::uint32_t op) {
    Seconds time = timeline_.ops[op].start;
    for (std::uint32_t next = next_in_chain_[op]; next != no_op; next = next_in_chain_[next]) {
      time += Seconds{duration_[op]};
      finish(OpId(op), time);
      timeline_.ops[next].start = time;
      op = next;
    }
    finish(OpId(op), machine_->now());
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

  void note_algorithms() {
    timeline_.algorithms.resize(graph_.collectives.size(), Collective::all_to_all);
    for (const auto& [key, plan] : plans_)
      if (std::get<OpKind>(key) == OpKind::collective)
        timeline_.algorithms[std::get<1>(key)] = plan.algorithm;
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

  static constexpr std::uint32_t no_op = ~0U;

  const StepGraph& graph_;
  const Topology& topology_;
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
  std::vector<bool> flowing_;                    ///< past the start-up of its phase
  std::vector<std::uint32_t> phase_;             ///< that a communication is in
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

Timeline replay(const StepGraph& graph, const ReplayLayout& layout, const ReplayContext& context) {
  return Player(graph, layout, context).play();
}

} // namespace moesim
