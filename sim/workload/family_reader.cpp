#include "sim/workload/model_family.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace moesim {

namespace {

/// A whole number of at most `most`, which no model of today exceeds. The product of a few such
/// sizes is exact.
constexpr std::int64_t size_max = 10'000'000;

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end)
    return std::nullopt;
  return value;
}

bool is_known(const JsonObject& json, const std::string& operand) {
  return whole_number(operand) || json.has(operand);
}
bool is_known(const JsonObject& json, const SizeTerm& term) {
  return is_known(json, term.left) && (term.operation == ' ' || is_known(json, term.right));
}

/// The value of a key or a literal. A list with an item for each layer counts as its item.
std::int64_t operand_value(const JsonObject& json, const std::string& operand, std::int64_t least,
                           std::int64_t most) {
  if (const auto literal = whole_number(operand))
    return *literal;
  const std::vector<std::string> items = json.items(operand);
  const bool list = json.is_list(operand) && items.size() > 1 && whole_number(items.front());
  if (list && std::adjacent_find(items.begin(), items.end(), std::not_equal_to<>()) != items.end())
    json.fail(operand,
              fmt::format("{} differs from layer to layer, which is not modelled", operand));
  const std::int64_t value = list ? *whole_number(items.front()) : json.integer(operand, least);
  if (value > most)
    json.fail(operand, fmt::format("{} must be at most {}, not {}", operand, most, value));
  return value;
}

/// Reads the sizes and flags of a config as a family names them.
class SizeReader {
public:
  SizeReader(const JsonObject& json, const FamilySizes& sizes, const FamilyFlags& flags)
      : json_(json), sizes_(sizes), flags_(flags) {}

  bool knows(const std::string& name) const { return sizes_.contains(name); }
  std::int64_t size(const std::string& name, std::int64_t least = 1) const {
    return value(sizes_.at(name), least, size_max);
  }
  std::int64_t size_or(const std::string& name, std::int64_t otherwise) const {
    return knows(name) ? size(name, 0) : otherwise;
  }
  std::int64_t value(const ConfigSize& size, std::int64_t least, std::int64_t most) const;
  bool flag(const std::string& name, bool otherwise = false) const;
  /// The key of the config that a size comes from, for errors.
  std::string key_of(const std::string& name) const;

private:
  const SizeTerm* known_term(const ConfigSize& size) const;

  const JsonObject& json_;
  const FamilySizes& sizes_;
  const FamilyFlags& flags_;
};

const SizeTerm* SizeReader::known_term(const ConfigSize& size) const {
  const auto known = std::find_if(size.begin(), size.end(),
                                  [&](const SizeTerm& term) { return is_known(json_, term); });
  return known == size.end() ? nullptr : &*known;
}

std::int64_t SizeReader::value(const ConfigSize& size, std::int64_t least,
                               std::int64_t most) const {
  const SizeTerm* term = known_term(size);
  if (!term) {
    std::vector<std::string> keys;
    for (const SizeTerm& missing : size)
      keys.push_back(fmt::format("\"{}\"", missing.left));
    json_.fail(size.front().left, fmt::format("the key {} is missing", fmt::join(keys, " or ")));
  }
  if (term->operation == ' ')
    return operand_value(json_, term->left, least, most);
  const std::int64_t left = operand_value(json_, term->left, least, most);
  const std::int64_t right =
      operand_value(json_, term->right, std::max<std::int64_t>(least, 1), most);
  if (term->operation == '*')
    return std::min(left * right, most);
  if (left % right != 0)
    json_.fail(term->right, fmt::format("{} {} is no multiple of {} {}, and {} is not given",
                                        term->left, left, term->right, right, size.front().left));
  return left / right;
}

bool SizeReader::flag(const std::string& name, bool otherwise) const {
  const auto found = flags_.find(name);
  if (found == flags_.end())
    return otherwise;
  const ConfigFlag& flag = found->second;
  if (!flag.value.empty())
    return json_.text_or(flag.keys.front(), "") == flag.value;
  if (flag.presence || flag.absence)
    return json_.has(flag.keys.front()) == flag.presence;
  if (flag.any)
    return std::any_of(flag.keys.begin(), flag.keys.end(),
                       [&](const std::string& key) { return json_.flag_or(key, false); });
  for (const std::string& key : flag.keys)
    if (json_.has(key))
      return json_.flag_or(key, false);
  return flag.otherwise;
}

