#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace moesim {

/// The position of a piece of input. Lines and columns count from 1; 0 means that it is not known.
struct InputLocation {
  std::string file;
  int line = 0;
  int column = 0;
  std::string source_line = ""; ///< the text of that line, for the message; may be empty
};

/// The user's mistake. `main` prints `what()` and exits with code 2. The text is `file:line:column:
/// error: message`, the source line, a caret below the column, and the hint. A long source line is
/// cut to the part around the column.
class InputError : public std::runtime_error {
public:
  InputError(const InputLocation& where, const std::string& message, const std::string& hint = "");
  /// The error of another process: its whole text, position included, is both text and message.
  static InputError relayed(const std::string& text);
  const char* what() const noexcept override { return text_.c_str(); }
  /// The message alone, without position and caret: the reason in a sweep's row.
  const std::string& message() const { return message_; }
  const InputLocation& where() const { return where_; }
  const std::string& hint() const { return hint_; }

  /// Adds `naming`, the position of the key that names the file of this error. An error at a line
  /// of that file keeps its position, and `naming` follows it. An error about the whole file moves
  /// to `naming` and takes `hint` if it has none of its own. A `naming` without a line adds
  /// nothing.
  void add_naming(const InputLocation& naming, const std::string& hint);

private:
  explicit InputError(const std::string& text)
      : std::runtime_error(text), message_(text), text_(text) {}

  InputLocation where_;
  std::string message_;
  std::string hint_;
  std::string text_;
};

/// A scenario that is well formed but cannot run: a plan that does not divide, more GPUs than the
/// cluster holds, a cluster cut in two. In a sweep it is a row with a reason.
class IllegalScenario : public InputError {
public:
  using InputError::InputError;
};

/// The position of byte `offset` (from 0) of a text, with the line that holds it.
InputLocation locate_offset(const std::string& file, const std::string& text, std::size_t offset);

/// "did you mean "x"?" for the known name nearest to `name` by edit distance, or "" if none is
/// near.
std::string suggest_name(const std::string& name, const std::vector<std::string>& known);

/// A name in lower case, without what is neither a letter nor a digit.
std::string bare_name(const std::string& name);

} // namespace moesim
