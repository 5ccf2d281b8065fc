#pragma once

#include "sim/cost/network_cost.hpp"
#include "sim/replay/class_flows.hpp"
#include "sim/replay/compute_times.hpp"
#include "sim/replay/folding.hpp"
#include "sim/replay/link_sums.hpp"
#include "sim/replay/rank_flows.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

namespace moesim {

/// A flow of the replay: an amount of work for a route. `bytes` is what arrives; `amount` is that
/// divided by the efficiency of its messages, so that it takes its real time at full capacity.
struct PlannedFlow {
  MachineRoute route;
  double bytes = 0.0;
  double amount = 0.0;
  bool mixed = false; ///< as of a ClassFlow
};

/// A start-up, then flows that run together.
struct TrafficPhase {
  Seconds startup;
  std::vector<PlannedFlow> flows;
};

/// What a collective or a transfer does to the network: phases, one after the other.
struct TrafficPlan {
  Collective algorithm = Collective::all_to_all; ///< the one chosen
  std::vector<TrafficPhase> phases;
  double error = 0.0; ///< of its time, as a share with a confidence of 90 %
};

/// The time of a communication that has its links to itself; exact for one flow a phase, else a
/// bound.
Seconds time_alone(const TrafficPlan& plan, const LinkFolding& folding);
Seconds time_alone(const TrafficPhase& phase, const LinkFolding& folding);

/// Plans the traffic of the communications of a graph on the links of a replay. `compute` tells how
/// slow communication is beside computes; null for a graph that computes nothing.
class TrafficPlanner {
public:
  /// What it is given must live as long.
  TrafficPlanner(const ReplayLayout& layout, const ParallelPlan& plan, const Topology& topology,
                 const NetworkCost& network, const ComputeCost* compute)
      : layout_(layout.layout), model_(layout.model), plan_(plan), topology_(topology),
        network_(network), compute_(compute), folding_(layout, plan, topology),
        symmetry_(BlockSymmetry::find(plan, topology)) {
    if (!layout.first_alike.empty())
      class_symmetry_ = symmetry_;
  }

