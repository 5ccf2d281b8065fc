#pragma once

#include "sim/base/input_error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// A JSON object as other tools publish it, with `Infinity`, `-Infinity` and `NaN` as Python writes
/// them: none of these is a number here. A key may be dotted: `a.b` is the key b of the object a.
/// Keys that nobody asks for are ignored; a missing size is an error. Every error names the file,
/// and the position of the key if the key is there.
///
/// More than 15 methods: a reader for each type of value.
class JsonObject {
public:
  /// Throws InputError if the file cannot be read, is not JSON, or is not an object.
  static JsonObject read(const std::filesystem::path& path);
  /// The same from text; messages give `name` as the file. `line` is the number, from 1, of a text
  /// that is one line of the file; 0 for a whole file.
  static JsonObject parse(const std::string& text, const std::string& name, int line = 0);

  /// True if the key is there and not null.
  bool has(const std::string& key) const;
  bool is_list(const std::string& key) const;
  std::string text(const std::string& key) const;
  std::string text_or(const std::string& key, const std::string& otherwise) const;
  /// A whole number greater than or equal to `least`.
  std::int64_t integer(const std::string& key, std::int64_t least = 1) const;
  std::int64_t integer_or(const std::string& key, std::int64_t otherwise,
                          std::int64_t least = 0) const;
  bool flag_or(const std::string& key, bool otherwise) const;
  /// A list of whole numbers, also as a text with commas; empty if the key is absent.
  std::vector<std::int64_t> integers(const std::string& key) const;
  /// A list of numbers, which must be there.
  std::vector<double> numbers(const std::string& key) const;
  /// A list of lists of numbers, which must be there.
  std::vector<std::vector<double>> number_lists(const std::string& key) const;
  /// The items of a list as text; of a text with commas its parts, of another its characters; of a
  /// number or a flag the value alone. Empty if the key is absent.
  std::vector<std::string> items(const std::string& key) const;
  /// The object that a key holds; nothing if it holds none.
  std::optional<JsonObject> object(const std::string& key) const;
  InputLocation where(const std::string& key) const;
  [[noreturn]] void fail(const std::string& key, const std::string& message,
                         const std::string& hint = "") const;

private:
  struct Content;
  explicit JsonObject(std::shared_ptr<Content> content);
  std::shared_ptr<const Content> content_;
};

/// Calls `visit` with the object of each line of a file, in order; blank lines are left out. Throws
/// InputError, with the line's position, if the file cannot be read or a line is no JSON object.
void read_json_lines(const std::filesystem::path& path,
                     const std::function<void(const JsonObject&)>& visit);

} // namespace moesim
