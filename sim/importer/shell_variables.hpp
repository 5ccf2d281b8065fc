#pragma once

#include "sim/importer/shell_syntax.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace moesim {

/// Values of variables by name, set by the user; they override assignments of a file.
using ShellDefinitions = std::map<std::string, std::string>;

/// The variables of a script, and the expansion of its words. Environment variables of this process
/// are ignored: the file and the definitions give all values. Unknown values remain in the text as
/// gaps.
class ShellVariables {
public:
  /// `file` and `text` are for errors.
  ShellVariables(const std::string& file, const std::string& text,
                 const ShellDefinitions& definitions);

  bool has(const std::string& name) const { return values_.contains(name); }
  /// The values of an array, or the one value of a scalar; null if it is not set.
  const std::vector<LocatedText>* find(const std::string& name) const;
  /// Assigns a variable, unless the user defined it. Throws InputError if the value is larger than
  /// any real one.
  void assign(const std::string& name, std::vector<LocatedText> values);
  void unset(const std::string& name);
  /// Declares a name that the file assigns somewhere; without an assignment it is empty.
  void declare(const std::string& name) { declared_.insert(name); }

  /// The words of an expanded word: variables expanded and split at blanks, quotes removed.
  std::vector<LocatedText> expand(const LocatedText& raw);
  /// The same as one text, as in an assignment or in quotes.
  LocatedText expand_whole(const LocatedText& raw);
  /// The value of an arithmetic expression of whole numbers; nothing if it cannot be evaluated.
  std::optional<std::int64_t> evaluate(const LocatedText& expression);

private:
  struct Fields;
  void expand_into(const LocatedText& raw, Fields& fields);
  std::size_t expand_dollar(const LocatedText& raw, std::size_t at, bool quoted, Fields& fields);
  void expand_parameter(const LocatedText& inside, const LocatedText& whole, bool quoted,
                        Fields& fields);
  void apply_operator(const LocatedText& inside, std::size_t at, const std::string& name,
                      const LocatedText& whole, bool quoted, Fields& fields);
  std::optional<std::vector<LocatedText>> look_up(const std::string& name,
                                                  std::size_t offset) const;
  LocatedText unknown(const LocatedText& whole, const std::string& name) const;

  std::string file_;
  std::string text_;
  ShellDefinitions definitions_;
  std::map<std::string, std::vector<LocatedText>> values_;
  std::set<std::string> declared_;
  int depth_ = 0;
};

/// The value of a shell expression with + - * / % ( ), comparisons, &&, || and ?:. A name has the
/// value `value_of(name)`. Nothing for another expression, a name without a value, or an overflow.
std::optional<std::int64_t>
evaluate_arithmetic(const std::string& expression,
                    const std::function<std::optional<std::int64_t>(const std::string&)>& value_of);

} // namespace moesim
