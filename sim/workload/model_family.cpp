#include "sim/workload/model_family.hpp"

#include "sim/input/file_text.hpp"
#include "sim/input/named_file.hpp"
#include "sim/input/toml_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The file of keys that stand for an architecture, beside the families.
constexpr const char* architecture_file = "architecture.toml";

constexpr std::array size_names = {
    "hidden",          "vocabulary",        "layers",        "heads",         "kv_heads",
    "head_dim",        "nope_dim",          "rope_dim",      "value_dim",     "inner",
    "q_rank",          "kv_rank",           "window",        "chunk",         "index_heads",
    "index_dim",       "index_top",         "convolution",   "time_rank",     "dense_hidden",
    "experts",         "experts_per_token", "expert_hidden", "shared_hidden", "groups",
    "groups_per_token"};

constexpr std::array flag_names = {
    "latent",           "moe",         "tied_embeddings", "gated",        "qkv_bias",
    "output_bias",      "sinks",       "qk_norm",         "wide_qk_norm", "output_gate",
    "tied_values",      "shared_gate", "router_bias",     "expert_bias",  "clamped",
    "active_embedding", "active_head"};

SizeTerm term_of(const std::string& text) {
  for (const char operation : {'*', '/'})
    if (const std::size_t at = text.find(fmt::format(" {} ", operation)); at != std::string::npos)
      return {text.substr(0, at), text.substr(at + 3), operation};
  return {text};
}

ConfigSize parse_size(const TomlTable& table, const std::string& key) {
  if (!table.is_list(key))
    return {term_of(table.value(key).text)};
  ConfigSize size;
  for (const TomlValue& value : table.list(key))
    size.push_back(term_of(value.text));
  return size;
}

ConfigSize optional_size(const TomlTable& table, const std::string& key) {
  return table.has(key) ? parse_size(table, key) : ConfigSize{};
}

std::vector<std::string> texts(const TomlTable& table, const std::string& key) {
  std::vector<std::string> list;
  for (const TomlValue& value :
       table.is_list(key) ? table.list(key) : std::vector{table.value(key)})
    list.push_back(value.text);
  return list;
}

ConfigFlag parse_flag(const TomlTable& table, const std::string& key) {
  if (table.is_table(key)) {
    const TomlTable rule = table.table(key);
    ConfigFlag flag;
    flag.presence = rule.has("has");
    flag.absence = rule.has("lacks");
    flag.any = rule.has("any");
    if (flag.any) {
      flag.keys = texts(rule, "any");
    } else if (flag.presence || flag.absence) {
      flag.keys = {rule.text(flag.presence ? "has" : "lacks")};
    } else {
      flag.keys = {rule.text("key")};
      flag.value = rule.text("is");
    }
    rule.finish();
    return flag;
  }
  ConfigFlag flag;
  for (const TomlValue& value :
       table.is_list(key) ? table.list(key) : std::vector{table.value(key)}) {
    if (value.is_string)
      flag.keys.push_back(value.text);
    else if (value.text == "true" || value.text == "false")
      flag.otherwise = value.text == "true";
    else
      table.fail(key, fmt::format("{} must be a key of a config, true or false", key));
  }
  return flag;
}

LayerRule parse_rule(const TomlTable& table) {
  LayerRule rule;
  rule.none = table.flag_or("none", false);
  if (table.has("pattern")) {
    rule.patterns = texts(table, "pattern");
    rule.items = texts(table, "is");
  }
  rule.list = table.text_or("list", "");
  rule.first = optional_size(table, "first");
  rule.last = optional_size(table, "last");
  rule.every = optional_size(table, "every");
  rule.not_every = optional_size(table, "not_every");
  rule.offset = optional_size(table, "offset");
  rule.except = table.text_or("except", "");
  table.finish();
  return rule;
}

/// Lays the sizes and flags of a table over those known so far.
void lay_over(const TomlTable& table, FamilySizes& sizes, FamilyFlags& flags) {
  for (const char* name : size_names)
    if (table.has(name))
      sizes[name] = parse_size(table, name);
  for (const char* name : flag_names)
    if (table.has(name))
      flags[name] = parse_flag(table, name);
}

FamilyMixer parse_mixer(const std::string& name, const TomlTable& table) {
  FamilyMixer mixer{name, parse_rule(table.table("only"))};
  if (table.has("kind"))
    mixer.kind = chosen(table, "kind", attention_kind_names);
  lay_over(table, mixer.sizes, mixer.flags);
  table.finish();
  return mixer;
}

FamilyStack parse_stack(const TomlTable& table) {
  FamilyStack stack{parse_size(table, "layers")};
  stack.attention_blocks = table.integer_or("attention_blocks", {1, 2}, 1);
  stack.moe = parse_rule(table.table("moe_layers"));
  table.finish();
  return stack;
}

PublishedModel parse_published(const TomlTable& table) {
  PublishedModel model{.name = table.text("name"),
                       .source = table.text("source"),
                       .total = table.text("total"),
                       .active = table.text_or("active", ""),
                       .beside = table.text_or("beside", ""),
                       .embeddings = table.flag_or("embeddings", true),
                       .mtp_layers = table.integer_or("mtp_layers", {0, 10}, 0),
                       .config = table.json("config")};
  table.finish();
  return model;
}

