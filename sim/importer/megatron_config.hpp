#pragma once

#include "sim/importer/imported_scenario.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

namespace moesim {

/// Writes the keys of a model's config in order, and collects the assumptions.
class ConfigWriter {
public:
  explicit ConfigWriter(const MegatronArguments& arguments) : arguments_(arguments) {}

  template <typename Value> void add(const std::string& key, const Value& value) {
    lines_.push_back(fmt::format("  \"{}\": {}", key, value));
  }
  void add_text(const std::string& key, const std::string& value) {
    lines_.push_back(fmt::format("  \"{}\": \"{}\"", key, value));
  }
  /// Returns the size that an argument gives, or an assumed one, which a comment names.
  std::int64_t size(const std::string& argument, std::int64_t otherwise,
                    const std::string& note = "Megatron's default") {
    return arguments_.has(argument) ? arguments_.integer(argument)
                                    : assume(argument, otherwise, note);
  }
  std::int64_t assume(const std::string& argument, std::int64_t value, const std::string& note) {
    table.values.push_back(
        {"", "", ValueOrigin::assumed,
         fmt::format("not in the file, assumed: --{} {} ({})", argument, value, note)});
    return value;
  }
  std::string text() const { return fmt::format("{{\n{}\n}}\n", fmt::join(lines_, ",\n")); }

  ImportedTable table{"model", {}};

private:
  const MegatronArguments& arguments_;
  std::vector<std::string> lines_;
};

/// The kinds of a model's layers.
struct LayerKinds {
  /// A letter for each layer of a model in which a layer has one part: M Mamba-2, G a gated delta
  /// net, * attention, E experts, - a feed-forward. Empty: every layer has attention and another.
  std::string letters;
  std::vector<std::int64_t> stages; ///< layers of each stage that `|` ends; empty: it cuts nothing

  bool has(char letter) const { return letters.find(letter) != std::string::npos; }
};
/// Reads the arguments of a hybrid model. Throws InputError, at the argument, for layers that are
/// not modelled.
LayerKinds read_layer_kinds(const MegatronArguments& arguments);

/// Adds the sizes of layers with a recurrence, of windows and of an indexer, and which layers of a
/// model of `layers` they are. Throws InputError for those that are not modelled.
void add_mixers(const MegatronArguments& arguments, const LayerKinds& kinds, std::int64_t layers,
                ConfigWriter& config);

} // namespace moesim
