#pragma once

#include "sim/workload/model_spec.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace moesim {

/// Writes a config into a folder named after its test, so that tests can run side by side.
inline std::filesystem::path config_of(const std::string& test, const std::string& text) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("moesim_model_config_" + test);
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << text;
  return folder / "config.json";
}

inline const std::string mixtral =
    R"({"model_type": "mixtral", "hidden_size": 64, "vocab_size": 100,
 "num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 2,
 "intermediate_size": 96, "num_local_experts": 4, "num_experts_per_tok": 2})";

inline const std::string deepseek =
    R"({"model_type": "deepseek_v3", "hidden_size": 64, "vocab_size": 100,
 "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 8,
 "intermediate_size": 256, "moe_intermediate_size": 32, "n_routed_experts": 16,
 "n_shared_experts": 2, "num_experts_per_tok": 4, "first_k_dense_replace": 1, "moe_layer_freq": 1,
 "q_lora_rank": null, "kv_lora_rank": 16, "qk_nope_head_dim": 12, "qk_rope_head_dim": 4,
 "v_head_dim": 10, "n_group": 4, "topk_group": 2, "topk_method": "noaux_tc"})";

/// Qwen3-MoE with a dense layer by step and one by list.
inline const std::string qwen = R"({"model_type": "qwen3_moe", "hidden_size": 64, "vocab_size": 100,
 "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 16,
 "intermediate_size": 256, "moe_intermediate_size": 32, "num_experts": 16,
 "num_experts_per_tok": 4, "decoder_sparse_step": 2, "mlp_only_layers": [3]})";

inline const std::string switch_base =
    R"({"model_type": "switch_transformers", "d_model": 64, "d_kv": 8,
 "d_ff": 128, "num_heads": 8, "vocab_size": 100, "num_layers": 4, "num_decoder_layers": 4,
 "num_experts": 8, "num_selected_experts": 1, "encoder_sparse_step": 2,
 "decoder_sparse_step": 2})";

/// The text with `old` in place of `now`.
inline std::string with(std::string text, const std::string& old, const std::string& now) {
  const std::size_t at = text.find(old);
  if (at == std::string::npos)
    throw std::logic_error("the text does not hold " + old);
  return text.replace(at, old.size(), now);
}

inline std::string without(const std::string& text, const std::string& key) {
  return with(text, '"' + key + '"', "\"_\"");
}

inline std::vector<bool> expert_layers(const ModelSpec& model) {
  std::vector<bool> moe;
  for (const LayerSpec& layer : model.layers)
    moe.push_back(layer.moe);
  return moe;
}

} // namespace moesim
