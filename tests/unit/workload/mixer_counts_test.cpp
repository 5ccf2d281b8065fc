#include "sim/workload/kernel.hpp"
#include "sim/workload/model_spec.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// One dense layer of hidden 10 and width 20 with an attention.
ModelSpec model_of(const AttentionSpec& attention) {
  ModelSpec model;
  model.hidden = 10;
  model.vocabulary = 100;
  model.attention = attention;
  model.layers = {{.dense_hidden = 20}};
  return model;
}

double attention_flops(const ModelSpec& model) {
  return flops_per_token_forward(model, 16).attention.value;
}
double attention_flops(const AttentionSpec& attention) {
  return attention_flops(model_of(attention));
}
std::int64_t attention_parameters(const AttentionSpec& attention) {
  return count_blocks(model_of(attention)).attention;
}

const AttentionSpec plain = {.heads = 4, .kv_heads = 2, .head_dim = 3, .value_dim = 3};

} // namespace

TEST_CASE("a query of a window meets the keys of its window, and fewer at the start") {
  // The first 4 of 16 queries meet half of 4 keys on average, the other 12 meet 4: 56 / 16.
  CHECK(mean_keys(16, 4) == 3.5);
  CHECK(mean_keys(16, 0) == 8.0);
  CHECK(mean_keys(16, 16) == 8.0);
  ModelSpec model = model_of(plain);
  // Projections 10·(12 + 6 + 6) + 12·10 = 360 multiply-adds; scores and values 4·(3 + 3) for each
  // key.
  CHECK(attention_flops(model) == 2 * (360 + 24 * 8));
  model.layers.front().window = 4;
  CHECK(attention_flops(model) == 2 * (360 + 24 * 3.5));
}

TEST_CASE("tokens of a chunk meet half of it, and those of the last chunk half of what is left") {
  ModelSpec model = model_of(plain);
  model.layers.front().chunk = 6;
  // 16 tokens: two chunks of 6, one of 4. Keys: (12·3 + 4·2) / 16 = 2.75.
  CHECK(attention_flops(model) == 2 * (360 + 24 * 2.75));
  model.layers.front().chunk = 32;
  CHECK(attention_flops(model) == 2 * (360 + 24 * 8));
}

TEST_CASE("an indexer scores all pairs, and attention those that it leaves") {
  const AttentionSpec sparse = {.kind = AttentionKind::latent,
                                .heads = 4,
                                .kv_heads = 4,
                                .head_dim = 3,
                                .value_dim = 2,
                                .q_lora_rank = 6,
                                .kv_lora_rank = 5,
                                .rope_dim = 1,
                                .index_heads = 2,
                                .index_dim = 3,
                                .index_top = 4};
  // Queries 6·(10 + 12), latents 10·(5 + 1), keys and values 5·4·(2 + 2), output 4·2·10; the
  // indexer 2·3·6 + 10·(3 + 2).
  const std::int64_t matrices = 132 + 60 + 80 + 80 + 86;
  // Norms of the hidden size, of both latents, and of the indexer's key with its bias.
  CHECK(attention_parameters(sparse) == matrices + 10 + 6 + 5 + 6);
  // Attention 4·(3 + 2) for each of 3.5 keys, the indexer 2·3 for each of 8.
  CHECK(attention_flops(sparse) == 2 * (matrices + 20 * 3.5 + 6 * 8.0));
}

TEST_CASE("a gated delta net has a state of keys by values for each head") {
  const AttentionSpec delta = {.kind = AttentionKind::gated_delta,
                               .heads = 4,
                               .kv_heads = 2,
                               .head_dim = 3,
                               .value_dim = 5,
                               .convolution = 4};
  // Keys 6, values 20. Queries, keys, values and gates 10·(6 + 6 + 20 + 20), two numbers a head
  // 10·8, output 20·10.
  const std::int64_t matrices = 520 + 80 + 200;
  // The norm before, the convolution 4·(6 + 6 + 20), two numbers a head, a norm of 5.
  CHECK(attention_parameters(delta) == matrices + 10 + 128 + 8 + 5);
  // Four multiply-adds for each of 4·3·5 values of the states, and the convolution.
  CHECK(attention_flops(delta) == 2 * (matrices + 4 * 60 + 128));
}

