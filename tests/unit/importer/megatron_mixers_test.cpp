#include "sim/importer/megatron_layers.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/workload/model_spec.hpp"
#include "tests/unit/importer/megatron_text.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace moesim;

namespace {

/// The model that a config.json of an import describes.
ModelSpec model_of(const std::string& arguments) {
  const TemporaryFolder folder;
  return read_model(folder.write("config.json", import_text(arguments).config));
}

/// The message of the refusal of arguments, without its source lines.
std::string refusal_of(const std::string& arguments) {
  try {
    import_text(arguments);
  } catch (const InputError& error) {
    return error.message();
  }
  return "";
}

std::int64_t layers_with(const ModelSpec& model, AttentionKind kind) {
  std::int64_t count = 0;
  for (const LayerSpec& layer : model.layers)
    count += layer.attention_blocks > 0 && model.attention_of(layer).kind == kind;
  return count;
}

const std::string training = " --seq-length 4096 --micro-batch-size 1 --global-batch-size 64 --bf16"
                             " --disable-bias-linear --untie-embeddings-and-output-weights ";

/// Qwen3-Next-80B-A3B without what tells its attention.
const std::string qwen3_next =
    "--num-layers 48 --hidden-size 2048 --ffn-hidden-size 5120 --num-attention-heads 16 "
    "--group-query-attention --num-query-groups 2 --kv-channels 256 --qk-layernorm --swiglu "
    "--num-experts 512 --moe-router-topk 10 --moe-ffn-hidden-size 512 --moe-shared-expert-gate "
    "--moe-shared-expert-intermediate-size 512 --vocab-size 151936" +
    training;

const std::string small_dense = "--hidden-size 512 --num-attention-heads 8 --ffn-hidden-size 1024 "
                                "--vocab-size 1024" +
                                training;

} // namespace

TEST_CASE("a hybrid pattern has the layers and sizes of the published model") {
  // Nemotron-3-Nano-30B-A3B: 23 Mamba-2, 23 of experts, 6 of attention; 31.6 B parameters.
  const ModelSpec model = model_of(
      "--hybrid-override-pattern MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME "
      "--num-layers 52 --hidden-size 2688 --ffn-hidden-size 1856 --num-attention-heads 32 "
      "--group-query-attention --num-query-groups 2 --kv-channels 128 --squared-relu "
      "--mamba-num-heads 64 --mamba-head-dim 64 --num-experts 128 --moe-ffn-hidden-size 1856 "
      "--moe-router-topk 6 --moe-shared-expert-intermediate-size 3712 --vocab-size 131072" +
      training);
  CHECK(layers_with(model, AttentionKind::mamba2) == 23);
  CHECK(layers_with(model, AttentionKind::grouped_query) == 6);
  CHECK(model.layers[1].moe);
  CHECK(model.layers[1].attention_blocks == 0);
  CHECK(model.layers[5].attention_blocks == 1);
  CHECK_FALSE(model.layers[5].has_feed_forward());
  CHECK(static_cast<double>(count_parameters(model).total) == Approx(31.6e9).epsilon(0.002));
}

TEST_CASE("gated delta nets stand in all but every fourth layer, as in the published model") {
  // The published config: 36 gated delta nets of 48 layers, 80 B parameters (79.67 B without
  // rounding).
  for (const char* attention :
       {"--experimental-attention-variant gated_delta_net --linear-attention-freq 4",
        "--linear-attention-type gated_delta_net --linear-attention-freq ([1]*3+[0]*1)*12",
        "--spec slime_plugins.models.qwen3_next get_qwen3_next_spec"}) {
    INFO(attention);
    const ModelSpec model = model_of(qwen3_next + "--attention-output-gate " + attention);
    CHECK(layers_with(model, AttentionKind::gated_delta) == 36);
    CHECK(model.attention_of(model.layers[0]).kind == AttentionKind::gated_delta);
    CHECK(model.attention_of(model.layers[3]).kind == AttentionKind::grouped_query);
    CHECK(model.attention.output_gate);
    const AttentionSpec& delta = model.attention_of(model.layers[0]);
    CHECK(delta.heads == 32);
    CHECK(delta.kv_heads == 16);
    CHECK(delta.convolution == 4);
    CHECK(static_cast<double>(count_parameters(model).total) == Approx(79.67e9).epsilon(0.001));
  }
}

