#include "sim/workload/model_spec.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

using namespace moesim;

namespace {

ModelSpec shipped(const std::string& name) {
  return read_model(std::filesystem::path(MOESIM_SOURCE_DIR) / "workloads" / name / "config.json");
}

/// Two layers, the first dense, small enough to be counted by hand.
ModelSpec tiny() {
  ModelSpec model;
  model.name = "tiny";
  model.family = "mixtral";
  model.hidden = 10;
  model.vocabulary = 100;
  model.attention = {.heads = 4, .kv_heads = 2, .head_dim = 3, .value_dim = 3};
  model.experts = {.experts = 8, .experts_per_token = 2, .expert_hidden = 5};
  model.layers = {{.moe = false, .dense_hidden = 20}, {.moe = true}};
  return model;
}

} // namespace

TEST_CASE("the parameters of a small model are those counted by hand") {
  const ParameterCount count = count_parameters(tiny());
  CHECK(count.embedding == 1000); // 100·10
  CHECK(count.head == 1000);
  // Query 10·12, key and value 10·6 each, output 12·10, norm 10.
  CHECK(count.attention == 120 + 60 + 60 + 120 + 10);
  CHECK(count.router == 80);  // 8·10
  CHECK(count.expert == 150); // 3·10·5
  CHECK(count.norm == 10);
  // Twice attention and norm; a dense feed-forward of 3·10·20; router and 8 experts; final norm.
  CHECK(count.total == 2000 + 2 * (370 + 10) + 600 + 80 + 8 * 150 + 10);
  CHECK(count.active == count.total - 6 * 150);
}

TEST_CASE("tied embeddings are counted once") {
  ModelSpec model = tiny();
  const std::int64_t untied = count_parameters(model).total;
  model.tied_embeddings = true;
  CHECK(count_parameters(model).head == 0);
  CHECK(count_parameters(model).total == untied - 1000);
}

TEST_CASE("biases, sinks, norms and gates add what they hold") {
  const std::int64_t plain = count_parameters(tiny()).total;
  const auto added = [&](auto&& change) {
    ModelSpec model = tiny();
    change(model);
    return count_parameters(model).total - plain;
  };
  CHECK(added([](ModelSpec& m) { m.attention.qkv_bias = true; }) == 2 * (12 + 6 + 6));
  CHECK(added([](ModelSpec& m) { m.attention.output_bias = true; }) == 2 * 10);
  CHECK(added([](ModelSpec& m) { m.attention.sinks = true; }) == 2 * 4);
  CHECK(added([](ModelSpec& m) { m.attention.qk_norm = true; }) == 2 * (3 + 3));
  CHECK(added([](ModelSpec& m) { m.experts.router_bias = true; }) == 8);
  CHECK(added([](ModelSpec& m) { m.experts.expert_bias = true; }) == 8 * (2 * 5 + 10));
  CHECK(added([](ModelSpec& m) { m.experts.shared_hidden = 7; }) == 3 * 10 * 7);
  CHECK(added([](ModelSpec& m) { m.experts.shared_gate = true; }) == 10);
  // A second attention block in the second layer, with its norm.
  CHECK(added([](ModelSpec& m) { m.layers[1].attention_blocks = 2; }) == 370);
}

TEST_CASE("latent attention has a low rank on both sides") {
  ModelSpec model = tiny();
  model.attention = {.kind = AttentionKind::latent,
                     .heads = 4,
                     .kv_heads = 4,
                     .head_dim = 5,
                     .value_dim = 3,
                     .q_lora_rank = 6,
                     .kv_lora_rank = 7,
                     .rope_dim = 2};
  // Queries 10·6 + 6·4·5; keys and values 10·(7 + 2) + 7·4·(3 + 3); output 4·3·10; norms 6 + 7
  // + 10.
  CHECK(count_parameters(model).attention == 60 + 120 + 90 + 168 + 120 + 23);
  model.attention.q_lora_rank = 0; // full-rank queries: 10·4·5, no norm of 6
  CHECK(count_parameters(model).attention == 200 + 90 + 168 + 120 + 17);
}

TEST_CASE("the layers and the ends add up to the total") {
  for (const std::string name : {"mixtral-8x7b", "deepseek-v3", "switch"}) {
    const ModelSpec model = shipped(name);
    const ParameterCount count = count_parameters(model);
    std::int64_t sum = count.embedding + count.head + model.hidden;
    for (const LayerSpec& layer : model.layers) {
      const LayerParameters part = layer_parameters(model, layer);
      CHECK((part.routed_experts > 0) == layer.moe);
      sum += part.shared_by_tokens + part.routed_experts;
    }
    INFO(name);
    CHECK(sum == count.total);
  }
}

TEST_CASE("the shipped models have their published numbers of parameters") {
  struct Row {
    std::string name;
    std::int64_t total;
    double published_active;
    double tolerance; ///< of the active count: how far its publication is rounded
  };
  // DeepSeek-V3 publishes 37 B, and 36.7 B with its weights; 36.63 B is 1.01 % below the first.
  const std::vector<Row> rows = {
      {"mixtral-8x7b", 46'702'792'704, 12.9e9, 0.01},
      {"mixtral-8x22b", 140'620'634'112, 39e9, 0.01},
      {"deepseek-v3", 671'026'419'200, 36.7e9, 0.01},
      {"qwen3-30b-a3b", 30'532'122'624, 3.3e9, 0.02},
      {"qwen3-235b-a22b", 235'093'634'560, 22e9, 0.01},
      {"llama-2-70b", 68'976'648'192, 69e9, 0.01},
  };
  for (const Row& row : rows) {
    const ParameterCount count = count_parameters(shipped(row.name));
    INFO(row.name);
    CHECK(count.total == row.total);
    CHECK(static_cast<double>(count.active) == Approx(row.published_active).epsilon(row.tolerance));
  }
  // Published as 7.4 B.
  CHECK(static_cast<double>(count_parameters(shipped("switch")).total) ==
        Approx(7.4e9).epsilon(0.01));
}

TEST_CASE("the forward operations of a small model are those counted by hand") {
  const TokenFlops flops = flops_per_token_forward(tiny(), 16);
  // Two blocks: projections 2·360; scores and values 2·4·(3 + 3)·16 over a causal half.
  CHECK(flops.attention.value == 2 * (720 + 384));
  CHECK(flops.router.value == 160); // 2·8·10
  CHECK(flops.expert.value == 600); // 2 experts of 2·150
  CHECK(flops.shared.value == 0);   // none
  CHECK(flops.dense.value == 1200); // 2·600
  CHECK(flops.head.value == 2000);  // 2·100·10
  CHECK(flops.total().value == 2208 + 160 + 600 + 1200 + 2000);
}

TEST_CASE("a tied head is computed all the same") {
  ModelSpec model = tiny();
  model.tied_embeddings = true;
  CHECK(flops_per_token_forward(model, 16).head.value == 2000);
}

TEST_CASE("training operations of the shipped models agree with the published sums") {
  struct Row {
    std::string name;
    double train_gflop_per_token; ///< three forward passes at 4,096 tokens, causal
  };
  const std::vector<Row> rows = {
      {"mixtral-8x7b", 79.71},  {"mixtral-8x22b", 242.18},   {"deepseek-v3", 250.45},
      {"qwen3-30b-a3b", 23.08}, {"qwen3-235b-a22b", 148.33}, {"llama-2-70b", 428.39},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(3.0 * flops_per_token_forward(shipped(row.name), 4096).total().value / 1e9 ==
          Approx(row.train_gflop_per_token).epsilon(1e-3));
  }
}
