#pragma once

#include "tests/tidy/functions.hpp"

#include <cctype>
#include <cstddef>
#include <regex>
#include <set>
#include <string>
#include <vector>

/// Finds the classes of a C++ source and counts their methods, by braces and semicolons. Enough for
/// code that clang-format laid out.
namespace moesim::tidy {

struct Class {
  std::string name;
  std::size_t line = 0;    ///< of its first line, from 0
  std::size_t methods = 0; ///< private and static ones too; see declares_method
};

/// The text of a declaration without template arguments, which may hold parentheses.
inline std::string without_template_arguments(const std::string& declaration) {
  static const std::regex shift("operator\\s*(<=>|<<|>>|->|<=|>=|<|>)");
  std::string plain;
  std::size_t depth = 0;
  for (const char c : std::regex_replace(declaration, shift, "operator")) {
    depth += c == '<' ? 1 : 0;
    if (depth == 0)
      plain += c;
    depth -= c == '>' && depth > 0 ? 1 : 0;
  }
  return plain;
}

/// Whether a declaration in a class is a method. Constructors, destructors, friends and functions
/// that the compiler writes do not count.
inline bool declares_method(const std::string& declaration, const std::string& class_name) {
  static const std::regex other("^\\s*,|\\b(friend|using|typedef|static_assert)\\b|"
                                "=\\s*(default|delete)\\s*$");
  static const std::regex function(
      "^([^=(]|\\boperator\\s*=?=)*?(operator[^\\w(]*|[~\\w]+)\\s*\\(");
  const std::string plain = without_template_arguments(declaration);
  std::smatch match;
  if (std::regex_search(plain, other) || !std::regex_search(plain, match, function))
    return false;
  const std::string name = match[2];
  return name != class_name && name.front() != '~';
}

/// The name of the class whose body follows a header; empty for a namespace or an enumeration.
inline std::string class_name(const std::string& header) {
  static const std::regex named("(^|\\s)(enum\\s+)?(class|struct|union)\\s+(\\w+)");
  const std::string plain = without_template_arguments(header);
  std::smatch match;
  return std::regex_search(plain, match, named) && !match[2].matched ? match[4].str() : "";
}

/// The classes, structures and unions at namespace or class level, in the order of their ends.
inline std::vector<Class> classes_of(const std::string& text) {
  static const std::regex scope("\\b(namespace|class|struct|union|enum)\\b");
  static const std::set<std::string> access = {"public", "protected", "private"};
  std::vector<Class> found;
  std::vector<Class> open; // around this character; without a name: no class
  std::string header;
  std::size_t line = 0, first_line = 0, inner = 0;
  for (const char c : code_only(text)) {
    line += c == '\n' ? 1 : 0;
    if (inner > 0) { // inside a function or an initialiser
      inner = c == '{' ? inner + 1 : c == '}' ? inner - 1 : inner;
      continue;
    }
    const bool begins_function = c == '{' && opens_function(header);
    if ((c == ';' || begins_function) && !open.empty() && !open.back().name.empty())
      open.back().methods += declares_method(header, open.back().name) ? 1 : 0;
    if (c == '{' && !begins_function && std::regex_search(header, scope)) {
      open.push_back({class_name(header), first_line, 0});
    } else if (c == '{') {
      inner = 1;
    } else if (c == '}' && !open.empty()) {
      if (!open.back().name.empty())
        found.push_back(open.back());
      open.pop_back();
    }
    if (c == '{' || c == '}' || c == ';' || (c == ':' && access.count(header) > 0)) {
      header.clear();
    } else if (!header.empty() || !std::isspace(static_cast<unsigned char>(c))) {
      first_line = header.empty() ? line : first_line;
      header += c;
    }
  }
  return found;
}

/// The `///` lines right above a line.
inline std::string docstring_above(const std::vector<std::string>& lines, std::size_t line) {
  std::string text;
  while (line > 0 && lines[line - 1].find_first_not_of(' ') == lines[line - 1].find("///") &&
         lines[line - 1].find("///") != std::string::npos)
    text = lines[--line] + "\n" + text;
  return text;
}

} // namespace moesim::tidy
