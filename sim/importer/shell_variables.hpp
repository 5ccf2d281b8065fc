#pragma once

#include "sim/base/input_error.hpp"
#include "sim/importer/located_text.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace moesim {

/// Values that the user sets, above all assignments of a script.
struct ShellDefinitions {
  std::map<std::string, std::string> variables;
  /// The script's own arguments, $1 to $N; nothing: none are given.
  std::optional<std::vector<std::string>> arguments;
};

/// The values of an array, or the one value of a scalar.
using ShellValues = std::vector<LocatedText>;

/// A script and the files that it sources. An offset counts through all of them.
class ShellFiles {
public:
  /// Returns the offset of its first byte.
  std::size_t add(const std::string& name, const std::string& text);
  InputLocation locate(std::size_t offset) const;
  const std::string& name_at(std::size_t offset) const { return at(offset).name; }

private:
  struct File {
    std::string name;
    std::string text;
    std::size_t base;
  };
  const File& at(std::size_t offset) const;

  std::vector<File> files_;
};

/// The variables of a script. Environment variables of this process are ignored: the file and the
/// definitions give all values.
class ShellVariables {
public:
  explicit ShellVariables(const ShellDefinitions& definitions);

  /// The values of a variable, of `@` and `#`, or of an argument; nothing if it is not set.
  std::optional<ShellValues> find(const std::string& name, std::size_t offset) const;
  bool is_defined(const std::string& name) const { return definitions_.contains(name); }
  void assign(const std::string& name, ShellValues values) {
    values_[name] = std::make_shared<const ShellValues>(std::move(values));
  }
  void unset(const std::string& name) { values_.erase(name); }
  /// Declares a name that the file assigns somewhere; without an assignment it is empty.
  void declare(const std::string& name) { declared_.insert(name); }
  bool is_declared(const std::string& name) const { return declared_.contains(name); }
  /// Declares an array whose indices are texts.
  void make_map(const std::string& name) { maps_.insert(name); }
  bool is_map(const std::string& name) const { return maps_.contains(name); }

  /// Replaces the arguments $1 to $N, and returns the earlier ones.
  std::optional<ShellValues> set_arguments(std::optional<ShellValues> arguments);
  const std::optional<ShellValues>& arguments() const { return arguments_; }
  /// Every variable that the script assigns.
  const std::map<std::string, std::shared_ptr<const ShellValues>>& all() const { return values_; }

private:
  std::map<std::string, std::string> definitions_;
  std::map<std::string, std::shared_ptr<const ShellValues>> values_;
  std::set<std::string> declared_;
  std::set<std::string> maps_;
  std::optional<ShellValues> arguments_;
};

} // namespace moesim
