#pragma once

#include "sim/base/enumeration.hpp"

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace moesim {

/// The source of the experts' loads.
enum class LoadKind {
  uniform, ///< all experts have the same load
  zipf,
  dirichlet,
  hot_expert, ///< one expert of each layer gets more than the others
  hot_rank,   ///< all experts of one rank get more than the others
  trace,      ///< loads of a recording
  trained     ///< loads of a model of the router's training: sim/routing/router_training.hpp
};

/// The mechanism that balances the loads of experts while a router is trained. f is an expert's
/// share of the routed tokens (shares add up to 1), p its mean softmax probability, E the number of
/// experts.
enum class Balancing {
  /// No mechanism. "This imbalance is self-reinforcing, as the favored experts are trained more
  /// rapidly and thus are selected even more": Shazeer et al., arXiv 1701.06538, section 4.
  none,
  /// α E Σᵢ fᵢ pᵢ is added to the loss and differentiated through p alone: Switch Transformer,
  /// arXiv 2101.03961, equations 4 to 6; published α 0.01.
  auxiliary_loss,
  /// z (ln Σᵢ exp lᵢ)² is added to the loss: ST-MoE, arXiv 2202.08906, equation 5; published z
  /// 0.001. The loss bounds the logits, not the imbalance.
  z_loss,
  /// bᵢ += u sign(1/E − fᵢ) after each step; b counts when experts are selected and in no gradient:
  /// arXiv 2408.15664, algorithm 1, and DeepSeek-V3, arXiv 2412.19437, section 2.1.2; published u
  /// 0.001.
  bias,
  /// Each expert takes the k/E of all tokens that score best with it: arXiv 2202.09368, section
  /// 3.2. Loads are even for any logits.
  expert_choice,
};

/// The names in scenarios. Expert choice is a policy there, not a mechanism.
inline constexpr auto balancing_names =
    std::to_array<Named<Balancing>>({{Balancing::none, "none"},
                                     {Balancing::auxiliary_loss, "auxiliary-loss"},
                                     {Balancing::z_loss, "z-loss"},
                                     {Balancing::bias, "bias"}});

/// The keys of a scenario for the training of a router: sim/routing/router_training.hpp.
struct RouterSpec {
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  Balancing balancing = Balancing::none;
  double coefficient = 0.0; ///< α, z or u; without effect for none and expert choice
  /// Step from which tokens come from the first `narrow_topics` topics alone, as in a fine-tuning.
  std::int64_t narrow_from_step = never;
  std::int64_t narrow_topics = 1; ///< from 1 to all topics
  /// Step at which experts are added behind the others, without competence or bias. Their logits
  /// are drawn as at the start, around the mean of each topic.
  std::int64_t experts_added_at = never;
  std::int64_t experts_added = 0;

  auto operator<=>(const RouterSpec&) const = default;
};

/// The rule that assigns experts to ranks.
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

/// Number of tokens that chose each expert in a recorded run.
struct LoadTrace {
  /// The meaning of a recording's rows.
  enum class Rows {
    whole,         ///< one row: the sum of the recording
    micro_batches, ///< one row a micro-batch, over all ranks of an expert-parallel group
    sequences      ///< one row a sequence, all of whose tokens one rank has
  };
  Rows rows = Rows::whole;
  /// Tokens by the layer's number in the model (dense layers counted), by row, by expert. All
  /// layers have the same number of rows. Rows of one index belong together, so that a recording
  /// keeps the correlation between layers.
  std::map<std::int64_t, std::vector<std::vector<double>>> layers;
};

/// The choice of experts for tokens.
struct RoutingSpec {
  LoadKind load = LoadKind::uniform;
  /// Every micro-batch of every rank draws its tokens, with the loads as probabilities, as routers
  /// do. Else tokens follow the loads as closely as whole tokens can.
  bool sampled = false;
  double zipf_alpha = 0.0;              ///< exponent of `zipf`: 0 is uniform
  double dirichlet_concentration = 0.0; ///< parameter of `dirichlet`: large is near uniform
  /// Parameter of the `dirichlet` loads under which a step of uniform loads is timed too; nothing:
  /// under none.
  std::optional<double> uneven_concentration = std::nullopt;
  /// Number of layers that draw loads of their own; the others repeat these in turn, so that their
  /// communication is the same. Nothing: each draws its own.
  std::optional<std::int64_t> drawn_layers = std::nullopt;
  double hot_load = 1.0; ///< load of `hot_expert` and `hot_rank`, in multiples of the mean
  std::shared_ptr<const LoadTrace> trace = nullptr; ///< recording of `trace`
  RouterSpec router = {};                           ///< training of `trained`
  std::int64_t step = 0;                            ///< step of the training; draws differ by step
  /// Number of groups of two-level gates; 1: one gate. A token chooses a group of experts by the
  /// law, then experts of the group by the same law (Shazeer et al., arXiv 1701.06538, appendix B).
  std::int64_t gate_groups = 1;
  double capacity_factor = 0.0; ///< most tokens of an expert, in multiples of the mean; 0: dropless
  /// Each expert receives and computes exactly its capacity; padding fills it up.
  bool pad_to_capacity = false;
  std::uint64_t seed = 1;
  PlacementKind placement = PlacementKind::contiguous;
  /// Replicas of the busiest experts that an expert-parallel group holds beyond one of each expert.
  std::int64_t redundant_experts = 0;
  std::int64_t scale_up_gpus = 0; ///< GPUs of a scale-up domain, for placement; 0: no domains
  /// All experts, and all ranks, have the same load.
  bool even() const { return load == LoadKind::uniform && !sampled && redundant_experts == 0; }
  /// The same experts under the loads of `uneven_concentration`, which must be given; eight layers
  /// draw theirs.
  RoutingSpec uneven() const;
  bool differs_by_source() const;          ///< ranks differ, apart from random draws
  bool rows_differ_by_micro_batch() const; ///< rows of a recording differ by micro-batch
  bool differs_by_micro_batch() const;     ///< micro-batches differ, by their rows or by random
                                           ///< draws
  /// Share of the routed tokens that experts keep under uniform load: min(1, capacity_factor).
  double kept_share() const;
  /// Tokens sent and computed under uniform load, padding included, as a share of the routed
  /// tokens.
  double carried_share() const { return pad_to_capacity ? capacity_factor : kept_share(); }
};

} // namespace moesim
