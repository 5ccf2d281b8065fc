#pragma once

#include "sim/base/enumeration.hpp"

#include <cstdint>
#include <set>

namespace moesim {

/// The modules whose inputs are kept in host memory until the backward pass, under Megatron-Core's
/// names (`--offload-modules`, megatron/core/transformer/transformer_config.py).
enum class OffloadModule : std::uint8_t {
  attention_norm, ///< the norm before attention
  projection,     ///< the GEMMs that make queries, keys and values
  core_attention,
  output_projection, ///< the GEMM after attention
  feed_forward_norm, ///< the norm before the feed-forward
  expert,            ///< the routed experts' first GEMM
  activation         ///< the activation between the GEMMs of the routed experts
};

/// Megatron's names.
inline constexpr auto offload_module_names =
    std::to_array<Named<OffloadModule>>({{OffloadModule::attention_norm, "attn_norm"},
                                         {OffloadModule::projection, "qkv_linear"},
                                         {OffloadModule::core_attention, "core_attn"},
                                         {OffloadModule::output_projection, "attn_proj"},
                                         {OffloadModule::feed_forward_norm, "mlp_norm"},
                                         {OffloadModule::expert, "expert_fc1"},
                                         {OffloadModule::activation, "moe_act"}});
static_assert(names_each(offload_module_names));

using OffloadModules = std::set<OffloadModule>;

} // namespace moesim