std::string SizeReader::key_of(const std::string& name) const {
  if (!knows(name))
    return "model_type";
  const SizeTerm* term = known_term(sizes_.at(name));
  return term && term->operation != '/' ? term->left : sizes_.at(name).front().left;
}

AttentionKind kind_of(const SizeReader& reader, std::optional<AttentionKind> kind) {
  if (kind)
    return *kind;
  return reader.flag("latent") ? AttentionKind::latent : AttentionKind::grouped_query;
}

/// The width of a head of a state space.
std::int64_t split_width(const JsonObject& json, const SizeReader& reader, std::int64_t heads) {
  const std::int64_t inner = reader.size("inner");
  if (inner % heads != 0)
    json.fail(reader.key_of("heads"),
              fmt::format("{} channels are no multiple of {} heads", inner, heads));
  return inner / heads;
}

void read_head_sizes(const JsonObject& json, const SizeReader& reader, AttentionSpec& a) {
  switch (a.kind) {
  case AttentionKind::latent:
    a.kv_lora_rank = reader.size("kv_rank");
    a.rope_dim = reader.size("rope_dim");
    a.head_dim = reader.size("nope_dim") + a.rope_dim;
    a.value_dim = reader.size("value_dim");
    a.kv_heads = a.heads;
    return;
  case AttentionKind::grouped_query:
  case AttentionKind::lightning:
  case AttentionKind::gated_delta:
    a.kv_heads = reader.knows("kv_heads") ? reader.size("kv_heads") : a.heads;
    a.head_dim = reader.size("head_dim");
    a.value_dim = reader.knows("value_dim") ? reader.size("value_dim") : a.head_dim;
    return;
  case AttentionKind::mamba1:
  case AttentionKind::mamba2:
    a.kv_heads = reader.knows("kv_heads") ? reader.size("kv_heads") : 1;
    a.head_dim = reader.size("head_dim");
    a.value_dim = split_width(json, reader, a.heads);
    a.time_rank = reader.size_or("time_rank", 0);
    return;
  }
}

AttentionSpec read_attention(const JsonObject& json, const SizeReader& reader,
                             std::optional<AttentionKind> kind) {
  AttentionSpec a;
  a.kind = kind_of(reader, kind);
  a.heads = reader.size("heads");
  a.q_lora_rank = reader.size_or("q_rank", 0);
  read_head_sizes(json, reader, a);
  a.convolution = reader.size_or("convolution", 0);
  a.index_heads = reader.size_or("index_heads", 0);
  a.index_dim = reader.size_or("index_dim", 0);
  a.index_top = reader.size_or("index_top", 0);
  a.output_gate = reader.flag("output_gate");
  if (a.kind != AttentionKind::latent) {
    a.qkv_bias = reader.flag("qkv_bias");
    a.output_bias = reader.flag("output_bias");
    a.qk_norm = reader.flag("qk_norm");
    a.wide_qk_norm = reader.flag("wide_qk_norm");
    a.tied_values = reader.flag("tied_values");
    a.sinks = reader.flag("sinks");
  }
  if (a.heads % a.kv_heads != 0)
    json.fail(reader.key_of("kv_heads"),
              fmt::format("{} heads cannot share {} key/value heads", a.heads, a.kv_heads));
  return a;
}

void read_experts(const SizeReader& reader, ExpertSpec& e) {
  e.experts = reader.size("experts");
  e.experts_per_token = reader.size("experts_per_token");
  e.expert_hidden = reader.size("expert_hidden");
  e.shared_hidden = reader.size_or("shared_hidden", 0);
  e.shared_gate = e.shared_hidden > 0 && reader.flag("shared_gate");
  e.groups = reader.knows("groups") ? reader.size("groups") : 1;
  e.groups_per_token = reader.knows("groups_per_token") ? reader.size("groups_per_token") : 1;
  e.router_bias = reader.flag("router_bias");
  e.expert_bias = reader.flag("expert_bias");
  e.clamped = reader.flag("clamped");
}

