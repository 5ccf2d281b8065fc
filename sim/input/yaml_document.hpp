#pragma once

#include "sim/base/input_error.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// A value of a YAML file as other tools write it, with its position. Anchors and aliases are
/// resolved; tags are ignored.
class YamlNode {
public:
  enum class Kind { null, scalar, sequence, map };

  /// The outermost value of a file, which must hold one document. Throws InputError if the file
  /// cannot be read, is not YAML, names a key twice, or is deeper or larger than any real file.
  static YamlNode read(const std::filesystem::path& path);
  static YamlNode parse(const std::string& text, const std::string& name);

  Kind kind() const { return kind_; }
  /// The text of a scalar, without its quotes.
  const std::string& text() const { return text_; }
  /// True for a scalar in quotes, which is a string even if it looks like a number.
  bool is_quoted() const { return quoted_; }
  /// The values of a sequence.
  const std::vector<YamlNode>& items() const { return items_; }
  /// The keys, all scalars, and values of a map, in the order of the file.
  const std::vector<std::pair<YamlNode, YamlNode>>& entries() const { return entries_; }
  /// The value of a key of a map; nothing if there is none.
  const YamlNode* find(const std::string& key) const;

  InputLocation where() const;
  [[noreturn]] void fail(const std::string& message, const std::string& hint = "") const;

private:
  struct Source;
  struct Builder;

  std::shared_ptr<const Source> source_;
  std::size_t offset_ = 0; ///< byte in the text
  Kind kind_ = Kind::null;
  std::string text_;
  bool quoted_ = false;
  std::vector<YamlNode> items_;
  std::vector<std::pair<YamlNode, YamlNode>> entries_;
};

} // namespace moesim