TEST_CASE("a window holds in the layers that the argument does not skip") {
  const ModelSpec model =
      model_of("--num-layers 4 --window-size 128,0 --window-attn-skip-freq 2 " + small_dense);
  // Layers 2 and 4, counted from 1, see everything.
  CHECK(model.layers[0].window == 128);
  CHECK(model.layers[1].window == 0);
  CHECK(model.layers[2].window == 128);
  CHECK(model.layers[3].window == 0);
  CHECK(model_of("--num-layers 2 --window-size 64,0 " + small_dense).layers[1].window == 64);
  CHECK(model_of("--num-layers 2 --window-size -1,0 " + small_dense).layers[1].window == 0);
}

TEST_CASE("sparse attention has its indexer") {
  const ModelSpec model = model_of(
      "--num-layers 2 --multi-latent-attention --kv-lora-rank 128 --dsa-indexer-n-heads 8 "
      "--experimental-attention-variant dsa --dsa-indexer-head-dim 64 --dsa-indexer-topk 512 " +
      small_dense);
  CHECK(model.attention.kind == AttentionKind::latent);
  CHECK(model.attention.index_heads == 8);
  CHECK(model.attention.index_dim == 64);
  CHECK(model.attention.index_top == 512);
}

TEST_CASE("shares of a hybrid model are laid out as Megatron does") {
  // 8 layers, a quarter of attention: 2, between 3 runs of 6/3 = 2 Mamba: MM*MM*MM. Of the 6 two
  // become feed-forwards, each after (6 - 2)/2 = 2 Mamba.
  CHECK(allocate_hybrid_layers(8, 0.25, 0.25) == "MM*-M*M-");
  CHECK(allocate_hybrid_layers(6, 0.0, 0.0) == "MMMMMM");
  // examples/mamba/train.sh of Megatron-LM: 4 of attention, 24 feed-forwards.
  CHECK(allocate_hybrid_layers(48, 0.08, 0.5) ==
        "M-M-M--M-*M-M-M-M--*M-M-M-M-*M--M-M-M-*M-M--M-M-");
  const std::string ratios =
      "--num-layers 8 --hybrid-attention-ratio 0.25 --hybrid-mlp-ratio 0.25 ";
  const ModelSpec model =
      model_of(ratios + small_dense +
               "--spec megatron.core.models.mamba.mamba_layer_specs mamba_stack_spec");
  CHECK(layers_with(model, AttentionKind::mamba2) == 4);
  // Megatron's default: twice the hidden size of 512 in heads of 64.
  CHECK(model.attention_of(model.layers[0]).heads == 16);
}

TEST_CASE("stages that a pattern separates cut the pipeline, and its letters count the layers") {
  const ImportedScenario scenario = import_text(
      "--hybrid-layer-pattern M*-|M-|M*|-M --pipeline-model-parallel-size 2 " + small_dense);
  CHECK(value_of(scenario, "parallel.virtual_stages") == "2");
  CHECK(value_of(scenario, "parallel.layers_per_stage") == "[3, 2, 2, 2]");
  CHECK(scenario.config.find("\"num_hidden_layers\": 9") != std::string::npos);
}

TEST_CASE("layers that are not modelled are refused by name") {
  const std::string four = "--num-layers 4 " + small_dense;
  CHECK(refusal_of(four + "--hybrid-override-pattern M*-D") ==
        "--hybrid-override-pattern: a layer D is not modelled");
  CHECK(refusal_of(four + "--hybrid-layer-pattern M*-M/MM") ==
        "--hybrid-layer-pattern: multi-token prediction with layers of its own is not modelled");
  CHECK(refusal_of(four + "--hybrid-override-pattern M*-") ==
        "--hybrid-override-pattern has 3 layers, and --num-layers is 4");
  // A pattern without M is not Mamba, and is read.
  CHECK(refusal_of(four + "--hybrid-override-pattern *-*-").empty());
  CHECK(refusal_of(four + "--hybrid-override-pattern *-*- --num-experts 8") ==
        "--num-experts 8, and no layer of the pattern is E");
  CHECK(refusal_of(four + "--hybrid-override-pattern *-*- --mtp-num-layers 1") ==
        "multi-token prediction of a hybrid model is not modelled");
  CHECK(refusal_of(four + "--experimental-attention-variant dsv4_hybrid") ==
        "--experimental-attention-variant dsv4_hybrid is not modelled");
  CHECK(refusal_of(four + "--linear-attention-type kda") ==
        "--linear-attention-type kda is not modelled");
  CHECK(refusal_of(four + "--spec my.layers get_spec") ==
        "--spec my.layers get_spec: its layers are built by that code");
  CHECK(refusal_of(four + "--linear-attention-freq [1,0]") ==
        "--linear-attention-freq: it has 2 entries for 4 layers");
  CHECK(refusal_of(four + "--num-experts 8 --moe-latent-size 64") ==
        "--moe-latent-size 64 is not modelled: experts of another kind are not modelled");
}
