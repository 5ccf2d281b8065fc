#include "sim/importer/megatron_config.hpp"
#include "sim/importer/megatron_layers.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace moesim {

namespace {

/// The layers that the code named by --spec builds.
enum class SpecKind { plain, hybrid, delta };

SpecKind spec_kind(const MegatronArguments& arguments) {
  if (!arguments.has("spec"))
    return SpecKind::plain;
  const std::string named = fmt::format("{}", fmt::join(arguments.list("spec"), " "));
  const auto names = [&](const char* text) { return named.find(text) != std::string::npos; };
  if (names("mamba_stack_spec") || names("hybrid_stack_spec"))
    return SpecKind::hybrid;
  // Code of slime: for Qwen3-Next and Qwen3.5 gated delta nets; for GLM-4 two more norms a layer.
  if (names("get_qwen3_next_spec") || names("get_qwen3_5_spec"))
    return SpecKind::delta;
  if (named != "local" && !names("get_glm_spec"))
    arguments.fail("spec", fmt::format("--spec {}: its layers are built by that code", named),
                   "a published config stands for it with --model CONFIG.json");
  return SpecKind::plain;
}

/// A share of the layers, from 0 to 1.
double share_of(const MegatronArguments& arguments, const std::string& name) {
  const double share = arguments.has(name) ? arguments.number(name) : 0.0;
  if (share < 0.0 || share > 1.0)
    arguments.fail(name, fmt::format("--{} must be 0 to 1", name));
  return share;
}

std::string pattern_argument(const MegatronArguments& arguments) {
  for (const char* name : {"hybrid-layer-pattern", "hybrid-override-pattern"})
    if (arguments.has(name))
      return name;
  return "";
}

/// The layers between the separators `|` of a pattern, none of whose parts may be empty.
std::vector<std::int64_t> stages_of(const std::string& pattern) {
  std::vector<std::int64_t> stages(1, 0);
  for (const char letter : pattern)
    if (letter == '|')
      stages.push_back(0);
    else
      ++stages.back();
  return stages.size() > 1 ? stages : std::vector<std::int64_t>{};
}

LayerKinds read_pattern(const MegatronArguments& arguments, const std::string& name) {
  std::string pattern = arguments.text(name);
  std::erase_if(pattern, [](char letter) { return is_one_of(letter, " '\""); });
  while (pattern.ends_with("/"))
    pattern.pop_back();
  if (const std::size_t other = pattern.find_first_not_of("M*-EG|"); other != std::string::npos)
    arguments.fail(name,
                   fmt::format("--{}: {} is not modelled", name,
                               pattern[other] == '/'
                                   ? "multi-token prediction with layers of its own"
                                   : fmt::format("a layer {}", pattern[other])),
                   "M is Mamba-2, G a gated delta net, * attention, E experts, - a feed-forward");
  LayerKinds kinds{pattern, stages_of(pattern)};
  std::erase(kinds.letters, '|');
  const auto count = static_cast<std::int64_t>(kinds.letters.size());
  if (arguments.has("num-layers") && arguments.integer("num-layers") != count)
    arguments.fail(name, fmt::format("--{} has {} layers, and --num-layers is {}", name, count,
                                     arguments.integer("num-layers")));
  if (arguments.has("num-experts") && !kinds.has('E'))
    arguments.fail(name,
                   fmt::format("--num-experts {}, and no layer of the pattern is E",
                               arguments.integer("num-experts")),
                   "where code around Megatron builds experts for -, write E: --with \"--" + name +
                       " PATTERN\"");
  return kinds;
}

void add_delta(const MegatronArguments& arguments, ConfigWriter& config) {
  if (arguments.has("linear-attention-type") &&
      arguments.text("linear-attention-type") != "gated_delta_net")
    arguments.fail("linear-attention-type",
                   fmt::format("--linear-attention-type {} is not modelled",
                               arguments.text("linear-attention-type")),
                   "gated_delta_net is");
  config.add("linear_conv_kernel_dim", config.size("linear-conv-kernel-dim", 4));
  config.add("linear_key_head_dim", config.size("linear-key-head-dim", 128));
  config.add("linear_value_head_dim", config.size("linear-value-head-dim", 128));
  config.add("linear_num_key_heads", config.size("linear-num-key-heads", 16));
  config.add("linear_num_value_heads", config.size("linear-num-value-heads", 32));
}

void add_mamba(const MegatronArguments& arguments, ConfigWriter& config) {
  const std::int64_t width = config.size("mamba-head-dim", 64);
  const std::int64_t inner = 2 * arguments.integer("hidden-size");
  config.add("mamba_head_dim", width);
  config.add("mamba_num_heads",
             config.size("mamba-num-heads", std::max<std::int64_t>(1, inner / width),
                         "Megatron's default: twice the hidden size in heads"));
  config.add("n_groups", config.size("mamba-num-groups", 8));
  config.add("ssm_state_size", config.size("mamba-state-dim", 128));
  config.add("conv_kernel", 4); // Megatron has no argument for it
}

/// Throws InputError for an attention that is neither plain, a gated delta net nor sparse.
std::string attention_variant(const MegatronArguments& arguments, SpecKind spec) {
  const char* name = "experimental-attention-variant";
  if (!arguments.has(name))
    return spec == SpecKind::delta || arguments.has("linear-attention-type") ||
                   arguments.has("linear-attention-freq")
               ? "gated_delta_net"
               : "";
  const std::string variant = arguments.text(name);
  if (variant != "gated_delta_net" && variant != "dsa")
    arguments.fail(name, fmt::format("--{} {} is not modelled", name, variant),
                   "gated_delta_net and dsa are");
  return variant;
}

void add_indexer(const MegatronArguments& arguments, ConfigWriter& config) {
  if (!arguments.has("multi-latent-attention"))
    arguments.fail("experimental-attention-variant", "dsa needs --multi-latent-attention");
  config.add("index_n_heads", arguments.integer("dsa-indexer-n-heads"));
  config.add("index_head_dim", arguments.integer("dsa-indexer-head-dim"));
  config.add("index_topk", arguments.integer("dsa-indexer-topk"));
}

/// The layers that an argument chooses: N for all but every N-th, or a list of 0 and 1.
std::vector<bool> chosen_by(const MegatronArguments& arguments, const std::string& name,
                            std::int64_t layers) {
  try {
    return parse_layers_but_every(arguments.text(name), layers);
  } catch (const std::invalid_argument& error) {
    arguments.fail(name, fmt::format("--{}: {}", name, error.what()));
  }
}

/// Adds `layer_types`: one item for chosen layers, another for the others.
void add_types(const std::vector<bool>& chosen, const char* item, ConfigWriter& config) {
  std::vector<std::string> types;
  for (const bool is : chosen)
    types.push_back(fmt::format("\"{}\"", is ? item : "full_attention"));
  config.add("layer_types", fmt::format("[{}]", fmt::join(types, ", ")));
}

/// The tokens before a token that --window-size lets it attend to; 0: all.
std::int64_t window_of(const MegatronArguments& arguments) {
  std::string sizes = arguments.text("window-size");
  std::erase_if(sizes, [](char letter) { return is_one_of(letter, "()[] "); });
  const std::string left = sizes.substr(0, sizes.find(','));
  if (left == "-1")
    return 0;
  if (left.empty() || left.size() > 7 || left.find_first_not_of("0123456789") != std::string::npos)
    arguments.fail("window-size", "--window-size must be two numbers, as in 128,0");
  return std::stoll(left);
}

} // namespace

