#pragma once

#include "sim/importer/shell_syntax.hpp"

namespace moesim {

/// Splits a script into words for `parse_shell`.
///
/// More than 15 methods: one for each kind of token, and all of them move one position in the text.
class ShellLexer {
public:
  ShellLexer(const std::string& file, const std::string& text);

  bool at_end() const { return position_ >= source_.size(); }
  std::size_t position() const { return position_; }
  void move_to(std::size_t position) { position_ = position; }
  /// The text from `begin` to the current position.
  std::string text(std::size_t begin) const { return text_.substr(begin, position_ - begin); }
  /// Whether `text` is next.
  bool sees(const std::string& text) const;
  /// Moves past `text` if it is next; returns whether it was.
  bool take(const std::string& text);
  /// Moves past blanks, comments and joined lines, with `lines` also past line ends.
  void skip_blanks(bool lines);
  /// Whether a blank, a line end, or a character that ends a word of a command is next.
  bool at_word_end() const;
  /// Reads the next word, with its array. Empty at the end of a word.
  ShellWord read_word();
  /// The same if only blanks and line ends separate words.
  ShellWord read_argument();
  /// Reads the text up to `end` and moves past it; an `end` in quotes does not count.
  LocatedText read_until(const std::string& end);
  /// Moves past `<<EOF`; the next line end then skips the document.
  void take_here_document();
  /// Moves past a line end and the here-documents that begin after it.
  void take_line_end();
  /// Throws InputError at a position.
  [[noreturn]] void fail(std::size_t position, const std::string& message) const;

private:
  void skip_piece();
  void skip_quoted(char quote);
  void skip_bracketed(char open, char close);
  void read_elements(ShellWord& array);

  std::string file_;
  std::string text_;
  LocatedText source_;
  std::size_t position_ = 0;
  std::vector<std::string> documents_; ///< the last lines of here-documents that begin next
};

} // namespace moesim
