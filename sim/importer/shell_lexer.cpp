#include "sim/importer/shell_lexer.hpp"

#include "sim/base/input_error.hpp"

#include <regex>

namespace moesim {

namespace {

/// Whether an array may follow: after `NAME=` or `NAME+=`.
bool is_array_name(const std::string& text) {
  static const std::regex pattern(R"([A-Za-z_]\w*\+?=)");
  return std::regex_match(text, pattern);
}

} // namespace

ShellLexer::ShellLexer(const std::string& file, const std::string& text)
    : file_(file), text_(text), source_(LocatedText::file(text)) {}

void ShellLexer::fail(std::size_t position, const std::string& message) const {
  throw InputError(locate_offset(file_, text_, position), message);
}

bool ShellLexer::sees(const std::string& text) const {
  return text_.compare(position_, text.size(), text) == 0;
}

bool ShellLexer::take(const std::string& text) {
  if (at_end() || !sees(text))
    return false;
  position_ += text.size();
  return true;
}

void ShellLexer::skip_blanks(bool lines) {
  while (!at_end()) {
    if (sees("\\\n") || sees("\\\r\n"))
      position_ += sees("\\\n") ? 2 : 3;
    else if (source_[position_] == '#')
      position_ = std::min(text_.find('\n', position_), text_.size());
    else if (is_one_of(source_[position_], " \t\r"))
      ++position_;
    else if (lines && source_[position_] == '\n')
      take_line_end();
    else
      return;
  }
}

bool ShellLexer::at_word_end() const {
  return at_end() || is_one_of(source_[position_], " \t\r\n;&|<>()") || sees("\\\n") ||
         sees("\\\r\n");
}

ShellWord ShellLexer::read_word() {
  const std::size_t begin = position_;
  ShellWord word;
  while (!at_word_end())
    skip_piece();
  word.raw = source_.slice(begin, position_);
  if (sees("(") && is_array_name(word.raw.text())) {
    word.is_array = true;
    read_elements(word);
  }
  return word;
}

ShellWord ShellLexer::read_argument() {
  const std::size_t begin = position_;
  while (!at_end() && !is_one_of(source_[position_], " \t\r\n") && !sees("\\\n") && !sees("\\\r\n"))
    skip_piece();
  return {source_.slice(begin, position_), false, {}};
}

/// Skips one character, or a piece in quotes or brackets.
void ShellLexer::skip_piece() {
  if (sees("${"))
    skip_bracketed('{', '}');
  else if (sees("$("))
    skip_bracketed('(', ')');
  else if (is_one_of(source_[position_], "'\"`"))
    skip_quoted(source_[position_]);
  else
    position_ = std::min(position_ + (source_[position_] == '\\' ? 2 : 1), source_.size());
}

void ShellLexer::skip_quoted(char quote) {
  const std::size_t begin = position_++;
  while (!at_end() && source_[position_] != quote) {
    if (quote == '\'')
      ++position_;
    else if (quote == '"' && sees("${"))
      skip_bracketed('{', '}');
    else if (quote == '"' && sees("$("))
      skip_bracketed('(', ')');
    else
      position_ += source_[position_] == '\\' ? 2 : 1;
  }
  if (at_end())
    fail(begin, "this quote has no end");
  ++position_;
}

/// Skips `${…}` or `$(…)`, with nested ones and quotes. A loop, so that no nesting overflows the
/// stack.
void ShellLexer::skip_bracketed(char open, char close) {
  const std::size_t begin = position_;
  std::size_t depth = 0;
  for (++position_; !at_end(); ++position_) {
    const char value = source_[position_];
    if (value == '\\') {
      ++position_;
    } else if (value == '\'' || value == '"') {
      position_ = text_.find(value, position_ + 1);
      if (position_ >= text_.size())
        fail(begin, "this bracket has no end");
    } else if (value == open) {
      ++depth;
    } else if (value == close && --depth == 0) {
      ++position_;
      return;
    }
  }
  fail(begin, "this bracket has no end");
}

void ShellLexer::read_elements(ShellWord& array) {
  const std::size_t begin = position_++;
  for (skip_blanks(true); !at_end() && !sees(")"); skip_blanks(true)) {
    const std::size_t before = position_;
    ShellWord element = read_word();
    if (position_ == before) // a stray operator: part of no word
      ++position_;
    else
      array.elements.push_back(std::move(element));
  }
  if (!take(")"))
    fail(begin, "this list has no end");
}

LocatedText ShellLexer::read_until(const std::string& end) {
  const std::size_t begin = position_;
  while (!at_end() && !sees(end))
    skip_piece();
  if (at_end())
    fail(begin > 1 ? begin - 2 : 0, "this bracket has no end");
  const LocatedText inside = source_.slice(begin, position_);
  position_ += end.size();
  return inside;
}

void ShellLexer::take_here_document() {
  take("<<");
  take("-");
  skip_blanks(false);
  std::string last = read_word().raw.text();
  std::erase_if(last, [](char value) { return is_one_of(value, "'\"\\"); });
  documents_.push_back(last);
}

void ShellLexer::take_line_end() {
  take("\n");
  for (const std::string& last : documents_) {
    while (!at_end()) {
      const std::size_t end = std::min(text_.find('\n', position_), text_.size());
      std::string line = text_.substr(position_, end - position_);
      line.erase(0, line.find_first_not_of('\t'));
      position_ = std::min(end + 1, text_.size());
      if (line == last || line == last + "\r")
        break;
    }
  }
  documents_.clear();
}

} // namespace moesim