TEST_CASE("lightning attention updates and reads its states") {
  const AttentionSpec lightning = {
      .kind = AttentionKind::lightning, .heads = 4, .kv_heads = 4, .head_dim = 5, .value_dim = 5};
  // Queries, keys, values and gates 10·80, output 20·10; norms of 10 and 20.
  CHECK(attention_parameters(lightning) == 1000 + 10 + 20);
  CHECK(attention_flops(lightning) == 2 * (1000 + 2 * 4 * 25));
}

TEST_CASE("Mamba takes seven operations for each value of its states") {
  const AttentionSpec second = {.kind = AttentionKind::mamba2,
                                .heads = 4,
                                .kv_heads = 2,
                                .head_dim = 3,
                                .value_dim = 5,
                                .convolution = 4};
  // Channels and gates 10·40, both ends of the state 10·12, time steps 10·4, output 20·10.
  const std::int64_t matrices = 400 + 120 + 40 + 200;
  // The convolution with its bias 5·32, three numbers a head, norms of 10 and 20.
  CHECK(attention_parameters(second) == matrices + 10 + 160 + 12 + 20);
  CHECK(attention_flops(second) == 2 * (matrices + 128) + 7 * 20 * 3);
  const AttentionSpec first = {.kind = AttentionKind::mamba1,
                               .heads = 1,
                               .kv_heads = 1,
                               .head_dim = 3,
                               .value_dim = 20,
                               .convolution = 4,
                               .time_rank = 2};
  // Channels and gates 10·40, from them 20·(2 + 3 + 3), time steps 2·20, output 20·10.
  const std::int64_t projections = 400 + 160 + 40 + 200;
  // The convolution 20·5, biases of time steps, decays 20·3, skips; norms of 10, 2, 3 and 3.
  CHECK(attention_parameters(first) == projections + 100 + 20 + 60 + 20 + 10 + 2 + 3 + 3);
  CHECK(attention_flops(first) == 2 * (projections + 80) + 7 * 20 * 3);
}

TEST_CASE("queries of a low rank, gates and values that are keys change the projections") {
  AttentionSpec step = {.heads = 4, .kv_heads = 1, .head_dim = 3, .value_dim = 3, .q_lora_rank = 6};
  // Queries 6·(10 + 12), keys and values 10·6, output 12·10; norms of 10 and 6.
  CHECK(attention_parameters(step) == 132 + 60 + 120 + 10 + 6);
  AttentionSpec gated = plain;
  gated.output_gate = true;
  CHECK(attention_parameters(gated) == 360 + 120 + 10);
  AttentionSpec tied = plain;
  tied.tied_values = true;
  CHECK(attention_parameters(tied) == 360 - 60 + 10);
  AttentionSpec normed = plain;
  normed.wide_qk_norm = true;
  CHECK(attention_parameters(normed) == 360 + 10 + 12 + 6);
}

TEST_CASE("layers of different kinds count each for itself") {
  ModelSpec model = model_of(plain);
  model.more_attention = {{.heads = 4, .kv_heads = 4, .head_dim = 3, .value_dim = 3}};
  model.layers = {{.attention_blocks = 1, .dense_hidden = 0},
                  {.attention_blocks = 0, .dense_hidden = 20},
                  {.dense_hidden = 20, .attention = 1}};
  const auto layer = [&](std::size_t number) {
    return layer_parameters(model, model.layers[number]).shared_by_tokens;
  };
  CHECK(layer(0) == 360 + 10);            // attention and its norm alone
  CHECK(layer(1) == 600 + 10);            // a feed-forward and its norm alone
  CHECK(layer(2) == 480 + 10 + 600 + 10); // 10·36 + 12·10 with as many heads of keys
}
