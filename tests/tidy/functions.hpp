#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <regex>
#include <string>
#include <vector>

/// Finds the functions of a C++ source by its braces. Enough for code that clang-format laid out.
namespace moesim::tidy {

/// The end of the comment or the literal that begins at `at`; `at` if none begins there.
inline std::size_t skip_verbatim(const std::string& text, std::size_t at) {
  const auto after = [&](const std::string& end, std::size_t from) {
    const std::size_t found = text.find(end, from);
    return found == std::string::npos ? text.size() : found + end.size();
  };
  if (text.compare(at, 2, "//") == 0)
    return std::min(text.find('\n', at), text.size());
  if (text.compare(at, 2, "/*") == 0)
    return after("*/", at + 2);
  if (text.compare(at, 2, "R\"") == 0) {
    const std::size_t open = text.find('(', at);
    return after(")" + text.substr(at + 2, open - at - 2) + "\"", open);
  }
  // A quote after a digit separates thousands.
  const bool separator =
      text[at] == '\'' && at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1]));
  if ((text[at] != '"' && text[at] != '\'') || separator)
    return at;
  std::size_t end = at + 1;
  while (end < text.size() && text[end] != text[at])
    end += text[end] == '\\' ? 2 : 1;
  return std::min(end + 1, text.size());
}

/// The text with comments, literals and preprocessor lines blanked out, its line ends kept.
inline std::string code_only(std::string text) {
  const auto blank = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i)
      text[i] = text[i] == '\n' ? '\n' : ' ';
  };
  bool starts_line = true;
  for (std::size_t at = 0; at < text.size();) {
    if (starts_line && text[at] == '#') {
      std::size_t end = text.find('\n', at);
      while (end != std::string::npos && text[end - 1] == '\\')
        end = text.find('\n', end + 1);
      end = std::min(end, text.size());
      blank(at, end);
      at = end;
      continue;
    }
    if (const std::size_t end = skip_verbatim(text, at); end > at) {
      blank(at, end);
      at = end;
      continue;
    }
    starts_line = text[at] == '\n' || (starts_line && text[at] == ' ');
    ++at;
  }
  return text;
}

struct Function {
  std::size_t line;   ///< of its first line, from 0
  std::size_t length; ///< in lines
};

/// Whether a `{` after this text opens a function's body rather than a class or an initialiser.
inline bool opens_function(const std::string& header) {
  const std::size_t last = header.find_last_not_of(" \n");
  return header.find('(') != std::string::npos &&
         std::string("=,(").find(header[last]) == std::string::npos;
}

/// The functions at namespace or class level. `header` is what stands before a brace since the last
/// statement; braces inside a function or an initialiser are only counted.
inline std::vector<Function> functions_of(const std::string& text) {
  static const std::regex scope("\\b(namespace|class|struct|union|enum)\\b");
  const std::string code = code_only(text);
  std::vector<Function> functions;
  std::string header;
  std::size_t line = 0, first_line = 0, inner = 0;
  bool in_function = false;
  for (const char c : code) {
    line += c == '\n' ? 1 : 0;
    if (inner > 0) { // inside a body or an initialiser
      inner = c == '{' ? inner + 1 : c == '}' ? inner - 1 : inner;
      if (inner == 0 && in_function)
        functions.push_back({first_line, line - first_line + 1});
    } else if (c == '{') {
      in_function = opens_function(header);
      inner = !in_function && std::regex_search(header, scope) ? 0 : 1;
      header.clear();
    } else if (c == ';' || c == '}') {
      header.clear();
    } else if (!header.empty() || (c != ' ' && c != '\n')) {
      first_line = header.empty() ? line : first_line;
      header += c;
    }
  }
  return functions;
}

} // namespace moesim::tidy
