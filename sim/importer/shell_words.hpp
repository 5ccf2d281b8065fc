#pragma once

#include "sim/importer/shell_variables.hpp"
#include "sim/input/shell_document.hpp"

#include <functional>
#include <utility>

namespace moesim {

/// The value of an arithmetic expression; nothing if it cannot be worked out, with the reason.
struct ShellNumber {
  std::optional<std::int64_t> value;
  LocatedText::Gap gap;
};

/// Expands the words of a script as bash does. Values that are not known remain in a text as gaps.
///
/// More than 15 methods: one for each kind of expansion, which all share the variables.
class ShellWords {
public:
  /// Returns the text that a `$( … )` prints, or a gap.
  using Substitution = std::function<LocatedText(const ShellNode&)>;

  /// `unset` receives the arrays that are taken to be empty.
  ShellWords(const ShellFiles& files, ShellVariables& variables, ShellValues& unset,
             Substitution substitute)
      : files_(files), variables_(variables), unset_(unset), substitute_(std::move(substitute)) {}

  /// The words of an expanded word: split at blanks, quotes removed.
  ShellValues expand(const ShellNode& word);
  /// The same as one text, as in an assignment or in quotes.
  LocatedText expand_whole(const ShellNode& word);
  /// The value of an arithmetic expression of whole numbers.
  ShellNumber evaluate(const ShellNode& expression);

  /// Marks what the script itself writes as unknown, but not the values of its variables; null: no
  /// longer.
  void doubt_literals(const LocatedText::Gap& gap) { literal_gap_ = gap; }
  /// Takes arrays that are never set for unknown from now on: a file that may set them is missing.
  void expect_arrays() { expects_arrays_ = true; }
  /// Names of the variables that were looked up and are empty or not set, since the last call.
  std::vector<std::string> take_missing() { return std::exchange(missing_, {}); }

private:
  struct Fields;
  void expand_parts(const ShellNode& word, bool quoted, Fields& fields);
  void expand_part(const ShellNode& part, bool quoted, Fields& fields);
  void expand_parameter(const ShellNode& part, bool quoted, Fields& fields);
  void apply_operator(const ShellNode& part, const std::string& sign,
                      const std::optional<ShellValues>& values, bool quoted, Fields& fields);
  std::optional<ShellValues> look_up(const ShellNode& part);
  std::optional<ShellValues> pick(const ShellNode& index, const std::string& name,
                                  std::optional<ShellValues> values);
  std::optional<ShellValues> slice(const ShellNode& part, ShellValues values, bool all);
  LocatedText missing(const ShellNode& part);
  LocatedText not_understood(const ShellNode& part);
  ShellNumber evaluate_word(const ShellNode& word);
  ShellNumber evaluate_unary(const ShellNode& expression);
  ShellNumber evaluate_binary(const ShellNode& expression);
  ShellNumber set_number(const ShellNode& name, ShellNumber number);
  void spend(std::size_t bytes, std::size_t offset);

  const ShellFiles& files_;
  ShellVariables& variables_;
  ShellValues& unset_;
  Substitution substitute_;
  std::vector<std::string> missing_;
  LocatedText::Gap literal_gap_;
  bool expects_arrays_ = false;
  std::size_t spent_ = 0; ///< bytes of all expansions
  int depth_ = 0;
};

/// A whole number as bash reads it in a comparison: nothing for other texts.
std::optional<std::int64_t> shell_integer(const std::string& text);
/// The value of `a sign b` for + - * / % < > <= >= == != && || ?; nothing for an overflow.
std::optional<std::int64_t> apply_arithmetic(const std::string& sign, std::int64_t a,
                                             std::int64_t b);

} // namespace moesim
