#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace moesim {

enum class Recompute {
  none,      ///< every activation that the backward pass needs is kept
  selective, ///< what the chosen modules make is dropped, and made again before it is needed
  full       ///< only the input of each layer is kept; the backward pass repeats the forward pass
};

/// The modules whose results selective recompute drops, under Megatron-Core's names
/// (`--recompute-modules`, megatron/core/transformer/transformer_config.py).
enum class RecomputeModule : std::uint8_t {
  core_attention, ///< core_attn: scores and values; a fused attention keeps none of them anyway
  mla_projection, ///< mla_up_proj: queries, keys and values of latent attention, from their latents
  norm,           ///< layernorm: the norms before attention and before the feed-forward
  activation,     ///< moe_act: the activation between the two products of the routed experts
  dense,          ///< mlp: the feed-forward of dense layers
  shared_experts, ///< shared_experts
  moe             ///< moe: the whole MoE block with its dispatch and combine
};

/// Megatron's names, in the order of RecomputeModule.
const std::vector<std::string>& recompute_module_names();

using RecomputeModules = std::set<RecomputeModule>;

} // namespace moesim
