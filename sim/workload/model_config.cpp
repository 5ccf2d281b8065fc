#include "sim/input/json_document.hpp"
#include "sim/workload/model_spec.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>

namespace moesim {

namespace {

/// A whole number of at most `most`, which no model of today exceeds. The product of a few such
/// sizes is exact.
std::int64_t size(const JsonObject& json, const std::string& key, std::int64_t least = 1,
                  std::int64_t most = 10'000'000) {
  const std::int64_t value = json.integer(key, least);
  if (value > most)
    json.fail(key, fmt::format("{} must be at most {}, not {}", key, most, value));
  return value;
}

std::int64_t size_or(const JsonObject& json, const std::string& key, std::int64_t otherwise,
                     std::int64_t least = 0) {
  return json.has(key) ? size(json, key, least) : otherwise;
}

/// Fills `model.layers`; `is_moe` tells from the layer's number whether it holds experts.
void fill_layers(const JsonObject& json, ModelSpec& model,
                 const std::function<bool(std::int64_t)>& is_moe) {
  const std::int64_t count = size(json, "num_hidden_layers", 1, layers_max);
  for (std::int64_t layer = 0; layer < count; ++layer)
    model.layers.push_back({is_moe(layer), 1, is_moe(layer) ? 0 : size(json, "intermediate_size")});
}

bool always(std::int64_t) {
  return true;
}
bool never(std::int64_t) {
  return false;
}

void read_latent_attention(const JsonObject& json, AttentionSpec& a) {
  a.kind = AttentionKind::latent;
  a.q_lora_rank = size_or(json, "q_lora_rank", 0);
  a.kv_lora_rank = size(json, "kv_lora_rank");
  a.rope_dim = size(json, "qk_rope_head_dim");
  a.head_dim = size(json, "qk_nope_head_dim") + a.rope_dim;
  a.value_dim = size(json, "v_head_dim");
  a.kv_heads = a.heads;
}

/// Hidden size, vocabulary and attention, as most families name them.
void read_common(const JsonObject& json, ModelSpec& model) {
  model.hidden = size(json, "hidden_size");
  model.vocabulary = size(json, "vocab_size");
  model.tied_embeddings = json.flag_or("tie_word_embeddings", false);
  AttentionSpec& a = model.attention;
  a.heads = size(json, "num_attention_heads");
  if (json.has("kv_lora_rank"))
    return read_latent_attention(json, a);
  // Configs older than grouped queries do not know the key.
  const bool may_be_absent = model.family == "llama" || model.family == "minicpm";
  a.kv_heads = may_be_absent ? size_or(json, "num_key_value_heads", a.heads, 1)
                             : size(json, "num_key_value_heads");
  if (!json.has("head_dim") && model.hidden % a.heads != 0)
    json.fail("num_attention_heads",
              fmt::format("hidden_size {} is no multiple of {} heads, and head_dim is not given",
                          model.hidden, a.heads));
  a.head_dim = size_or(json, "head_dim", model.hidden / a.heads, 1);
  a.value_dim = a.head_dim;
  a.qkv_bias = json.flag_or("attention_bias", false);
  a.output_bias = a.qkv_bias;
  if (a.heads % a.kv_heads != 0)
    json.fail("num_key_value_heads",
              fmt::format("{} heads cannot share {} key/value heads", a.heads, a.kv_heads));
}

void read_mixtral(const JsonObject& json, ModelSpec& model) {
  read_common(json, model);
  model.experts.experts = size(json, "num_local_experts");
  model.experts.experts_per_token = size(json, "num_experts_per_tok");
  model.experts.expert_hidden = size(json, "intermediate_size");
  fill_layers(json, model, always);
}

void read_gpt_oss(const JsonObject& json, ModelSpec& model) {
  read_mixtral(json, model);
  model.attention.sinks = true;
  model.experts.router_bias = true;
  model.experts.expert_bias = true;
  model.experts.clamped = true;
  // Every other layer, the first one too, attends to a window.
  for (std::size_t layer = 0; layer < model.layers.size(); layer += 2)
    model.layers[layer].window = size_or(json, "sliding_window", 0);
}

void read_dense(const JsonObject& json, ModelSpec& model) {
  read_common(json, model);
  fill_layers(json, model, never);
}

void read_qwen2(const JsonObject& json, ModelSpec& model) {
  read_dense(json, model);
  model.attention.qkv_bias = true; // implied by the architecture, not in its config
}

void read_qwen3(const JsonObject& json, ModelSpec& model) {
  read_dense(json, model);
  model.attention.qk_norm = true;
}

/// Experts named num_experts, expert layers by decoder_sparse_step and mlp_only_layers.
void read_qwen_experts(const JsonObject& json, ModelSpec& model) {
  model.experts.experts = size(json, "num_experts");
  model.experts.experts_per_token = size(json, "num_experts_per_tok");
  model.experts.expert_hidden = size(json, "moe_intermediate_size");
  const std::int64_t step = size_or(json, "decoder_sparse_step", 1, 1);
  const std::vector<std::int64_t> dense = json.integers("mlp_only_layers");
  fill_layers(json, model, [&](std::int64_t layer) {
    return (layer + 1) % step == 0 && std::find(dense.begin(), dense.end(), layer) == dense.end();
  });
}

void read_qwen2_moe(const JsonObject& json, ModelSpec& model) {
  read_common(json, model);
  model.attention.qkv_bias = true;
  model.experts.shared_hidden = size(json, "shared_expert_intermediate_size", 0);
  model.experts.shared_gate = model.experts.shared_hidden > 0;
  read_qwen_experts(json, model);
}

void read_qwen3_moe(const JsonObject& json, ModelSpec& model) {
  read_common(json, model);
  model.attention.qk_norm = true;
  read_qwen_experts(json, model);
}

/// OLMoE and MiniCPM: experts of the width that dense layers would have.
void read_plain_experts(const JsonObject& json, ModelSpec& model) {
  if (!json.has("num_experts")) {
    read_dense(json, model);
    return;
  }
  read_common(json, model);
  model.experts.experts = size(json, "num_experts");
  model.experts.experts_per_token = size(json, "num_experts_per_tok");
  model.experts.expert_hidden = size(json, "intermediate_size");
  fill_layers(json, model, always);
}

void read_deepseek(const JsonObject& json, ModelSpec& model) {
  // The first DeepSeek-MoE has plain attention; the later ones must say their ranks.
  if (model.family != "deepseek")
    size(json, "kv_lora_rank");
  read_common(json, model);
  ExpertSpec& e = model.experts;
  e.experts = size(json, "n_routed_experts");
  e.experts_per_token = size(json, "num_experts_per_tok");
  e.expert_hidden = size(json, "moe_intermediate_size");
  e.shared_hidden = size_or(json, "n_shared_experts", 0) * e.expert_hidden;
  e.groups = size_or(json, "n_group", 1, 1);
  e.groups_per_token = size_or(json, "topk_group", e.groups, 1);
  e.router_bias = json.text_or("topk_method", "") == "noaux_tc"; // arXiv 2412.19437, section 2.1.2
  const std::int64_t dense = size(json, "first_k_dense_replace", 0);
  const std::int64_t step = size_or(json, "moe_layer_freq", 1, 1);
  fill_layers(json, model, [&](std::int64_t layer) { return layer >= dense && layer % step == 0; });
}

/// Reads the config that `moesim import megatron` writes. Every choice of Megatron-Core's GPT model
/// has a key, since no architecture implies it.
void read_megatron(const JsonObject& json, ModelSpec& model) {
  read_common(json, model);
  AttentionSpec& a = model.attention;
  a.qkv_bias = a.qkv_bias || json.flag_or("qkv_bias", false);
  a.qk_norm = json.flag_or("use_qk_norm", false);
  model.feed_forward_matrices = json.flag_or("gated_mlp", true) ? 3 : 2;
  if (!json.has("num_experts")) {
    fill_layers(json, model, never);
    return;
  }
  ExpertSpec& e = model.experts;
  e.shared_hidden = size_or(json, "shared_expert_intermediate_size", 0);
  e.shared_gate = json.flag_or("shared_expert_gate", false);
  e.groups = size_or(json, "n_group", 1, 1);
  e.groups_per_token = size_or(json, "topk_group", e.groups, 1);
  e.router_bias = json.text_or("topk_method", "") == "noaux_tc";
  e.expert_bias = json.flag_or("mlp_bias", false);
  read_qwen_experts(json, model);
}

void read_switch(const JsonObject& json, ModelSpec& model) {
  model.hidden = size(json, "d_model");
  model.vocabulary = size(json, "vocab_size");
  model.tied_embeddings = json.flag_or("tie_word_embeddings", true);
  model.feed_forward_matrices = 2;
  const std::int64_t width = size(json, "d_ff");
  model.attention.heads = size(json, "num_heads");
  model.attention.kv_heads = model.attention.heads;
  model.attention.head_dim = size(json, "d_kv");
  model.attention.value_dim = model.attention.head_dim;
  model.experts.experts = size(json, "num_experts");
  model.experts.experts_per_token = size_or(json, "num_selected_experts", 1, 1);
  model.experts.expert_hidden = width;
  const auto add = [&](std::int64_t count, std::int64_t step, std::int64_t attention_blocks) {
    for (std::int64_t layer = 0; layer < count; ++layer) {
      const bool is_moe = step > 0 && (step == 1 || layer % step == 1);
      model.layers.push_back({is_moe, attention_blocks, is_moe ? 0 : width});
    }
  };
  add(size(json, "num_layers", 1, layers_max), size_or(json, "encoder_sparse_step", 2), 1);
  add(size(json, "num_decoder_layers", 1, layers_max), size_or(json, "decoder_sparse_step", 2), 2);
}

using Reader = void (*)(const JsonObject&, ModelSpec&);

const std::map<std::string, Reader>& readers() {
  static const std::map<std::string, Reader> known = {
      {"mixtral", read_mixtral},       {"phimoe", read_mixtral},
      {"llama", read_dense},           {"mistral", read_dense},
      {"qwen2", read_qwen2},           {"qwen3", read_qwen3},
      {"qwen2_moe", read_qwen2_moe},   {"qwen3_moe", read_qwen3_moe},
      {"deepseek", read_deepseek},     {"deepseek_v2", read_deepseek},
      {"deepseek_v3", read_deepseek},  {"kimi_k2", read_deepseek},
      {"gpt_oss", read_gpt_oss},       {"olmoe", read_plain_experts},
      {"minicpm", read_plain_experts}, {"switch_transformers", read_switch},
      {"megatron", read_megatron}};
  return known;
}

void check(const JsonObject& json, const ModelSpec& model) {
  if (const std::string reason = find_size_fault(model); !reason.empty())
    json.fail("model_type", reason);
  const ExpertSpec& e = model.experts;
  const auto key = [&](const char* first, const char* second) {
    return json.has(first) ? first : second;
  };
  if (e.experts_per_token > e.experts)
    json.fail(key("num_experts_per_tok", "num_selected_experts"),
              fmt::format("a token cannot go to {} of {} experts", e.experts_per_token, e.experts));
  if (e.experts % e.groups != 0 || e.groups_per_token > e.groups)
    json.fail(key("n_group", "topk_group"),
              fmt::format("{} experts cannot be taken from {} of {} groups", e.experts,
                          e.groups_per_token, e.groups));
}

} // namespace

ModelSpec read_model(const std::filesystem::path& config) {
  const JsonObject json = JsonObject::read(config);
  if (json.has("text_config"))
    json.fail("text_config", "a config that nests its language model is not supported",
              "save the text_config object as a config of its own");
  ModelSpec model;
  model.family = json.text("model_type");
  const std::filesystem::path full = std::filesystem::absolute(config).lexically_normal();
  model.name =
      full.stem() == "config" ? full.parent_path().filename().string() : full.stem().string();
  const auto reader = readers().find(model.family);
  if (reader == readers().end()) {
    std::vector<std::string> names;
    for (const auto& [name, read] : readers())
      names.push_back(name);
    const std::string nearest = suggest_name(model.family, names);
    json.fail("model_type", fmt::format("the family \"{}\" is not supported", model.family),
              fmt::format("{}{}supported: {}", nearest, nearest.empty() ? "" : " ",
                          fmt::join(names, ", ")));
  }
  reader->second(json, model);
  check(json, model);
  return model;
}

} // namespace moesim
