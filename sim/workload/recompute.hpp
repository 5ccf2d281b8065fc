#pragma once

#include "sim/base/enumeration.hpp"

#include <cstdint>
#include <set>

namespace moesim {

enum class Recompute {
  none,      ///< every activation that the backward pass needs is kept
  selective, ///< the results of the chosen modules are dropped, and made again before they are
             ///< needed
  full       ///< only the input of each layer is kept; the backward pass repeats the forward pass
};

/// The names in scenarios.
inline constexpr auto recompute_names = std::to_array<Named<Recompute>>(
    {{Recompute::none, "none"}, {Recompute::selective, "selective"}, {Recompute::full, "full"}});
static_assert(names_each(recompute_names));

/// The modules whose results selective recompute drops, under Megatron-Core's names
/// (`--recompute-modules`, megatron/core/transformer/transformer_config.py).
enum class RecomputeModule : std::uint8_t {
  core_attention, ///< scores and values; a fused attention keeps none of them anyway
  mla_projection, ///< queries, keys and values of latent attention, from their latents
  norm,           ///< the norms before attention and before the feed-forward
  activation,     ///< the activation between the two GEMMs of the routed experts
  dense,          ///< the feed-forward of dense layers
  shared_experts,
  moe ///< the whole MoE block with its dispatch and combine
};

/// Megatron's names.
inline constexpr auto recompute_module_names =
    std::to_array<Named<RecomputeModule>>({{RecomputeModule::core_attention, "core_attn"},
                                           {RecomputeModule::mla_projection, "mla_up_proj"},
                                           {RecomputeModule::norm, "layernorm"},
                                           {RecomputeModule::activation, "moe_act"},
                                           {RecomputeModule::dense, "mlp"},
                                           {RecomputeModule::shared_experts, "shared_experts"},
                                           {RecomputeModule::moe, "moe"}});
static_assert(names_each(recompute_module_names));

using RecomputeModules = std::set<RecomputeModule>;

} // namespace moesim
