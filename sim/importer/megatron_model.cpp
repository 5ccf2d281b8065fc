#include "sim/importer/megatron_config.hpp"
#include "sim/importer/megatron_layers.hpp"
#include "sim/workload/model_spec.hpp"

#include <stdexcept>

namespace moesim {

namespace {

/// Vocabulary with Megatron's padding, to a multiple of --make-vocab-size-divisible-by × the tensor
/// degree, so that all ranks hold the same part.
std::int64_t padded_vocabulary(const MegatronArguments& arguments, ConfigWriter& config) {
  if (arguments.has("padded-vocab-size"))
    return arguments.integer("padded-vocab-size");
  const auto tokenizer = arguments.known_tokenizer();
  const std::int64_t size =
      arguments.has("vocab-size") ? arguments.integer("vocab-size") : tokenizer.value().second;
  if (!arguments.has("vocab-size"))
    config.assume("vocab-size", size,
                  "vocab_size of the model of " + arguments.source_of(tokenizer->first));
  const std::int64_t step = arguments.integer_or("make-vocab-size-divisible-by", 128) *
                            arguments.integer_or("tensor-model-parallel-size", 1);
  return (size + step - 1) / step * step;
}

void add_latent_attention(const MegatronArguments& arguments, ConfigWriter& config) {
  if (arguments.has("q-lora-rank"))
    config.add("q_lora_rank", arguments.integer("q-lora-rank"));
  config.add("kv_lora_rank", arguments.integer("kv-lora-rank"));
  config.add("qk_nope_head_dim", config.size("qk-head-dim", 128));
  config.add("qk_rope_head_dim", config.size("qk-pos-emb-head-dim", 64));
  config.add("v_head_dim", config.size("v-head-dim", 128));
}

void add_attention(const MegatronArguments& arguments, std::int64_t hidden, ConfigWriter& config) {
  const std::int64_t heads = arguments.integer("num-attention-heads");
  const bool grouped = arguments.has("group-query-attention");
  config.add("num_attention_heads", heads);
  if (arguments.has("multi-latent-attention"))
    return add_latent_attention(arguments, config);
  if (!grouped && arguments.has("num-query-groups") &&
      arguments.integer("num-query-groups") != heads)
    config.table.values.push_back(
        {"", "", ValueOrigin::read,
         fmt::format("{} has no effect without --group-query-attention, in Megatron as here",
                     arguments.source_of("num-query-groups"))});
  config.add("num_key_value_heads", grouped ? arguments.integer_or("num-query-groups", 1) : heads);
  if (!arguments.has("kv-channels") && hidden % heads != 0)
    arguments.fail("num-attention-heads",
                   fmt::format("--hidden-size {} is no multiple of {} heads", hidden, heads),
                   "give the width of a head with --kv-channels");
  config.add("head_dim", arguments.integer_or("kv-channels", hidden / heads));
  config.add("attention_bias", !arguments.has("disable-bias-linear"));
  config.add("qkv_bias", arguments.has("add-qkv-bias"));
  config.add("use_qk_norm", arguments.has("qk-layernorm"));
}

bool is_gated(const MegatronArguments& arguments) {
  return arguments.has("swiglu") || arguments.has("quick-geglu");
}

/// Width of a dense feed-forward. Megatron's default is 4 × the hidden size; with a gate two thirds
/// of that, rounded down to a multiple of 64.
std::int64_t dense_width(const MegatronArguments& arguments, std::int64_t hidden,
                         ConfigWriter& config) {
  return config.size("ffn-hidden-size", is_gated(arguments) ? hidden * 8 / 3 / 64 * 64 : hidden * 4,
                     "Megatron's default for this hidden size");
}

void add_shared_experts(const MegatronArguments& arguments, ConfigWriter& config) {
  if (!arguments.has("moe-shared-expert-intermediate-size"))
    return;
  config.add("shared_expert_intermediate_size",
             arguments.integer("moe-shared-expert-intermediate-size", 0));
  config.add("shared_expert_gate", arguments.has("moe-shared-expert-gate"));
}

void add_router(const MegatronArguments& arguments, ConfigWriter& config) {
  if (arguments.has("moe-router-num-groups")) {
    config.add("n_group", arguments.integer("moe-router-num-groups"));
    config.add("topk_group", arguments.integer("moe-router-group-topk"));
  }
  if (arguments.has("moe-router-enable-expert-bias"))
    config.add_text("topk_method", "noaux_tc");
}

void add_experts(const MegatronArguments& arguments, std::int64_t layers, bool hybrid,
                 std::int64_t width, ConfigWriter& config) {
  config.add("num_experts", arguments.integer("num-experts"));
  config.add("num_experts_per_tok", config.size("moe-router-topk", 2));
  config.add("moe_intermediate_size", arguments.integer_or("moe-ffn-hidden-size", width));
  add_shared_experts(arguments, config);
  add_router(arguments, config);
  config.add("mlp_bias", !arguments.has("disable-bias-linear"));
  if (!arguments.has("moe-layer-freq") || hybrid)
    return;
  std::vector<std::int64_t> dense;
  try {
    const std::vector<bool> moe = parse_moe_layers(arguments.text("moe-layer-freq"), layers);
    for (std::size_t layer = 0; layer < moe.size(); ++layer)
      if (!moe[layer])
        dense.push_back(static_cast<std::int64_t>(layer));
  } catch (const std::invalid_argument& error) {
    arguments.fail("moe-layer-freq", fmt::format("--moe-layer-freq: {}", error.what()));
  }
  if (!dense.empty())
    config.add("mlp_only_layers", fmt::format("[{}]", fmt::join(dense, ", ")));
}

} // namespace

ImportedModel read_megatron_model(const MegatronArguments& arguments) {
  ConfigWriter config(arguments);
  config.table.values.push_back(
      {"config", "\"config.json\"", ValueOrigin::derived, "from the file's arguments"});
  ImportedModel model;
  const LayerKinds kinds = read_layer_kinds(arguments);
  const bool hybrid = !kinds.letters.empty();
  model.stages = kinds.stages;
  model.layers =
      hybrid ? static_cast<std::int64_t>(kinds.letters.size()) : arguments.integer("num-layers");
  if (model.layers > layers_max)
    arguments.fail("num-layers", fmt::format("--num-layers must be at most {}", layers_max));
  model.is_moe = arguments.has("num-experts") || kinds.has('E');
  const std::int64_t hidden = arguments.integer("hidden-size");
  config.add_text("model_type", hybrid ? "megatron_hybrid" : "megatron");
  config.add("hidden_size", hidden);
  config.add("num_hidden_layers", model.layers);
  add_attention(arguments, hidden, config);
  add_mixers(arguments, kinds, model.layers, config);
  const std::int64_t width = dense_width(arguments, hidden, config);
  config.add("intermediate_size", width);
  config.add("gated_mlp", is_gated(arguments));
  if (model.is_moe)
    add_experts(arguments, model.layers, hybrid, width, config);
  if (arguments.has("mtp-num-layers")) {
    const std::int64_t layers = arguments.integer("mtp-num-layers", 0);
    if (hybrid && layers > 0)
      arguments.fail("mtp-num-layers", "multi-token prediction of a hybrid model is not modelled");
    config.add("num_nextn_predict_layers", layers);
    config.table.values.push_back({"mtp_layers", std::to_string(layers), ValueOrigin::read,
                                   arguments.source_of("mtp-num-layers")});
  }
  config.add("vocab_size", padded_vocabulary(arguments, config));
  config.add("tie_word_embeddings", !arguments.has("untie-embeddings-and-output-weights"));
  model.config = config.text();
  model.table = std::move(config.table);
  return model;
}

ImportedModel read_published_model(const MegatronArguments& arguments,
                                   const std::filesystem::path& config) {
  const ModelSpec spec = read_model(config);
  ImportedModel model;
  model.layers = static_cast<std::int64_t>(spec.layers.size());
  model.is_moe = spec.is_moe();
  model.table = {"model",
                 {{"config", fmt::format("\"{}\"", config.generic_string()), ValueOrigin::read,
                   "given with --model"}}};
  if (arguments.has("mtp-num-layers"))
    model.table.values.push_back({"mtp_layers",
                                  std::to_string(arguments.integer("mtp-num-layers", 0)),
                                  ValueOrigin::read, arguments.source_of("mtp-num-layers")});
  return model;
}

} // namespace moesim
