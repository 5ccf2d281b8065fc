#pragma once

#include "sim/input/json_document.hpp"
#include "sim/workload/model_spec.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace moesim {

/// A whole number, or two that are multiplied or divided. Each is a key of a config or a literal.
struct SizeTerm {
  std::string left;
  std::string right = "";
  char operation = ' '; ///< ' ', '*' or '/'
};
/// A size of a config: the first term whose keys the config has. The last may be a literal.
using ConfigSize = std::vector<SizeTerm>;

/// A yes or no of a config: the value of the first key that it has, else `otherwise`.
struct ConfigFlag {
  std::vector<std::string> keys;
  bool otherwise = false;
  std::string value = ""; ///< the flag is whether the key holds this text
  bool presence = false;  ///< the flag is whether the key is there at all
  bool absence = false;   ///< the flag is whether it is not
  bool any = false;       ///< the flag is whether one of the keys is true
};

/// A choice of layers by their numbers from 0. Of the ways that are given, the first that the
/// config has keys for decides: `patterns`, `list`, then the numbers. No way at all: every layer.
struct LayerRule {
  bool none = false;
  /// Keys with an item for each layer, of which configs have one, and the items that choose a
  /// layer.
  std::vector<std::string> patterns = {};
  std::vector<std::string> items = {};
  std::string list = "";     ///< a key with the numbers of the layers
  ConfigSize first = {};     ///< the first layer
  ConfigSize last = {};      ///< the last layer; -1: that of the model
  ConfigSize every = {};     ///< layers n for which n - offset is a multiple; of 0 there is none
  ConfigSize not_every = {}; ///< layers for which it is not
  ConfigSize offset = {};
  std::string except = ""; ///< a key with the numbers of layers that are left out
};

/// Sizes and flags by their names in family files.
using FamilySizes = std::map<std::string, ConfigSize>;
using FamilyFlags = std::map<std::string, ConfigFlag>;

/// A kind of attention that some layers have instead of the family's first one.
struct FamilyMixer {
  std::string name;
  LayerRule layers;
  FamilySizes sizes = {}; ///< laid over those of the family
  FamilyFlags flags = {};
  std::optional<AttentionKind> kind = std::nullopt;
};

/// Layers that follow each other: an encoder and a decoder are two stacks.
struct FamilyStack {
  ConfigSize layers;
  std::int64_t attention_blocks = 1;
  LayerRule moe = {};
};

/// A published model, for tests: its counts must follow from its config.
struct PublishedModel {
  std::string name;
  std::string source;
  std::string total;           ///< billions of parameters, with the digits that are published
  std::string active;          ///< likewise; empty: not published
  std::string beside;          ///< billions of a vision model that the total counts; empty: none
  bool embeddings = true;      ///< whether the total counts the embedding and the head
  std::int64_t mtp_layers = 0; ///< layers of multi-token prediction that the total counts
  std::string config;          ///< JSON
};

/// A file of `workloads/families/`: how to read the configs of models of one architecture.
struct ModelFamily {
  std::filesystem::path file;
  std::vector<std::string> reads; ///< values of `model_type` or names of `architectures`
  FamilySizes sizes;
  FamilyFlags flags;
  std::optional<AttentionKind> kind = std::nullopt; ///< nothing: by the flag `latent`
  std::vector<FamilyStack> stacks;
  std::optional<LayerRule> dense_layers; ///< given: a layer has attention or a feed-forward
  std::vector<FamilyMixer> mixers;
  std::vector<std::string> plain_items; ///< items that stand for the family's first attention
  std::set<std::string> ignores;        ///< keys that stand for an architecture, and do not here
  std::vector<PublishedModel> published;
};

/// Keys of configs that stand for an architecture, and the words for it.
using ArchitectureKeys = std::map<std::string, std::string>;

/// All family files.
struct FamilyTable {
  std::vector<ModelFamily> families; ///< by file name
  ArchitectureKeys architecture;
  ArchitectureKeys experts; ///< keys that only families with experts read
  /// Items of a key with an item for each layer that stand for plain attention.
  std::map<std::string, std::vector<std::string>> plain_items;

  /// The family that reads a name; null if there is none.
  const ModelFamily* find(const std::string& name) const;
};

/// Reads the files of a folder whose text has one of `names`; without names, all. Throws InputError
/// for unknown keys and for two files that read the same name.
FamilyTable read_families(const std::filesystem::path& folder,
                          const std::vector<std::string>& names = {});

/// The families that ship: of the folder `workloads/families` nearest above the program. Each table
/// is read once.
const FamilyTable& shipped_families();
/// Those of them whose files have one of some names in their text. A file that has none is not
/// parsed.
const FamilyTable& shipped_families(const std::vector<std::string>& names);

/// The files of the families that ship, by name.
std::vector<std::filesystem::path> family_files();

/// Fills the sizes of a model from its config by a family. Throws InputError at the key at fault.
void read_sizes(const JsonObject& config, const ModelFamily& family, ModelSpec& model);

/// The numbers of the layers that a rule chooses of `count`, as flags.
std::vector<bool> chosen_layers(const JsonObject& config, const LayerRule& rule,
                                std::int64_t count);

/// Every key that the family may read.
std::set<std::string> keys_of(const ModelFamily& family);

} // namespace moesim
