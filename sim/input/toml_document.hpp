#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/base/input_error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// A value of a TOML array or key, as text, for keys whose type depends on another key.
struct TomlValue {
  std::string text; ///< as TOML would print it, strings without their quotes
  bool is_string = false;
  std::string toml = "";    ///< as TOML prints it, on one line
  InputLocation where = {}; ///< in its file
};

/// An assignment to lay over a document.
struct TomlSetting {
  std::string key;           ///< dotted
  std::string value;         ///< TOML
  InputLocation key_place;   ///< position of the key's last name, for errors about the key
  InputLocation value_place; ///< for errors about the value
  bool removes = false;      ///< the key is taken out of the document; `value` is of no account
};
/// Reads `a.b.key=value` of `--set`. A value that is not TOML is a string. Throws InputError if
/// there is no `=`.
TomlSetting parse_setting(const std::string& assignment);
/// A string as TOML writes it, on one line.
std::string toml_string(const std::string& text);

/// The bounds of a number, inclusive.
template <typename Number> struct Range {
  Number low;
  Number high;
};

class TomlTable;

/// A TOML file, with the assignments of `--set` laid over it. Every value keeps its position.
class TomlDocument {
public:
  /// Throws InputError if the file cannot be read or is not TOML.
  static TomlDocument read(const std::filesystem::path& path);
  static TomlDocument parse(const std::string& text, const std::string& name);

  /// Lays an assignment over the document: one of `--set`, or one with positions of its own. Throws
  /// InputError if a part of the key is not a table.
  void set(const std::string& assignment) { set(parse_setting(assignment)); }
  void set(const TomlSetting& setting);

  TomlTable root() const;

private:
  struct Content;
  explicit TomlDocument(std::shared_ptr<Content> content);
  std::shared_ptr<Content> content_;
  friend class TomlTable;
};

/// One table of a document. Remembers the keys that were asked for; `finish` reports the others.
/// Every reader throws InputError, at the value, for a wrong type or a value out of range, and at
/// the table for a missing key.
///
/// More than 15 methods: a reader for each type of value, required or with a default, and all of
/// them note the keys that were asked for.
class TomlTable {
public:
  bool has(const std::string& key) const;
  /// True if the key holds a string: for keys that take a number or a word, as `expert = "auto"`.
  bool is_text(const std::string& key) const;
  bool is_table(const std::string& key) const;
  /// True if the key holds an array: for keys that take a number or a list of them.
  bool is_list(const std::string& key) const;
  /// A table inside this one. `table` throws InputError if it is missing.
  TomlTable table(const std::string& key) const;
  std::optional<TomlTable> optional_table(const std::string& key) const;
  /// The tables of an array of tables, `[[key]]`; none if it is missing.
  std::vector<TomlTable> tables(const std::string& key) const;

  std::string text(const std::string& key) const;
  std::string text_or(const std::string& key, const std::string& otherwise) const;
  /// One of `choices`; a wrong one is an error that lists them and suggests the nearest.
  std::string choice(const std::string& key, const std::vector<std::string>& choices) const;
  std::string choice_or(const std::string& key, const std::vector<std::string>& choices,
                        const std::string& otherwise) const;
  std::int64_t integer(const std::string& key, Range<std::int64_t> range) const;
  std::int64_t integer_or(const std::string& key, Range<std::int64_t> range,
                          std::int64_t otherwise) const;
  double number(const std::string& key, Range<double> range) const;
  double number_or(const std::string& key, Range<double> range, double otherwise) const;
  bool flag_or(const std::string& key, bool otherwise) const;
  /// A plain value of any type.
  TomlValue value(const std::string& key) const;
  /// A value of any type, as JSON.
  std::string json(const std::string& key) const;
  /// A value of any type.
  TomlValue any_value(const std::string& key) const;
  /// The values of a non-empty array, of any type.
  std::vector<TomlValue> any_list(const std::string& key) const;
  /// The values of a non-empty array of plain values.
  std::vector<TomlValue> list(const std::string& key) const;
  std::vector<std::int64_t> integers(const std::string& key, Range<std::int64_t> range) const;
  std::vector<double> numbers(const std::string& key, Range<double> range) const;

  /// The keys of this table, in the order of the file.
  std::vector<std::string> keys() const;
  InputLocation where(const std::string& key) const;
  /// The position of this table itself.
  InputLocation here() const;
  /// The position of a key's own name rather than of its value.
  InputLocation where_key(const std::string& key) const;
  /// Whether `where` is in this table's document or in a setting laid over it.
  bool owns(const InputLocation& where) const;
  /// Throws InputError at a key of this table.
  [[noreturn]] void fail(const std::string& key, const std::string& message,
                         const std::string& hint = "") const;
  /// Throws InputError for the first key that nothing has asked for, with the nearest known name.
  void finish() const;

private:
  struct State;
  explicit TomlTable(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
  friend class TomlDocument;
};

/// The enumerator whose name a key holds, one of `names`; errors as `TomlTable::choice`.
template <typename Enumeration, std::size_t n>
Enumeration chosen(const TomlTable& table, const std::string& key,
                   const std::array<Named<Enumeration>, n>& names) {
  return *value_named(names, table.choice(key, names_of(names)));
}
template <typename Enumeration, std::size_t n>
Enumeration chosen_or(const TomlTable& table, const std::string& key,
                      const std::array<Named<Enumeration>, n>& names, Enumeration otherwise) {
  return table.has(key) ? chosen(table, key, names) : otherwise;
}

} // namespace moesim