/// Adds the layers of a stack, all with the family's first attention.
void add_stack(const JsonObject& json, const ModelFamily& family, const FamilyStack& stack,
               ModelSpec& model) {
  const SizeReader reader(json, family.sizes, family.flags);
  const std::int64_t count = reader.value(stack.layers, 1, layers_max);
  std::vector<bool> moe(static_cast<std::size_t>(count), false);
  if (reader.flag("moe", true))
    moe = chosen_layers(json, stack.moe, count);
  std::vector<bool> dense(moe.size(), true);
  if (family.dense_layers)
    dense = chosen_layers(json, *family.dense_layers, count);
  for (std::size_t layer = 0; layer < moe.size(); ++layer) {
    LayerSpec spec{moe[layer], stack.attention_blocks};
    if (family.dense_layers && (moe[layer] || dense[layer]))
      spec.attention_blocks = 0; // a layer has attention or a feed-forward
    if (!moe[layer] && dense[layer])
      spec.dense_hidden = reader.size("dense_hidden");
    spec.window = reader.size_or("window", 0);
    spec.chunk = reader.size_or("chunk", 0);
    model.layers.push_back(spec);
  }
}

/// Gives the layers of a mixer its attention.
void apply_mixer(const JsonObject& json, const ModelFamily& family, const FamilyMixer& mixer,
                 ModelSpec& model) {
  const auto count = static_cast<std::int64_t>(model.layers.size());
  const std::vector<bool> chosen = chosen_layers(json, mixer.layers, count);
  if (std::find(chosen.begin(), chosen.end(), true) == chosen.end())
    return;
  FamilySizes sizes = mixer.sizes;
  FamilyFlags flags = mixer.flags;
  sizes.insert(family.sizes.begin(), family.sizes.end());
  flags.insert(family.flags.begin(), family.flags.end());
  const SizeReader reader(json, sizes, flags);
  model.more_attention.push_back(read_attention(json, reader, mixer.kind));
  const std::size_t number =
      model.more_attention.back() == model.attention ? 0 : model.more_attention.size();
  if (number == 0)
    model.more_attention.pop_back();
  for (std::size_t layer = 0; layer < chosen.size(); ++layer)
    if (chosen[layer] && model.layers[layer].attention_blocks > 0) {
      model.layers[layer].attention = number;
      model.layers[layer].window = reader.size_or("window", 0);
      model.layers[layer].chunk = reader.size_or("chunk", 0);
    }
}

/// The layers whose items of a pattern choose them; nothing if the config has no such key and the
/// rule has another way. A number in its place is no pattern.
std::optional<std::vector<bool>> layers_by_pattern(const JsonObject& config, const LayerRule& rule,
                                                   std::int64_t count) {
  for (const std::string& key : rule.patterns) {
    const std::vector<std::string> items = config.items(key);
    if (items.size() < 2 && static_cast<std::int64_t>(items.size()) != count)
      continue;
    if (static_cast<std::int64_t>(items.size()) < count)
      config.fail(key, fmt::format("{} has {} items for {} layers", key, items.size(), count));
    std::vector<bool> chosen;
    for (std::size_t layer = 0; layer < static_cast<std::size_t>(count); ++layer)
      chosen.push_back(std::find(rule.items.begin(), rule.items.end(), items[layer]) !=
                       rule.items.end());
    return chosen;
  }
  const bool other_way = !rule.list.empty() || !rule.first.empty() || !rule.every.empty() ||
                         !rule.not_every.empty() || rule.patterns.empty();
  if (!other_way)
    config.fail(rule.patterns.front(),
                fmt::format("the key \"{}\" is missing", fmt::join(rule.patterns, "\" or \"")));
  return std::nullopt;
}

/// The numbers of layers that a key lists; none without a key. Throws for a layer that the model
/// does not have.
std::set<std::int64_t> layer_numbers(const JsonObject& config, const std::string& key,
                                     std::int64_t count) {
  std::set<std::int64_t> layers;
  for (const std::int64_t layer : key.empty() ? std::vector<std::int64_t>{} : config.integers(key))
    if (layer < 0 || layer >= count)
      config.fail(key, fmt::format("{} names layer {}, and the model has the layers 0 to {}", key,
                                   layer, count - 1));
    else
      layers.insert(layer);
  return layers;
}

