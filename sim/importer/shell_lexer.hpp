#pragma once

#include "sim/importer/shell_syntax.hpp"

namespace moesim {

/// Reads words off a script; `parse_shell` puts them together.
///
/// More than 15 methods: one for each kind of token, as all of them move one position in the text.
class ShellLexer {
public:
  ShellLexer(const std::string& file, const std::string& text);

  bool at_end() const { return position_ >= source_.size(); }
  std::size_t position() const { return position_; }
  void move_to(std::size_t position) { position_ = position; }
  /// The text from `begin` to here.
  std::string text(std::size_t begin) const { return text_.substr(begin, position_ - begin); }
  /// True if `text` stands here.
  bool sees(const std::string& text) const;
  /// Goes past `text` if it stands here.
  bool take(const std::string& text);
  /// Goes past blanks, comments and joined lines; past line ends too if asked.
  void skip_blanks(bool lines);
  /// True at a blank, a line end, or a character that ends a word of a command.
  bool at_word_end() const;
  /// The word that begins here, with its array. Empty at the end of a word.
  ShellWord read_word();
  /// The same where only blanks and line ends part words.
  ShellWord read_argument();
  /// The text up to `end`, which it goes past; quotes in between are respected.
  LocatedText read_until(const std::string& end);
  /// Goes past `<<EOF` and, with the next line end, past the document.
  void take_here_document();
  /// Goes past a line end and the here-documents that begin behind it.
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
