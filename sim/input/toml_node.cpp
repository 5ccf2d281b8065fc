#include "sim/input/toml_node.hpp"

#include "sim/base/check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <sstream>

namespace moesim {

std::string type_name(const toml::node& node) {
  switch (node.type()) {
  case toml::node_type::string:
    return "a string";
  case toml::node_type::integer:
    return "a whole number";
  case toml::node_type::floating_point:
    return "a real number";
  case toml::node_type::boolean:
    return "true or false";
  case toml::node_type::array:
    return "a list";
  case toml::node_type::table:
    return "a table";
  case toml::node_type::date:
  case toml::node_type::time:
  case toml::node_type::date_time:
    return "a date";
  case toml::node_type::none:
    break;
  }
  INVARIANT(false, "a node of type {}", static_cast<int>(node.type()));
}

std::string text_of(const toml::node& node) {
  if (const auto* text = node.as_string())
    return text->get();
  std::ostringstream out;
  out << toml::node_view<const toml::node>(node);
  return out.str();
}

std::string one_line(const toml::node& node) {
  std::vector<std::string> parts;
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& item : *array)
      parts.push_back(one_line(item));
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  if (const toml::table* table = node.as_table()) {
    for (const auto& [key, value] : *table)
      parts.push_back(fmt::format("{} = {}", std::string_view(key.str()), one_line(value)));
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
  }
  std::ostringstream out;
  // Without flags a string is on one line, its line breaks escaped.
  out << toml::toml_formatter(node, toml::format_flags::none);
  return out.str();
}

std::string json_of(const toml::node& node) {
  std::ostringstream out;
  out << toml::json_formatter(node);
  return out.str();
}

TomlValue value_of(const toml::node& node, InputLocation where) {
  const std::string toml = one_line(node);
  const bool plain = !node.is_array() && !node.is_table();
  return {plain ? text_of(node) : toml, node.is_string(), toml, std::move(where)};
}

std::string toml_string(const std::string& text) {
  return one_line(toml::value<std::string>(text));
}

TomlSetting parse_setting(const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  const std::string file = "--set " + assignment;
  if (equals == std::string::npos || equals == 0)
    throw InputError({file}, "expected KEY=VALUE");
  if (assignment.find_first_of("\n\r") != std::string::npos)
    throw InputError({"--set " + assignment.substr(0, equals)}, "a setting is one line",
                     "repeat --set for each key");
  constexpr std::ptrdiff_t dots_max = 8; // the deepest key of any input has 3
  if (std::count(assignment.begin(), assignment.begin() + static_cast<std::ptrdiff_t>(equals),
                 '.') > dots_max)
    throw InputError({"--set " + assignment.substr(0, 40) + "..."},
                     fmt::format("no key has more than {} dots", dots_max));
  std::string value = assignment.substr(equals + 1);
  try {
    value = one_line(*toml::parse("x = " + value).get("x"));
  } catch (const toml::parse_error&) {
    value = toml_string(value); // a bare word
  }
  const InputLocation where{file, 1, static_cast<int>(equals) + 2, assignment};
  return {assignment.substr(0, equals), std::move(value), where, where};
}

} // namespace moesim