void check_experts(const JsonObject& json, const SizeReader& reader, const ExpertSpec& e) {
  if (e.experts_per_token > e.experts)
    json.fail(reader.key_of("experts_per_token"),
              fmt::format("a token cannot go to {} of {} experts", e.experts_per_token, e.experts));
  if (e.experts % e.groups != 0 || e.groups_per_token > e.groups)
    json.fail(reader.key_of("groups"),
              fmt::format("{} experts cannot be taken from {} of {} groups", e.experts,
                          e.groups_per_token, e.groups));
}

void add_keys(const LayerRule& rule, std::set<std::string>& keys) {
  keys.insert({rule.list, rule.except});
  keys.insert(rule.patterns.begin(), rule.patterns.end());
  for (const ConfigSize* size :
       {&rule.first, &rule.last, &rule.every, &rule.not_every, &rule.offset})
    for (const SizeTerm& term : *size)
      keys.insert({term.left, term.right});
}
void add_keys(const FamilySizes& sizes, const FamilyFlags& flags, std::set<std::string>& keys) {
  for (const auto& [name, size] : sizes)
    for (const SizeTerm& term : size)
      keys.insert({term.left, term.right});
  for (const auto& [name, flag] : flags)
    keys.insert(flag.keys.begin(), flag.keys.end());
}

} // namespace

std::vector<bool> chosen_layers(const JsonObject& config, const LayerRule& rule,
                                std::int64_t count) {
  const FamilySizes no_sizes;
  const FamilyFlags no_flags;
  const SizeReader reader(config, no_sizes, no_flags);
  std::vector<bool> chosen(static_cast<std::size_t>(count), false);
  if (rule.none)
    return chosen;
  if (const auto matched = layers_by_pattern(config, rule, count))
    return *matched;
  const std::set<std::int64_t> listed = layer_numbers(config, rule.list, count);
  const std::set<std::int64_t> excepted = layer_numbers(config, rule.except, count);
  const auto number = [&](const ConfigSize& size, std::int64_t otherwise, std::int64_t least,
                          std::int64_t most) {
    return size.empty() ? otherwise : reader.value(size, least, most);
  };
  const std::int64_t first = number(rule.first, 0, 0, count);
  const std::int64_t last = number(rule.last, -1, -1, size_max);
  const bool inverse = rule.every.empty() && !rule.not_every.empty();
  const std::int64_t step = number(inverse ? rule.not_every : rule.every, 1, 1, size_max);
  const std::int64_t offset = number(rule.offset, 0, -1, size_max);
  for (std::int64_t layer = 0; layer < count; ++layer) {
    const bool fits = listed.empty() ? (step > 0 && (layer - offset) % step == 0) != inverse &&
                                           layer >= first && (last < 0 || layer <= last)
                                     : listed.contains(layer);
    chosen[static_cast<std::size_t>(layer)] = fits && !excepted.contains(layer);
  }
  return chosen;
}

void read_sizes(const JsonObject& config, const ModelFamily& family, ModelSpec& model) {
  const SizeReader reader(config, family.sizes, family.flags);
  model.hidden = reader.size("hidden");
  model.vocabulary = reader.size("vocabulary");
  model.tied_embeddings = reader.flag("tied_embeddings");
  model.feed_forward_matrices = reader.flag("gated", true) ? 3 : 2;
  model.embedding_is_active = reader.flag("active_embedding", true);
  model.head_is_active = reader.flag("active_head", true);
  model.attention = read_attention(config, reader, family.kind);
  for (const FamilyStack& stack : family.stacks)
    add_stack(config, family, stack, model);
  for (const FamilyMixer& mixer : family.mixers)
    apply_mixer(config, family, mixer, model);
  if (!model.is_moe())
    return;
  read_experts(reader, model.experts);
  check_experts(config, reader, model.experts);
}

std::set<std::string> keys_of(const ModelFamily& family) {
  std::set<std::string> keys = family.ignores;
  add_keys(family.sizes, family.flags, keys);
  for (const FamilyStack& stack : family.stacks)
    add_keys(stack.moe, keys);
  if (family.dense_layers)
    add_keys(*family.dense_layers, keys);
  for (const FamilyMixer& mixer : family.mixers) {
    add_keys(mixer.sizes, mixer.flags, keys);
    add_keys(mixer.layers, keys);
  }
  keys.erase("");
  return keys;
}

} // namespace moesim
