#include "sim/input/json_document.hpp"
#include "sim/workload/model_family.hpp"
#include "sim/workload/model_spec.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace moesim {

namespace {

/// The keys under which configs of several models nest that of the language model.
constexpr std::array nesting_keys = {"text_config", "language_config", "llm_config"};

/// A config, and the language model that it describes.
struct LanguageConfig {
  JsonObject whole;
  JsonObject language; ///< `whole`, or an object that it nests
};

LanguageConfig read_language(const std::filesystem::path& config) {
  const JsonObject whole = JsonObject::read(config);
  for (const char* key : nesting_keys)
    if (const auto nested = whole.object(key))
      return {whole, *nested};
  return {whole, whole};
}

bool is_set(const JsonObject& config, const std::string& key) {
  const std::vector<std::string> items = config.items(key);
  return std::any_of(items.begin(), items.end(),
                     [](const std::string& item) { return item != "false" && item != "0"; });
}

/// Throws for a key that stands for an architecture that the family does not have.
void check_architecture(const JsonObject& config, const ModelFamily& family,
                        const FamilyTable& table) {
  const std::set<std::string> known = keys_of(family);
  const auto refuse = [&](const ArchitectureKeys& keys) {
    for (const auto& [key, words] : keys)
      if (!known.contains(key) && is_set(config, key))
        config.fail(key,
                    fmt::format("{} stands for {}, which {} does not have", key, words,
                                family.file.filename().string()),
                    "a family file of its own says how to read it");
  };
  refuse(table.architecture);
  if (!family.sizes.contains("experts"))
    refuse(table.experts);
  for (const auto& [key, plain] : table.plain_items) {
    std::vector<std::string> allowed = plain;
    allowed.insert(allowed.end(), family.plain_items.begin(), family.plain_items.end());
    const auto allow = [&](const LayerRule& rule) {
      if (std::find(rule.patterns.begin(), rule.patterns.end(), key) != rule.patterns.end())
        allowed.insert(allowed.end(), rule.items.begin(), rule.items.end());
    };
    for (const FamilyMixer& mixer : family.mixers)
      allow(mixer.layers);
    for (const FamilyStack& stack : family.stacks)
      allow(stack.moe);
    if (family.dense_layers)
      allow(*family.dense_layers);
    for (const std::string& item : config.items(key))
      if (std::find(allowed.begin(), allowed.end(), item) == allowed.end())
        config.fail(key, fmt::format("{}: {} does not know layers of the kind \"{}\"", key,
                                     family.file.filename().string(), item));
  }
}

/// Throws for a list with an item for each layer that has fewer: files of cut or joined models.
void check_items(const JsonObject& config, const ModelSpec& model, const FamilyTable& table) {
  for (const auto& [key, plain] : table.plain_items)
    if (const std::size_t items = config.items(key).size();
        items > 0 && items < model.layers.size())
      config.fail(key,
                  fmt::format("{} has {} items for {} layers", key, items, model.layers.size()));
}

ModelSpec read_as(const LanguageConfig& config, const ModelFamily& family,
                  const FamilyTable& table) {
  ModelSpec model;
  check_architecture(config.language, family, table);
  read_sizes(config.language, family, model);
  check_items(config.language, model, table);
  // A config of several models says for all of them whether embeddings are tied.
  if (!config.language.has("tie_word_embeddings") && config.whole.has("tie_word_embeddings"))
    model.tied_embeddings = config.whole.flag_or("tie_word_embeddings", false);
  if (const std::string reason = find_size_fault(model); !reason.empty())
    config.language.fail("model_type", reason);
  return model;
}

/// The name of the family that reads the config and knows most of its keys; "" if none reads it.
/// Families that know equally many rank by how few sizes, flags and keys they have.
std::string nearest_structure(const LanguageConfig& config, const FamilyTable& table) {
  std::string nearest;
  std::pair<std::int64_t, std::int64_t> best{0, 0};
  for (const ModelFamily& family : table.families) {
    try {
      read_as(config, family, table);
    } catch (const InputError&) {
      continue;
    }
    const std::set<std::string> keys = keys_of(family);
    const auto known = std::count_if(
        keys.begin(), keys.end(), [&](const std::string& key) { return config.language.has(key); });
    const auto named =
        static_cast<std::int64_t>(family.sizes.size() + family.flags.size() + keys.size());
    if (const std::pair<std::int64_t, std::int64_t> score{known, -named};
        nearest.empty() || score > best) {
      best = score;
      nearest = family.reads.front();
    }
  }
  return nearest;
}

/// The names by which a config may be read: those that it gives, or the one that is given for it.
std::vector<std::string> names_of(const LanguageConfig& config, const std::string& given) {
  if (!given.empty())
    return {given};
  if (config.whole.has("architectures") && !config.whole.is_list("architectures"))
    config.whole.fail("architectures", "architectures must be a list of names",
                      "as in [\"MixtralForCausalLM\"]");
  std::vector<std::string> names = config.whole.items("architectures");
  for (const JsonObject* object : {&config.language, &config.whole})
    if (object->has("model_type"))
      names.push_back(object->text("model_type"));
  return names;
}

[[noreturn]] void refuse_family(const LanguageConfig& config, const std::string& name, bool given,
                                const FamilyTable& table) {
  const std::string structure = given ? "" : nearest_structure(config, table);
  std::vector<std::string> names;
  for (const ModelFamily& family : table.families)
    names.insert(names.end(), family.reads.begin(), family.reads.end());
  std::sort(names.begin(), names.end());
  const std::string nearest = suggest_name(name, names);
  const std::string hint =
      structure.empty() ? fmt::format("{}{}supported: {}", nearest, nearest.empty() ? "" : " ",
                                      fmt::join(names, ", "))
                        : fmt::format("reads like \"{0}\": --set model.family=\"{0}\"", structure);
  const JsonObject& object = config.language.has("model_type") ? config.language : config.whole;
  object.fail("model_type", fmt::format("the family \"{}\" is not supported", name), hint);
}

} // namespace

std::string family_file(const std::string& family) {
  const ModelFamily* found = shipped_families({family}).find(family);
  return found ? "workloads/families/" + found->file.filename().string() : "";
}

ModelSpec read_model(const std::filesystem::path& path, const std::string& family_name) {
  const LanguageConfig config = read_language(path);
  const std::vector<std::string> names = names_of(config, family_name);
  if (names.empty())
    config.whole.text("model_type"); // throws
  const FamilyTable& table = shipped_families(names);
  const auto name = std::find_if(names.begin(), names.end(), [&](const std::string& candidate) {
    return table.find(candidate) != nullptr;
  });
  if (name == names.end())
    refuse_family(config, names.back(), !family_name.empty(), shipped_families());
  ModelSpec model = read_as(config, *table.find(*name), table);
  model.family = *name;
  const std::filesystem::path full = std::filesystem::absolute(path).lexically_normal();
  model.name =
      full.stem() == "config" ? full.parent_path().filename().string() : full.stem().string();
  return model;
}

} // namespace moesim
