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

/// Values that the user gives to variables, by name; they stand above what a file assigns.
using ShellDefinitions = std::map<std::string, std::string>;

/// The variables of a script, and what its words are once they are put in. Environment variables
/// of this process are not looked at: the file and the definitions say all. What is not known stays
/// in the text as a gap.
class ShellVariables {
public:
  /// `file` and `text` are for errors.
  ShellVariables(const std::string& file, const std::string& text,
                 const ShellDefinitions& definitions);

  bool has(const std::string& name) const { return values_.contains(name); }
  /// The values of an array, or the one of a scalar; nothing if it is not set.
  const std::vector<LocatedText>* find(const std::string& name) const;
  /// Does nothing to a variable that the user defined. Throws InputError if the value is larger
  /// than any real one.
  void assign(const std::string& name, std::vector<LocatedText> values);
  void unset(const std::string& name);
  /// A name that the file assigns somewhere: before that, or where it is not, it is empty.
  void declare(const std::string& name) { declared_.insert(name); }

  /// The words that a word becomes: variables put in and split at blanks, quotes taken off.
  std::vector<LocatedText> expand(const LocatedText& raw);
  /// The same as one text, as in an assignment or between quotes.
  LocatedText expand_whole(const LocatedText& raw);
  /// The value of an arithmetic expression of whole numbers; nothing if it cannot be worked out.
  std::optional<std::int64_t> evaluate(const LocatedText& expression);

private:
  struct Fields;
  void expand_into(const LocatedText& raw, Fields& fields);
  std::size_t expand_dollar(const LocatedText& raw, std::size_t at, bool quoted, Fields& fields);
  void expand_parameter(const LocatedText& inside, const LocatedText& whole, bool quoted,
                        Fields& fields);
  void apply_operator(const LocatedText& inside, std::size_t at, const std::string& name,
                      const LocatedText& whole, bool quoted, Fields& fields);
  std::optional<std::vector<LocatedText>> look_up(const std::string& name, std::size_t place) const;
  LocatedText unknown(const LocatedText& whole, const std::string& name) const;

  std::string file_;
  std::string text_;
  ShellDefinitions definitions_;
  std::map<std::string, std::vector<LocatedText>> values_;
  std::set<std::string> declared_;
  int depth_ = 0;
};

/// The value of `expression`, in which every name stands for `value_of(name)`: + - * / % ( ),
/// comparisons, &&, || and ?:, as the shell has them. Nothing if it is no such expression, a name
/// has no value, or a result does not fit.
std::optional<std::int64_t>
evaluate_arithmetic(const std::string& expression,
                    const std::function<std::optional<std::int64_t>(const std::string&)>& value_of);

} // namespace moesim