/// Reads what describes an architecture: all but the names and the published models.
void parse_architecture(const TomlTable& root, ModelFamily& family) {
  lay_over(root, family.sizes, family.flags);
  if (root.has("kind"))
    family.kind = chosen(root, "kind", attention_kind_names);
  if (root.has("moe_layers"))
    family.stacks = {{{}, 1, parse_rule(root.table("moe_layers"))}};
  if (const std::vector<TomlTable> stacks = root.tables("stack"); !stacks.empty()) {
    family.stacks.clear();
    for (const TomlTable& stack : stacks)
      family.stacks.push_back(parse_stack(stack));
  } else if (family.stacks.size() == 1 && family.sizes.contains("layers")) {
    family.stacks.front().layers = family.sizes["layers"];
  }
  if (root.has("dense_layers"))
    family.dense_layers = parse_rule(root.table("dense_layers"));
  if (const auto mixers = root.optional_table("mixers")) {
    family.mixers.clear();
    for (const std::string& name : mixers->keys())
      family.mixers.push_back(parse_mixer(name, mixers->table(name)));
    mixers->finish();
  }
  if (root.has("plain_items"))
    family.plain_items = texts(root, "plain_items");
  if (root.has("ignores"))
    for (const std::string& key : texts(root, "ignores"))
      family.ignores.insert(key);
}

/// Reads a file, and first the one that it is like. `known` has those that are read.
const ModelFamily& read_family(const fs::path& file, std::map<fs::path, ModelFamily>& known) {
  const auto [found, added] = known.try_emplace(file);
  if (!added && found->second.file.empty())
    throw InputError({file.string()}, "the family is like itself");
  if (!added)
    return found->second;
  const TomlTable root = TomlDocument::read(file).root();
  ModelFamily family;
  if (root.has("like"))
    family = read_named(root, "like", file.parent_path() / (root.text("like") + ".toml"),
                        [&](const fs::path& other) { return read_family(other, known); });
  family.file = file;
  family.reads = texts(root, "reads");
  family.published.clear();
  root.text("source");
  parse_architecture(root, family);
  for (const TomlTable& model : root.tables("published"))
    family.published.push_back(parse_published(model));
  for (const char* name : {"hidden", "vocabulary", "heads"})
    if (!family.sizes.contains(name))
      throw InputError({file.string()}, fmt::format("the family gives no size \"{}\"", name));
  if (family.stacks.empty() || family.stacks.front().layers.empty())
    throw InputError({file.string()}, "the family gives neither layers and moe_layers nor a stack");
  root.finish();
  return known[file] = std::move(family);
}

void read_architecture(const fs::path& file, FamilyTable& table) {
  const TomlTable root = TomlDocument::read(file).root();
  const TomlTable keys = root.table("keys");
  for (const std::string& key : keys.keys())
    table.architecture[key] = keys.text(key);
  const TomlTable experts = root.table("experts");
  for (const std::string& key : experts.keys())
    table.experts[key] = experts.text(key);
  const TomlTable plain = root.table("plain_items");
  for (const std::string& key : plain.keys())
    table.plain_items[key] = texts(plain, key);
  root.finish();
}

/// Whether the text of a family file has one of some names; true for no names.
bool may_read(const fs::path& file, const std::vector<std::string>& names) {
  if (names.empty())
    return true;
  const std::string text = read_file(file);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return text.find('"' + name + '"') != std::string::npos;
  });
}

/// The folder `workloads/families` nearest above the program.
fs::path find_folder() {
  for (fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
       folder != folder.root_path(); folder = folder.parent_path())
    if (fs::path families = folder / "workloads" / "families"; fs::is_directory(families))
      return families;
  throw InputError({"workloads/families"}, "no such folder above the program's own",
                   "keep the program inside its source tree");
}

} // namespace

const ModelFamily* FamilyTable::find(const std::string& name) const {
  for (const ModelFamily& family : families)
    if (std::find(family.reads.begin(), family.reads.end(), name) != family.reads.end())
      return &family;
  return nullptr;
}

FamilyTable read_families(const fs::path& folder, const std::vector<std::string>& names) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".toml" && entry.path().filename() != architecture_file &&
        may_read(entry.path(), names))
      files.insert(entry.path());
  FamilyTable table;
  std::map<fs::path, ModelFamily> known;
  for (const fs::path& file : files) {
    const ModelFamily& family = read_family(file, known);
    for (const std::string& name : family.reads)
      if (const ModelFamily* other = table.find(name))
        throw InputError({file.string()}, fmt::format("{} already reads \"{}\"",
                                                      other->file.filename().string(), name));
    table.families.push_back(family);
  }
  if (const fs::path file = folder / architecture_file; fs::exists(file))
    read_architecture(file, table);
  return table;
}

std::vector<fs::path> family_files() {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(find_folder()))
    if (entry.path().extension() == ".toml")
      files.insert(entry.path());
  return {files.begin(), files.end()};
}

const FamilyTable& shipped_families() {
  return shipped_families({});
}

const FamilyTable& shipped_families(const std::vector<std::string>& names) {
  static std::map<std::vector<std::string>, FamilyTable> tables;
  const auto known = tables.find(names);
  return known != tables.end()
             ? known->second
             : tables.emplace(names, read_families(find_folder(), names)).first->second;
}

} // namespace moesim
