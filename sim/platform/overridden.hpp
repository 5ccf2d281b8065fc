#pragma once

#include "sim/input/toml_document.hpp"

#include <limits>
#include <optional>

namespace moesim {

constexpr Range<double> positive_number{1e-9, 1e9};
constexpr Range<double> not_negative_number{0.0, 1e9};
constexpr Range<std::int64_t> positive_count{1, 1'000'000'000};

/// A table of a topology file together with the scenario's table that may override its keys.
class Overridden {
public:
  Overridden(TomlTable file, TomlTable cluster)
      : file_(std::move(file)), cluster_(std::move(cluster)) {}

  double number(const std::string& key, Range<double> range) const {
    const double from_file = file_.number(key, range);
    return cluster_.number_or(key, range, from_file);
  }
  double number_or(const std::string& key, Range<double> range, double otherwise) const {
    return optional_number(key, range).value_or(otherwise);
  }
  std::int64_t integer(const std::string& key, Range<std::int64_t> range) const {
    const std::int64_t from_file = file_.integer(key, range);
    return cluster_.integer_or(key, range, from_file);
  }
  std::int64_t integer_or(const std::string& key, Range<std::int64_t> range,
                          std::int64_t otherwise) const {
    return optional_integer(key, range).value_or(otherwise);
  }
  /// Nothing if neither table has the key.
  std::optional<std::int64_t> optional_integer(const std::string& key,
                                               Range<std::int64_t> range) const {
    std::optional<std::int64_t> value;
    for (const TomlTable* table : {&file_, &cluster_})
      if (table->has(key))
        value = table->integer(key, range);
    return value;
  }
  std::optional<double> optional_number(const std::string& key, Range<double> range) const {
    std::optional<double> value;
    for (const TomlTable* table : {&file_, &cluster_})
      if (table->has(key))
        value = table->number(key, range);
    return value;
  }
  std::string text_or(const std::string& key, const std::string& otherwise) const {
    return cluster_.text_or(key, file_.text_or(key, otherwise));
  }
  /// The table that a value comes from, for the position of an error.
  const TomlTable& source(const std::string& key) const {
    return cluster_.has(key) ? cluster_ : file_;
  }
  const TomlTable& file() const { return file_; }
  const TomlTable& cluster() const { return cluster_; }

private:
  TomlTable file_;
  TomlTable cluster_;
};

struct FabricSpec;
struct FaultSpec;
struct NodeSpec;

/// Reads `[fabric]`. Paths in it are relative to `folder`. Throws InputError.
FabricSpec read_fabric(const Overridden& table, const std::filesystem::path& folder);

/// Throws InputError, at a key of `[fabric]`, if the fabric cannot join nodes like this one.
void check_fabric(const FabricSpec& fabric, const NodeSpec& node, const Overridden& table);

/// Reads `[[cluster.fault]]`. Throws InputError.
std::vector<FaultSpec> read_faults(const TomlTable& cluster);

} // namespace moesim