  /// Valid until the planner dies. An all-reduce takes the algorithm that is fastest on its own, as
  /// NCCL's tuner chooses it: ring, tree or, where the scale-up switch can, in the switch.
  const TrafficPlan& collective(const CollectiveWork& work, const DeviceGroup& group);
  TrafficPlan transfer(const TransferWork& work, const DevicePair& pair);
  /// A collective as it runs beside a compute: while all groups of its stage run theirs, and
  /// nothing else loads the links.
  BesideCompute beside_compute(const CollectiveWork& work, const DeviceGroup& group);
  const LinkFolding& folding() const { return folding_; }
  /// The costs that were asked for beyond what was measured: "all_to_all on infiniband", ….
  const std::set<std::string>& extrapolated() const { return extrapolated_; }
  /// A flow was planned that stands for links which do not all carry as much.
  bool uneven() const { return uneven_; }

private:
  /// What decides the costs of the flows of a phase.
  struct FlowKind {
    Collective inside;
    Collective outside;
    std::int64_t members_inside = 0;
    std::int64_t members_outside = 0;
  };
  static FlowKind kind_of(const CollectiveFlows& flows);
  /// A phase of one kind of collective between the ranks of each of its groups in a stage, as far
  /// as it does not depend on what they send.
  struct StageRoutes {
    FlowKind kind;
    std::vector<CollectiveFlows> shapes; ///< a group of each way to sit
    LinkSums sums;                       ///< of the flows of the shapes, one shape after the other
    Seconds startup;
    double error = 0.0;
  };
  using StageKey = std::tuple<Collective, GroupKind, DeviceId>;
  /// A plan in the first stage that asked for it, and the links asked for meanwhile, in order.
  struct StagePlan {
    DeviceId device{};
    std::vector<LinkId> links;
  };
  /// The plan of another stage, moved to that of the group: the same where stages are copies.
  TrafficPlan plan_as_in(const StagePlan& other, const CollectiveWork& work,
                         const DeviceGroup& group);
  TrafficPlan plan_alone(const CollectiveWork& work, const DeviceGroup& group);
  TrafficPlan plan_fastest(const CollectiveWork& work, const DeviceGroup& group);
  /// Amounts by link of the replay.
  using LinkAmounts = std::map<std::uint32_t, double>;
  /// What a stage's groups together load links with in a collective, by phase.
  const std::vector<LinkAmounts>& stage_amounts(const CollectiveWork& work, std::int64_t stage);
  /// How long the flows of a phase take beside those of the other groups.
  Seconds flow_time_in_stage(const TrafficPhase& phase, const LinkAmounts& amounts) const;
  /// Slows down what runs beside computes; what its flows leave of their links is for others.
  void slow_beside_computes(const CollectiveWork& work, const Device& device, TrafficPlan& plan);
  /// Adds what the host takes to post the messages of a dispatch or combine.
  void add_host_posts(const CollectiveWork& work, RankId member, TrafficPlan& plan) const;
  /// Whether the ranks of a collective are in several domains.
  bool leaves_domain(const CollectiveWork& work, RankId member) const;
  TrafficPlan plan_collective(const CollectiveWork& work, const DeviceGroup& group);
  TrafficPhase plan_phase(const CollectiveFlows& group_flows, std::size_t phase,
                          const CollectiveWork& work, const Device& device);
  /// The same from the loads of links: of the group, or of all groups of the stage.
  TrafficPhase plan_link_loads(const CollectiveFlows& group_flows, std::size_t phase,
                               const CollectiveWork& work, const Device& device);
  /// The phases of a collective, worked out when it is first asked for. None if they take too much
  /// memory.
  std::vector<StageRoutes>& routes_of_stage(const CollectiveWork& work, const DeviceGroup& group);
  std::optional<StageRoutes> route_stage(const std::vector<CollectiveFlows>& groups,
                                         const CollectiveFlows& group_flows, std::size_t phase,
                                         RankId first) const;
  /// The same plan as by `plan_link_loads`, in less time for each work but the first.
  TrafficPlan plan_by_routes(const CollectiveWork& work, std::vector<StageRoutes>& routes);
  /// A flow's bytes over the efficiency of its messages.
  double amount_of(const RankFlow& flow, const FlowKind& kind) const;
  double mean_amount(const std::vector<RankFlow>& flows, const FlowKind& kind) const;
  /// A flow's weight is its amount over the mean: a larger message gets a larger share, as NCCL
  /// gives it more channels and as DeepEP sends tokens in their order. One flow for each class,
  /// with the amounts of one group's flows.
  std::vector<PlannedFlow> plan_classes(const std::vector<RankFlow>& flows,
                                        const std::vector<ClassFlow>& classes,
                                        const FlowKind& kind);
  /// The classes of the flows of groups; notes if links that one stands for carry unequally.
  std::vector<ClassFlow> fold(const std::vector<std::vector<RankFlow>>& groups);
  /// The classes of a phase's flows, worked out when they are first asked for.
  const std::vector<ClassFlow>& classes_of(const CollectiveFlows& group_flows, std::size_t phase,
                                           const CollectiveWork& work, const Device& device);
  /// The flows of the rank that stands for its stage. Joins those that take the same hops.
  std::vector<PlannedFlow> plan_flows(const std::vector<RankFlow>& flows, const FlowKind& kind);
  /// What the ranks of a device's class send to their counterparts in another stage.
  std::vector<PlannedFlow> plan_class_transfer(const Device& source, const Device& sink,
                                               double bytes, const FlowKind& kind);
  /// The longest path of some flows, and who sends over it; `first` if it is among the equals.
  struct Farthest {
    RankId sender{};
    Seconds path;
  };
  Farthest find_farthest(const std::vector<RankFlow>& flows, RankId first) const;
  /// How the rings of a stage load the links that only some of their neighbours use.
  struct Crossing {
    bool ragged = false;                     ///< only some ranks of a ring send to another domain
    std::map<LinkKind, std::uint32_t> loads; ///< flows over the busiest link of a kind
    RankFlow flow;                           ///< one such flow …
    double of_bytes = 1.0;                   ///< … of a collective of so many bytes
    bool counts(LinkKind kind) const;
  };
  /// Alike for all ring collectives of a group, but twice the bytes for an all-reduce.
  const Crossing& crossing_of(const CollectiveWork& work, const Device& device);
  /// Rings cross a switch's uplink only where neighbours are on different switches, so the crossing
  /// is counted over all rings of the stage, and one flow stands for those of the busiest; NICs
  /// likewise, where only some ranks of a ring send to another domain.
  void add_switch_crossing(const CollectiveWork& work, const Device& device, const FlowKind& kind,
                           double mean_amount, std::vector<PlannedFlow>& flows);
  /// The flows that stand for loads of links: of each link, or of each class the busiest.
  /// Each has the weight of the flows that it stands for, of which one of the mean amount has 1.
  std::vector<PlannedFlow> flows_of_loads(const std::vector<double>& bytes,
                                          const std::vector<double>& amounts, double mean_amount);
  /// What every rank of a stage sends to its counterpart in another, by the loads of links.
  std::vector<PlannedFlow> plan_stage_transfer(const Device& source, const Device& sink,
                                               double bytes, const FlowKind& kind);
  /// Adds the loads of an all-to-all whose pairs are all alike, by counting; the start-up of a
  /// rank. Nothing where that cannot be.
  std::optional<Seconds> add_uniform_loads(const CollectiveFlows& flows, const CollectiveWork& work,
                                           const FlowKind& kind, std::vector<double>& bytes,
                                           std::vector<double>& amounts);
  /// Adds what the flows of one rank load links with.
  void add_rank_loads(const std::vector<RankFlow>& sent, const FlowKind& kind,
                      std::vector<double>& bytes, std::vector<double>& amounts) const;
  double efficiency(const RankFlow& flow, const FlowKind& kind) const;
  /// Of a collective between domains; 1 where nothing computes.
  Uncertain rate_in_training(Collective collective) const;
  Seconds startup(const FlowKind& kind, const PeerCount& peers) const;
  /// That of the tier whose costs are less certain.
  double error(const FlowKind& kind, const PeerCount& peers) const;

  const DeviceLayout& layout_;
  LoadModel model_;
  const ParallelPlan& plan_;
  const Topology& topology_;
  const NetworkCost& network_;
  const ComputeCost* compute_;
  LinkFolding folding_;
  std::optional<BlockSymmetry> symmetry_;       ///< of ranks and links
  std::optional<BlockSymmetry> class_symmetry_; ///< of their classes too
  mutable std::set<std::string> extrapolated_;
  bool uneven_ = false;
  std::map<std::pair<CollectiveWork, DeviceId>, TrafficPlan> collectives_;
  std::map<std::pair<CollectiveWork, std::size_t>, StagePlan> stage_plans_; ///< by work and class
  std::map<std::pair<CollectiveWork, std::int64_t>, std::vector<LinkAmounts>>
      stage_amounts_; ///< by work and stage
  std::map<StageKey, std::vector<StageRoutes>> routes_;
  std::map<std::pair<StageKey, std::size_t>, std::vector<ClassFlow>> classes_; ///< and by phase
  std::map<std::tuple<GroupKind, std::int64_t, Collective>, Crossing> crossings_;
};

} // namespace moesim