LayerKinds read_layer_kinds(const MegatronArguments& arguments) {
  if (const std::string name = pattern_argument(arguments); !name.empty())
    return read_pattern(arguments, name);
  const double attention = share_of(arguments, "hybrid-attention-ratio");
  const double feed_forward = share_of(arguments, "hybrid-mlp-ratio");
  if (spec_kind(arguments) != SpecKind::hybrid && !arguments.has("is-hybrid-model") &&
      attention + feed_forward == 0.0)
    return {};
  if (attention + feed_forward > 1.0)
    arguments.fail("hybrid-mlp-ratio", "the two ratios of a hybrid model must be 1 together");
  return {allocate_hybrid_layers(arguments.integer("num-layers"), attention, feed_forward), {}};
}

void add_mixers(const MegatronArguments& arguments, const LayerKinds& kinds, std::int64_t layers,
                ConfigWriter& config) {
  const SpecKind spec = spec_kind(arguments);
  const std::string variant = attention_variant(arguments, spec);
  if (!kinds.letters.empty()) {
    config.add_text("hybrid_override_pattern", kinds.letters);
    if (kinds.has('M'))
      add_mamba(arguments, config);
    if (kinds.has('G'))
      add_delta(arguments, config);
  } else if (variant == "gated_delta_net") {
    add_delta(arguments, config);
    const std::string name = "linear-attention-freq";
    add_types(arguments.has(name)
                  ? chosen_by(arguments, name, layers)
                  : parse_layers_but_every(std::to_string(config.assume(
                                               name, 4, "as the models of this attention have it")),
                                           layers),
              "linear_attention", config);
  } else if (arguments.has("window-size") && window_of(arguments) > 0) {
    config.add("sliding_window", window_of(arguments));
    const std::string name = "window-attn-skip-freq";
    add_types(arguments.has(name) ? chosen_by(arguments, name, layers)
                                  : std::vector<bool>(static_cast<std::size_t>(layers), true),
              "sliding_attention", config);
  }
  if (variant == "dsa")
    add_indexer(arguments, config);
  if (arguments.has("attention-output-gate"))
    config.add("attn_output_gate", true);
}

} // namespace moesim
