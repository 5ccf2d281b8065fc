#include "sim/workload/recompute.hpp"

namespace moesim {

const std::vector<std::string>& recompute_module_names() {
  static const std::vector<std::string> names = {
      "core_attn", "mla_up_proj", "layernorm", "moe_act", "mlp", "shared_experts", "moe"};
  return names;
}

} // namespace moesim
