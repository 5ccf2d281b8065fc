#include "sim/base/input_error.hpp"
#include "sim/workload/model_spec.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

/// Writes a config into a folder named after its test, so that tests can run side by side.
fs::path config_of(const std::string& test, const std::string& text) {
  const fs::path folder = fs::temp_directory_path() / ("moesim_model_config_" + test);
  fs::create_directories(folder);
  std::ofstream(folder / "config.json") << text;
  return folder / "config.json";
}

const std::string mixtral = R"({"model_type": "mixtral", "hidden_size": 64, "vocab_size": 100,
 "num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 2,
 "intermediate_size": 96, "num_local_experts": 4, "num_experts_per_tok": 2})";

const std::string deepseek = R"({"model_type": "deepseek_v3", "hidden_size": 64, "vocab_size": 100,
 "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 8,
 "intermediate_size": 256, "moe_intermediate_size": 32, "n_routed_experts": 16,
 "n_shared_experts": 2, "num_experts_per_tok": 4, "first_k_dense_replace": 1, "moe_layer_freq": 1,
 "q_lora_rank": null, "kv_lora_rank": 16, "qk_nope_head_dim": 12, "qk_rope_head_dim": 4,
 "v_head_dim": 10, "n_group": 4, "topk_group": 2, "topk_method": "noaux_tc"})";

/// Qwen3-MoE with a dense layer by step and one by list.
const std::string qwen = R"({"model_type": "qwen3_moe", "hidden_size": 64, "vocab_size": 100,
 "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 16,
 "intermediate_size": 256, "moe_intermediate_size": 32, "num_experts": 16,
 "num_experts_per_tok": 4, "decoder_sparse_step": 2, "mlp_only_layers": [3]})";

const std::string switch_base = R"({"model_type": "switch_transformers", "d_model": 64, "d_kv": 8,
 "d_ff": 128, "num_heads": 8, "vocab_size": 100, "num_layers": 4, "num_decoder_layers": 4,
 "num_experts": 8, "num_selected_experts": 1, "encoder_sparse_step": 2,
 "decoder_sparse_step": 2})";

/// The text with `old` in place of `now`.
std::string with(std::string text, const std::string& old, const std::string& now) {
  const std::size_t at = text.find(old);
  if (at == std::string::npos)
    throw std::logic_error("the text does not hold " + old);
  return text.replace(at, old.size(), now);
}

std::string without(const std::string& text, const std::string& key) {
  return with(text, '"' + key + '"', "\"_\"");
}

std::vector<bool> expert_layers(const ModelSpec& model) {
  std::vector<bool> moe;
  for (const LayerSpec& layer : model.layers)
    moe.push_back(layer.moe);
  return moe;
}

std::string message_of(const std::string& text) {
  const fs::path path = config_of("refused", text);
  try {
    read_model(path);
  } catch (const InputError& error) {
    return std::string(error.what()).substr(path.parent_path().string().size() + 1);
  }
  return "no error";
}

template <typename Change> ModelSpec overridden(const ModelSpec& model, Change change) {
  ModelOverrides overrides;
  change(overrides);
  return override_model(model, overrides);
}

struct Refusal {
  std::string rule;
  std::string text;
  std::string message;
};

