#include "sim/workload/model_spec.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

/// A model by its published sizes.
struct Published {
  std::string name;
  std::string config;
  std::int64_t total;           ///< parameters; without multi-token prediction
  double train_gflop_per_token; ///< three forward passes at 4,096 tokens, causal
};

const std::string latent = R"("kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
 "v_head_dim": 128, "first_k_dense_replace": 1, "moe_layer_freq": 1, )";

/// The keys that the families share.
std::string sizes(std::int64_t layers, std::int64_t hidden, std::int64_t heads,
                  std::int64_t kv_heads, std::int64_t width) {
  return "\"num_hidden_layers\": " + std::to_string(layers) +
         ", \"hidden_size\": " + std::to_string(hidden) +
         ", \"num_attention_heads\": " + std::to_string(heads) +
         ", \"num_key_value_heads\": " + std::to_string(kv_heads) +
         ", \"intermediate_size\": " + std::to_string(width) + ", ";
}

const std::vector<Published> models = {
    {"deepseek-v2",
     sizes(60, 5120, 128, 128, 12288) + latent +
         R"("q_lora_rank": 1536, "n_routed_experts": 160, "n_shared_experts": 2,
            "num_experts_per_tok": 6, "moe_intermediate_size": 1536, "n_group": 8,
            "topk_group": 3, "vocab_size": 102400, "model_type": "deepseek_v2")",
     235'741'434'880, 155.3},
    {"deepseek-v2-lite",
     sizes(27, 2048, 16, 16, 10944) + latent +
         R"("q_lora_rank": null, "n_routed_experts": 64, "n_shared_experts": 2,
            "num_experts_per_tok": 6, "moe_intermediate_size": 1408,
            "vocab_size": 102400, "model_type": "deepseek_v2")",
     15'706'484'224, 16.41},
    {"deepseek-moe-16b",
     sizes(28, 2048, 16, 16, 10944) +
         R"("n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6,
            "moe_intermediate_size": 1408, "first_k_dense_replace": 1, "moe_layer_freq": 1,
            "vocab_size": 102400, "model_type": "deepseek")",
     16'375'728'128, 0.0},
    {"qwen1.5-moe",
     sizes(24, 2048, 16, 16, 5632) +
         R"("num_experts": 60, "num_experts_per_tok": 4, "moe_intermediate_size": 1408,
            "shared_expert_intermediate_size": 5632, "decoder_sparse_step": 1,
            "vocab_size": 151936, "model_type": "qwen2_moe")",
     14'315'784'192, 0.0},
    {"qwen2-57b",
     sizes(28, 3584, 28, 4, 18944) +
         R"("num_experts": 64, "num_experts_per_tok": 8, "moe_intermediate_size": 2560,
            "shared_expert_intermediate_size": 20480, "decoder_sparse_step": 1,
            "vocab_size": 151936, "model_type": "qwen2_moe")",
     57'408'658'944, 84.69},
    {"gpt-oss-20b",
     sizes(24, 2880, 64, 8, 2880) +
         R"("head_dim": 64, "attention_bias": true, "num_local_experts": 32,
            "num_experts_per_tok": 4, "vocab_size": 201088, "model_type": "gpt_oss")",
     20'914'757'184, 24.06},
    {"gpt-oss-120b",
     sizes(36, 2880, 64, 8, 2880) +
         R"("head_dim": 64, "attention_bias": true, "num_local_experts": 128,
            "num_experts_per_tok": 4, "vocab_size": 201088, "model_type": "gpt_oss")",
     116'829'156'672, 34.41},
    // Its norms on queries and keys, 65,536 parameters, are not in the config.
    {"olmoe",
     sizes(16, 2048, 16, 16, 1024) +
         R"("num_experts": 64, "num_experts_per_tok": 8, "vocab_size": 50304,
            "model_type": "olmoe")",
     6'919'096'320, 7.88},
    {"llama-3-8b", sizes(32, 4096, 32, 8, 14336) + R"("vocab_size": 128256, "model_type": "llama")",
     8'030'261'248, 0.0},
    {"llama-3.1-70b",
     sizes(80, 8192, 64, 8, 28672) + R"("vocab_size": 128256, "model_type": "llama")",
     70'553'706'496, 0.0},
    {"llama-3.1-405b",
     sizes(126, 16384, 128, 8, 53248) + R"("vocab_size": 128256, "model_type": "llama")",
     405'853'388'800, 0.0},
    {"qwen3-8b",
     sizes(36, 4096, 32, 8, 12288) +
         R"("head_dim": 128, "vocab_size": 151936, "model_type": "qwen3")",
     8'190'735'360, 0.0},
};

ModelSpec read(const Published& model) {
  const fs::path file =
      fs::temp_directory_path() / ("moesim_published_" + std::to_string(getpid()) + ".json");
  std::ofstream(file) << "{" << model.config << "}";
  ModelSpec spec = read_model(file);
  fs::remove(file);
  return spec;
}

} // namespace

TEST_CASE("models of every family have exactly their published parameters") {
  for (const Published& model : models) {
    INFO(model.name);
    CHECK(count_parameters(read(model)).total == model.total);
  }
}

TEST_CASE("training operations of every family agree with the published sums") {
  for (const Published& model : models)
    if (model.train_gflop_per_token > 0.0) {
      INFO(model.name);
      CHECK(3.0 * flops_per_token_forward(read(model), 4096).total().value / 1e9 ==
            Approx(model.train_gflop_per_token).epsilon(1e-3));
    }
}

TEST_CASE("published config files have exactly the counted parameters") {
  const char* samples = std::getenv("MOESIM_SAMPLES");
  if (!samples) {
    std::cout << "MOESIM_SAMPLES is not set: no sample configs were counted\n";
    return;
  }
  struct Row {
    std::string file;
    std::int64_t total;
  };
  const std::vector<Row> rows = {
      {"mixtral-8x7b-v0.1", 46'702'792'704}, {"mixtral-8x22b-v0.1", 140'620'634'112},
      {"deepseek-v3", 671'026'419'200},      {"deepseek-v2", 235'741'434'880},
      {"deepseek-v2-lite", 15'706'484'224},  {"deepseek-moe-16b", 16'375'728'128},
      {"qwen1.5-moe-a2.7b", 14'315'784'192}, {"qwen2-57b-a14b", 57'408'658'944},
      {"qwen3-30b-a3b", 30'532'122'624},     {"gpt-oss-20b", 20'914'757'184},
      {"gpt-oss-120b", 116'829'156'672},     {"olmoe-1b-7b", 6'919'096'320},
      {"llama-3.1-8b", 8'030'261'248},       {"llama-3.1-70b", 70'553'706'496},
      {"llama-3.1-405b", 405'853'388'800},   {"qwen3-8b", 8'190'735'360},
  };
  for (const Row& row : rows) {
    INFO(row.file);
    const fs::path path = fs::path(samples) / "hf_configs" / (row.file + ".json");
    CHECK(count_parameters(read_model(path)).total == row.total);
  }
}
