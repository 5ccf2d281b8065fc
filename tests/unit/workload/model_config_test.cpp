#include "sim/base/input_error.hpp"
#include "sim/workload/model_family.hpp"
#include "sim/workload/model_spec.hpp"

#include "tests/unit/workload/small_configs.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

std::string message_of(const std::string& text) {
  const fs::path path = config_of("refused", text);
  try {
    read_model(path);
  } catch (const InputError& error) {
    return std::string(error.what()).substr(path.parent_path().string().size() + 1);
  }
  return "no error";
}

struct Refusal {
  std::string rule;
  std::string text;
  std::string message;
};

/// Every name that a family file reads.
std::string supported() {
  std::vector<std::string> names;
  for (const ModelFamily& family : shipped_families().families)
    names.insert(names.end(), family.reads.begin(), family.reads.end());
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, ", "));
}

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
     "  hint: did you mean \"mixtral\"? supported: " +
         supported()},
    {"a family without a file that reads like another", with(mixtral, "\"mixtral\"", "\"new_moe\""),
     "config.json:1:2: error: the family \"new_moe\" is not supported\n"
     "  {\"model_type\": \"new_moe\", \"hidden_size\": 64, \"vocab_size\": 100,\n"
     "   ^\n"
     "  hint: reads like \"mixtral\": --set model.family=\"mixtral\""},
    {"a key of an architecture that the family does not have",
     with(mixtral, "\"mixtral\"", "\"mixtral\", \"index_topk\": 2048"),
     "config.json:1:27: error: index_topk stands for a sparse attention with an indexer, which "
     "mixtral.toml does not have\n"
     "  {\"model_type\": \"mixtral\", \"index_topk\": 2048, \"hidden_size\": 64, \"vocab_size\": "
     "100,\n"
     "                            ^\n"
     "  hint: a family file of its own says how to read it"},
    {"experts of a dense family", with(mixtral, "\"mixtral\"", "\"llama\""),
     "config.json:3:27: error: num_local_experts stands for experts, which llama.toml does not "
     "have\n"
     "   \"intermediate_size\": 96, \"num_local_experts\": 4, \"num_experts_per_tok\": 2}\n"
     "                            ^\n"
     "  hint: a family file of its own says how to read it"},
    {"channels that their heads do not divide",
     with(mixtral, "\"mixtral\"",
          "\"granitemoehybrid\", \"layer_types\": [\"mamba\", \"attention\", \"mamba\"],\n"
          " \"mamba_n_heads\": 3, \"mamba_expand\": 2, \"mamba_d_state\": 16"),
     "config.json:2:2: error: 128 channels are no multiple of 3 heads\n"
     "   \"mamba_n_heads\": 3, \"mamba_expand\": 2, \"mamba_d_state\": 16, \"hidden_size\": 64, "
     "\"vocab_size\": 100,\n"
     "   ^"},
    {"layers of several kinds without their pattern",
     with(without(deepseek, "kv_lora_rank"), "\"deepseek_v3\"", "\"nemotron_h\", \"head_dim\": 8"),
     "config.json: error: the key \"hybrid_override_pattern\" or \"layers_block_type\" is missing"},
    {"a kind of layers that the family does not know",
     with(mixtral, "\"mixtral\"", "\"mixtral\", \"layer_types\": [\"odd\"]"),
     "config.json:1:27: error: layer_types: mixtral.toml does not know layers of the kind \"odd\"\n"
     "  {\"model_type\": \"mixtral\", \"layer_types\": [\"odd\"], \"hidden_size\": 64, "
     "\"vocab_size\": 100,\n"
     "                            ^"},
    {"a missing size of a nested language model",
     "{\"text_config\": " + without(mixtral, "num_local_experts") + "}",
     "config.json:1:2: error: the key \"num_local_experts\" is missing\n"
     "  {\"text_config\": {\"model_type\": \"mixtral\", \"hidden_size\": 64, \"vocab_size\": 100,\n"
     "   ^"},
    {"a size that differs from layer to layer",
     with(mixtral, "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": [1, 2, 2]"),
     "config.json:3:51: error: num_experts_per_tok differs from layer to layer, which is not "
     "modelled\n"
     "   \"intermediate_size\": 96, \"num_local_experts\": 4, \"num_experts_per_tok\": [1, 2, 2]}\n"
     "                                                    ^"},
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
     "config.json:2:26: error: hidden_size 65 is no multiple of num_attention_heads 8, and "
     "head_dim is not given\n"
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
      without(without(with(mixtral, "\"mixtral\"", "\"llama\""), "num_key_value_heads"),
              "num_local_experts");
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

TEST_CASE("a nested language model is read itself, under its own family or the outer one") {
  const std::string nested =
      "{\"model_type\": \"a_vl_moe\", \"vision_config\": {\"hidden_size\": 5}, "
      "\"tie_word_embeddings\": true, \"text_config\": " +
      mixtral + "}";
  const ModelSpec model = read_model(config_of("nested", nested));
  CHECK(model.family == "mixtral");
  CHECK(model.hidden == 64);
  CHECK(model.tied_embeddings); // said for the whole
  const std::string outer =
      "{\"model_type\": \"mixtral\", \"llm_config\": " + without(mixtral, "model_type") + "}";
  CHECK(read_model(config_of("nested_outer", outer)).experts.experts == 4);
}

TEST_CASE("numbers as Python writes them do not hide a config") {
  const std::string text =
      with(mixtral, "\"mixtral\"", "\"mixtral\", \"limits\": [0.0, Infinity, -Infinity, NaN]");
  CHECK(read_model(config_of("python", text)).hidden == 64);
}

TEST_CASE("a family that is given stands for the config's own") {
  const fs::path config = config_of("given", with(mixtral, "\"mixtral\"", "\"new_moe\""));
  const ModelSpec model = read_model(config, "mixtral");
  CHECK(model.experts.experts == 4);
  CHECK(family_file(model.family) == "workloads/families/mixtral.toml");
}

TEST_CASE("a family that is given and has no file is refused with the nearest name") {
  const fs::path config = config_of("given_wrong", mixtral);
  CHECK_THROWS_WITH(read_model(config, "mixtrall"), Catch::Contains("did you mean \"mixtral\"?"));
}

TEST_CASE("layers that have attention, experts or a dense feed-forward have nothing else") {
  const std::string kinds =
      with(without(deepseek, "kv_lora_rank"), "\"deepseek_v3\"",
           "\"nemotron_h\", \"head_dim\": 8, \"layers_block_type\": [\"mamba\", \"moe\", "
           "\"attention\", \"mlp\"], \"mamba_num_heads\": 4, \"mamba_head_dim\": 16, "
           "\"n_groups\": 2, \"ssm_state_size\": 16, \"conv_kernel\": 4");
  const ModelSpec model = read_model(config_of("kinds", kinds));
  const auto has_attention = [&](std::size_t layer) {
    return model.layers[layer].attention_blocks > 0;
  };
  CHECK(has_attention(0));
  CHECK(model.attention_of(model.layers[0]).kind == AttentionKind::mamba2);
  CHECK_FALSE(model.layers[0].has_feed_forward());
  CHECK_FALSE(has_attention(1));
  CHECK(model.layers[1].moe);
  CHECK(model.attention_of(model.layers[2]).kind == AttentionKind::grouped_query);
  CHECK_FALSE(model.layers[2].has_feed_forward());
  CHECK_FALSE(has_attention(3));
  CHECK(model.layers[3].dense_hidden == 256);
  CHECK(model.feed_forward_matrices == 2);
}

TEST_CASE("layers of another kind have heads and windows of their own") {
  const std::string mimo = with(deepseek, "\"deepseek_v3\"",
                                "\"mimo_v2_flash\", \"head_dim\": 24, \"swa_head_dim\": 24, "
                                "\"swa_num_key_value_heads\": 4, \"sliding_window\": 128, "
                                "\"moe_layer_freq\": [0, 1, 1, 1], "
                                "\"hybrid_layer_pattern\": [0, 1, 1, 0]");
  const ModelSpec model = read_model(
      config_of("mimo", with(without(mimo, "kv_lora_rank"), "\"moe_layer_freq\": 1,", "")));
  CHECK(model.attention.kv_heads == 8);
  CHECK(model.attention_of(model.layers[1]).kv_heads == 4);
  CHECK(model.layers[0].window == 0);
  CHECK(model.layers[2].window == 128);
  CHECK(model.layers[3].attention == 0);
  CHECK(expert_layers(model) == std::vector<bool>{false, true, true, true});
}

TEST_CASE("every config that cannot be read is refused with the key at fault") {
  for (const Refusal& row : refusals) {
    INFO(row.rule);
    CHECK(message_of(row.text) == row.message);
  }
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