/// One row for each rule.
const std::vector<Refusal> refusals = {
    {"a missing size", without(mixtral, "num_local_experts"),
     "config.json: error: the key \"num_local_experts\" is missing"},
    {"a missing number of key/value heads", without(mixtral, "num_key_value_heads"),
     "config.json: error: the key \"num_key_value_heads\" is missing"},
    {"a missing latent rank", without(deepseek, "kv_lora_rank"),
     "config.json: error: the key \"kv_lora_rank\" is missing"},
    {"a missing width of the dense layers", without(qwen, "intermediate_size"),
     "config.json: error: the key \"intermediate_size\" is missing"},
    {"a missing number of dense layers", without(deepseek, "first_k_dense_replace"),
     "config.json: error: the key \"first_k_dense_replace\" is missing"},
    {"a missing width", without(switch_base, "d_ff"),
     "config.json: error: the key \"d_ff\" is missing"},
    {"no family", "{\"hidden_size\": 64}", "config.json: error: the key \"model_type\" is missing"},
    {"a family that is not known", "{\"model_type\": \"mixtrall\"}",
     "config.json:1:2: error: the family \"mixtrall\" is not supported\n"
     "  {\"model_type\": \"mixtrall\"}\n"
     "   ^\n"
     "  hint: did you mean \"mixtral\"? supported: deepseek, deepseek_v2, deepseek_v3, gpt_oss, "
     "kimi_k2, llama, megatron, minicpm, mistral, mixtral, olmoe, phimoe, qwen2, qwen2_moe, "
     "qwen3, qwen3_moe, switch_transformers"},
    {"a nested language model", "{\"text_config\": {}, \"model_type\": \"llama4\"}",
     "config.json:1:2: error: a config that nests its language model is not supported\n"
     "  {\"text_config\": {}, \"model_type\": \"llama4\"}\n"
     "   ^\n"
     "  hint: save the text_config object as a config of its own"},
    {"more experts a token than there are",
     with(mixtral, "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 5"),
     "config.json:3:51: error: a token cannot go to 5 of 4 experts\n"
     "   \"intermediate_size\": 96, \"num_local_experts\": 4, \"num_experts_per_tok\": 5}\n"
     "                                                    ^"},
    {"heads that cannot share key/value heads",
     with(mixtral, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"),
     "config.json:2:52: error: 8 heads cannot share 3 key/value heads\n"
     "   \"num_hidden_layers\": 3, \"num_attention_heads\": 8, \"num_key_value_heads\": 3,\n"
     "                                                     ^"},
    {"a hidden size that is no multiple of the heads",
     with(mixtral, "\"hidden_size\": 64", "\"hidden_size\": 65"),
     "config.json:2:26: error: hidden_size 65 is no multiple of 8 heads, and head_dim is not "
     "given\n"
     "   \"num_hidden_layers\": 3, \"num_attention_heads\": 8, \"num_key_value_heads\": 2,\n"
     "                           ^"},
    {"groups that do not divide the experts", with(deepseek, "\"n_group\": 4", "\"n_group\": 3"),
     "config.json:6:20: error: 16 experts cannot be taken from 2 of 3 groups\n"
     "   \"v_head_dim\": 10, \"n_group\": 3, \"topk_group\": 2, \"topk_method\": \"noaux_tc\"}\n"
     "                     ^"},
    {"no layers", with(mixtral, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 0"),
     "config.json:2:2: error: num_hidden_layers must be at least 1, not 0\n"
     "   \"num_hidden_layers\": 0, \"num_attention_heads\": 8, \"num_key_value_heads\": 2,\n"
     "   ^"},
    {"more layers than any model has",
     with(mixtral, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 99999"),
     "config.json:2:2: error: num_hidden_layers must be at most 10000, not 99999\n"
     "   \"num_hidden_layers\": 99999, \"num_attention_heads\": 8, \"num_key_value_heads\": 2,\n"
     "   ^"},
    {"a size beyond any model's", with(mixtral, "\"vocab_size\": 100", "\"vocab_size\": 99999999"),
     "config.json:1:46: error: vocab_size must be at most 10000000, not 99999999\n"
     "  {\"model_type\": \"mixtral\", \"hidden_size\": 64, \"vocab_size\": 99999999,\n"
     "                                               ^"},
    {"sizes whose product is beyond any model's",
     with(with(mixtral, "\"num_local_experts\": 4", "\"num_local_experts\": 9999999"),
          "\"intermediate_size\": 96", "\"intermediate_size\": 9999999"),
     "config.json:1:2: error: the sizes make a model of more than 10,000 trillion parameters\n"
     "  {\"model_type\": \"mixtral\", \"hidden_size\": 64, \"vocab_size\": 100,\n"
     "   ^"},
};

} // namespace

TEST_CASE("a Mixtral config has experts in every layer and no dense width") {
  const ModelSpec model = read_model(config_of("mixtral", mixtral));
  CHECK(model.name == "moesim_model_config_mixtral");
  CHECK(model.family == "mixtral");
  CHECK(model.hidden == 64);
  CHECK(model.vocabulary == 100);
  CHECK_FALSE(model.tied_embeddings);
  CHECK(model.feed_forward_matrices == 3);
  CHECK(model.attention.kv_heads == 2);
  CHECK(model.attention.head_dim == 8); // 64 / 8
  CHECK(model.experts.experts == 4);
  CHECK(model.experts.experts_per_token == 2);
  CHECK(model.experts.expert_hidden == 96);
  CHECK(expert_layers(model) == std::vector<bool>{true, true, true});
  CHECK(model.layers[0].dense_hidden == 0);
  CHECK(model.is_moe());
}

TEST_CASE("a DeepSeek config has latent attention, shared experts and groups") {
  const ModelSpec model = read_model(config_of("deepseek", deepseek));
  CHECK(model.attention.kind == AttentionKind::latent);
  CHECK(model.attention.head_dim == 16); // 12 without position, 4 with it
  CHECK(model.attention.rope_dim == 4);
  CHECK(model.attention.value_dim == 10);
  CHECK(model.attention.kv_lora_rank == 16);
  CHECK(model.attention.q_lora_rank == 0);  // null: full rank
  CHECK(model.experts.shared_hidden == 64); // 2 of 32
  CHECK(model.experts.groups == 4);
  CHECK(model.experts.groups_per_token == 2);
  CHECK(model.experts.router_bias);
  CHECK(expert_layers(model) == std::vector<bool>{false, true, true, true});
  CHECK(model.layers[0].dense_hidden == 256);
  CHECK(model.layers[1].dense_hidden == 0);
}

TEST_CASE("the first DeepSeek-MoE has plain attention") {
  const std::string text = with(without(deepseek, "kv_lora_rank"), "deepseek_v3", "deepseek");
  CHECK(read_model(config_of("deepseek_moe", text)).attention.kind == AttentionKind::grouped_query);
}

TEST_CASE("a Qwen config has experts by step, except where its list says dense") {
  const ModelSpec model = read_model(config_of("qwen", qwen));
  // Step 2: layers 1, 3 and 5 of 0 … 5; the list takes 3 away.
  CHECK(expert_layers(model) == std::vector<bool>{false, true, false, false, false, true});
  CHECK(model.attention.head_dim == 16); // stated, not 64 / 8
  CHECK(model.attention.qk_norm);
  CHECK_FALSE(model.attention.qkv_bias);
}

TEST_CASE("a Qwen2 config has biases that it does not name") {
  const std::string qwen2 =
      with(qwen, "\"qwen3_moe\"", "\"qwen2_moe\", \"shared_expert_intermediate_size\": 128");
  const ModelSpec model = read_model(config_of("qwen2", qwen2));
  CHECK(model.attention.qkv_bias);
  CHECK_FALSE(model.attention.output_bias);
  CHECK(model.experts.shared_hidden == 128);
  CHECK(model.experts.shared_gate);
}

TEST_CASE("a Switch config is one stack, its decoder layers with two attention blocks") {
  const ModelSpec model = read_model(config_of("switch", switch_base));
  CHECK(expert_layers(model) ==
        std::vector<bool>{false, true, false, true, false, true, false, true});
  CHECK(model.layers[3].attention_blocks == 1);
  CHECK(model.layers[4].attention_blocks == 2);
  CHECK(model.feed_forward_matrices == 2);
  CHECK(model.tied_embeddings);
  CHECK(model.experts.experts_per_token == 1);
}

TEST_CASE("a GPT-OSS config has sinks, biases everywhere, and windows in every other layer") {
  const ModelSpec model = read_model(
      config_of("gpt_oss", with(mixtral, "\"mixtral\"",
                                "\"gpt_oss\", \"attention_bias\": true, \"sliding_window\": 128")));
  CHECK(model.attention.qkv_bias);
  CHECK(model.attention.output_bias);
  CHECK(model.attention.sinks);
  CHECK(model.experts.router_bias);
  CHECK(model.experts.expert_bias);
  CHECK(model.experts.clamped);
  CHECK(model.layers[0].window == 128);
  CHECK(model.layers[1].window == 0);
  CHECK(model.layers[2].window == 128);
}

TEST_CASE("a dense config has no experts, and may leave out what equals its heads") {
  const std::string llama =
      without(with(mixtral, "\"mixtral\"", "\"llama\""), "num_key_value_heads");
  const ModelSpec model = read_model(config_of("llama", llama));
  CHECK_FALSE(model.is_moe());
  CHECK(model.experts.experts == 0);
  CHECK(model.attention.kv_heads == 8);
  CHECK(model.layers[2].dense_hidden == 96);
}

TEST_CASE("MiniCPM is dense or not by its number of experts") {
  const std::string minicpm = with(mixtral, "\"mixtral\"", "\"minicpm\"");
  CHECK_FALSE(read_model(config_of("minicpm", minicpm)).is_moe());
  const std::string experts = with(minicpm, "num_local_experts", "num_experts");
  CHECK(read_model(config_of("minicpm", experts)).experts.experts == 4);
}

TEST_CASE("every config that cannot be read is refused with the key at fault") {
  for (const Refusal& row : refusals) {
    INFO(row.rule);
    CHECK(message_of(row.text) == row.message);
  }
}

TEST_CASE("overrides replace sizes, and shared experts follow the width") {
  const ModelSpec model = read_model(config_of("override", deepseek));
  const ModelSpec wider = overridden(model, [](ModelOverrides& o) {
    o.layers = 6;
    o.experts = 32;
    o.experts_per_token = 8;
    o.expert_hidden = 64;
  });
  CHECK(wider.layers.size() == 6);
  CHECK(wider.layers.back().moe);
  CHECK(wider.experts.experts == 32);
  CHECK(wider.experts.experts_per_token == 8);
  CHECK(wider.experts.expert_hidden == 64);
  CHECK(wider.experts.shared_hidden == 2 * 64);
  CHECK(overridden(model, [](ModelOverrides& o) { o.layers = 1; }).layers.size() == 1);
  CHECK(overridden(model, [](ModelOverrides& o) { o.shared_experts = 0; }).experts.shared_hidden ==
        0);
}

TEST_CASE(
    "one expert alone makes a layer dense, of its width; a shared expert keeps it an MoE layer") {
  const ModelSpec model = read_model(config_of("one", qwen));
  const auto with = [&](std::int64_t experts, std::int64_t shared) {
    return overridden(model, [&](ModelOverrides& overrides) {
      overrides.experts = experts;
      overrides.experts_per_token = 1;
      overrides.shared_experts = shared;
    });
  };
  const ModelSpec one = with(1, 0);
  CHECK_FALSE(one.is_moe());
  CHECK(one.layers.at(1).dense_hidden == 32);
  CHECK(one.layers.front().dense_hidden == 256);
  CHECK(with(1, 1).is_moe());
  CHECK(with(8, 0).is_moe());
}

TEST_CASE("overrides that make no sense are refused with the reason") {
  const ModelSpec moe = read_model(config_of("nonsense", deepseek));
  CHECK_THROWS_WITH(overridden(moe, [](ModelOverrides& o) { o.experts_per_token = 17; }),
                    "a token cannot go to 17 of 16 experts");
  CHECK_THROWS_WITH(overridden(moe, [](ModelOverrides& o) { o.experts = 18; }),
                    "18 experts cannot be split into the config's 4 groups");
  CHECK_THROWS_WITH(overridden(dense_twin(moe), [](ModelOverrides& o) { o.experts = 8; }),
                    "moesim_model_config_nonsense dense twin is dense: it has no experts to "
                    "override");
}

TEST_CASE(
    "the dense twin keeps the parameters of the experts, the active twin those of one token") {
  const ModelSpec moe = read_model(config_of("twins", mixtral));
  const ParameterCount count = count_parameters(moe);
  const std::int64_t routers = 3 * count.router;
  const ModelSpec dense = dense_twin(moe);
  CHECK_FALSE(dense.is_moe());
  CHECK(dense.layers[0].dense_hidden == 4 * 96);
  CHECK(count_parameters(dense).total == count.total - routers);
  const ModelSpec active = active_dense_twin(moe);
  CHECK(active.layers[0].dense_hidden == 2 * 96);
  CHECK(count_parameters(active).total == count.active - routers);
}

TEST_CASE("twins keep dense layers as they are and shared experts as a part of their width") {
  const ModelSpec dense = dense_twin(read_model(config_of("shared_twins", deepseek)));
  CHECK(dense.layers[0].dense_hidden == 256);
  CHECK(dense.layers[1].dense_hidden == 16 * 32 + 64);
}

TEST_CASE("every sample config is read, or refused with a message") {
  const char* samples = std::getenv("MOESIM_SAMPLES");
  if (!samples) {
    std::cout << "MOESIM_SAMPLES is not set: no sample configs were read\n";
    return;
  }
  int read = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(samples) / "hf_configs")) {
    INFO(entry.path());
    try {
      const ModelSpec model = read_model(entry.path());
      CHECK(count_parameters(model).total > 0);
      CHECK(count_parameters(model).active <= count_parameters(model).total);
      ++read;
    } catch (const InputError& error) {
      CHECK_FALSE(error.message().empty());
    }
  }
  CHECK(read > 0);
}
