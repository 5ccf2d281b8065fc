#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace moesim {

/// The modules whose inputs wait for the backward pass in host memory, under Megatron-Core's names
/// (`--offload-modules`, megatron/core/transformer/transformer_config.py).
enum class OffloadModule : std::uint8_t {
  attention_norm,    ///< attn_norm: the norm before attention
  projection,        ///< qkv_linear: the products that make queries, keys and values
  core_attention,    ///< core_attn
  output_projection, ///< attn_proj: the product after attention
  feed_forward_norm, ///< mlp_norm: the norm before the feed-forward
  expert,            ///< expert_fc1: the routed experts' first product
  activation         ///< moe_act: the activation between the products of the routed experts
};

/// Megatron's names, in the order of OffloadModule.
const std::vector<std::string>& offload_module_names();

using OffloadModules = std::set<OffloadModule>;

} // namespace moesim
