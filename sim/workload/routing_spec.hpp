#pragma once

#include "sim/base/enumeration.hpp"

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <vector>

namespace moesim {

/// Where the loads of experts come from.
enum class LoadKind {
  uniform, ///< all experts alike
  zipf,
  dirichlet,
  hot_expert, ///< one expert of each layer gets more than the others
  hot_rank,   ///< all experts of one rank do
  trace,      ///< as it was recorded
  trained     ///< as a model of the router's training has it: sim/routing/router_training.hpp
};

/// What holds the loads of experts together while a router is trained. f is an expert's share of
/// the routed tokens (they add up to 1), p its mean softmax probability, E the number of experts.
enum class Balancing {
  /// Nothing. "This imbalance is self-reinforcing, as the favored experts are trained more rapidly
  /// and thus are selected even more": Shazeer et al., arXiv 1701.06538, section 4.
  none,
  /// α E Σᵢ fᵢ pᵢ is added to the loss and differentiated through p alone: Switch Transformer,
  /// arXiv 2101.03961, equations 4 to 6; published α 0.01.
  auxiliary_loss,
  /// z (ln Σᵢ exp lᵢ)² is added to the loss: ST-MoE, arXiv 2202.08906, equation 5; published z
  /// 0.001. It bounds the logits, not the imbalance.
  z_loss,
  /// bᵢ += u sign(1/E − fᵢ) after each step; b counts when experts are selected and in no gradient:
  /// arXiv 2408.15664, algorithm 1, and DeepSeek-V3, arXiv 2412.19437, section 2.1.2; published u
  /// 0.001.
  bias,
  /// Each expert takes its k/E of all tokens, those that score best with it: arXiv 2202.09368,
  /// section 3.2. Loads are even whatever the logits are.
  expert_choice,
};

/// The names in scenarios. Expert choice is a policy there, not a mechanism.
inline constexpr auto balancing_names =
    std::to_array<Named<Balancing>>({{Balancing::none, "none"},
                                     {Balancing::auxiliary_loss, "auxiliary-loss"},
                                     {Balancing::z_loss, "z-loss"},
                                     {Balancing::bias, "bias"}});

/// The training of a router, as far as a scenario says: sim/routing/router_training.hpp.
struct RouterSpec {
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  Balancing balancing = Balancing::none;
  double coefficient = 0.0; ///< α, z or u; without effect for none and expert choice
  /// From this step on tokens come from the first `narrow_topics` topics alone: a fine-tuning.
  std::int64_t narrow_from_step = never;
  std::int64_t narrow_topics = 1; ///< from 1 to all topics
  /// At this step experts are added behind the others, without competence or bias, their logits
  /// drawn as at the start, around the mean of each topic.
  std::int64_t experts_added_at = never;
  std::int64_t experts_added = 0;

  auto operator<=>(const RouterSpec&) const = default;
};

/// The rule by which experts get their ranks.
enum class PlacementKind {
  contiguous,     ///< rank r of R has experts r E / R up to (r + 1) E / R, rounded down
  round_robin,    ///< expert e is on rank e mod R
  load_aware,     ///< EPLB: sim/routing/eplb.hpp
  topology_aware, ///< near the ranks that send most: sim/routing/placement.hpp
};

/// The names in scenarios.
inline constexpr auto placement_names =
    std::to_array<Named<PlacementKind>>({{PlacementKind::contiguous, "contiguous"},
                                         {PlacementKind::round_robin, "round-robin"},
                                         {PlacementKind::load_aware, "load-aware"},
                                         {PlacementKind::topology_aware, "topology-aware"}});
static_assert(names_each(placement_names));

/// How many tokens each expert was chosen for in a recorded run.
struct LoadTrace {
  /// What the rows of a recording are.
  enum class Rows {
    whole,         ///< one row: all that was recorded
    micro_batches, ///< of all ranks of an expert-parallel group together
    sequences      ///< of one rank
  };
  Rows rows = Rows::whole;
  /// By the layer's number in the model, dense layers counted; by row; by expert. All layers have
  /// as many rows, and rows of one number belong together: so a recording keeps how the choices of
  /// one layer go with those of another.
  std::map<std::int64_t, std::vector<std::vector<double>>> layers;
};

/// Which tokens go to which experts.
struct RoutingSpec {
  LoadKind load = LoadKind::uniform;
  /// Every micro-batch of every rank draws its own tokens, with the load as chances, as routers do;
  /// else tokens follow the load as closely as whole tokens can.
  bool sampled = false;
  double zipf_alpha = 0.0;              ///< of `zipf`: 0 is uniform
  double dirichlet_concentration = 0.0; ///< of `dirichlet`: large is near uniform
  double hot_load = 1.0; ///< of `hot_expert` and `hot_rank`: in multiples of the mean
  std::shared_ptr<const LoadTrace> trace = nullptr; ///< of `trace`
  RouterSpec router = {};                           ///< of `trained`
  std::int64_t step = 0;                            ///< of the training; draws differ by step
  /// Two-level gates: a token chooses a group of experts by the law, then experts of the group by
  /// it again (Shazeer et al., arXiv 1701.06538, appendix B). So many groups; 1: one gate.
  std::int64_t gate_groups = 1;
  double capacity_factor = 0.0; ///< 0: dropless; else at most that many times the mean per expert
  /// Each expert computes, and gets, as many tokens as its capacity; what is missing is padding.
  bool pad_to_capacity = false;
  std::uint64_t seed = 1;
  PlacementKind placement = PlacementKind::contiguous;
  /// Copies of experts that an expert-parallel group holds beyond one of each: of the busiest.
  std::int64_t redundant_experts = 0;
  std::int64_t scale_up_gpus = 0; ///< of a scale-up domain, for placement; 0: no domains
  /// All experts, and all ranks, are alike.
  bool even() const { return load == LoadKind::uniform && !sampled && redundant_experts == 0; }
  bool differs_by_source() const;          ///< ranks choose differently, not counting chance
  bool rows_differ_by_micro_batch() const; ///< so do micro-batches
  bool differs_by_micro_batch() const;     ///< or chance makes them differ
  /// Share of the routed tokens that is kept under uniform load: min(1, capacity_factor).
  double kept_share() const;
  /// What is sent and computed under uniform load, padding included.
  double carried_share() const { return pad_to_capacity ? capacity_factor : kept_share(); }
};

} // namespace moesim
