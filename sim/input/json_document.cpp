#include "sim/input/json_document.hpp"

#include "sim/input/file_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

namespace moesim {

struct JsonObject::Content {
  std::string name;
  std::string text;
  nlohmann::json json;
  int line = 0;            ///< number in the file, if the text is one line of it; else 0
  std::size_t begin = 0;   ///< of the text from which keys are looked for
  std::string holder = ""; ///< the key that holds this object; empty for a whole file

  InputLocation locate(std::size_t offset) const {
    InputLocation where = locate_offset(name, text, offset);
    if (line > 0)
      where.line = line;
    return where;
  }
  /// The position of the whole object: the key that holds it, or its line, if the text is one line;
  /// else the file.
  InputLocation whole() const {
    return line > 0 || !holder.empty() ? locate(begin) : InputLocation{name};
  }
  /// The value of a key, which may be dotted; null if it is absent.
  const nlohmann::json* find(const std::string& key) const {
    const nlohmann::json* node = &json;
    std::istringstream parts(key);
    for (std::string part; std::getline(parts, part, '.');) {
      const auto found = node->find(part);
      if (!node->is_object() || found == node->end() || found->is_null())
        return nullptr;
      node = &*found;
    }
    return node;
  }
  /// The offset of a key's name in the text; `npos` if it is absent.
  std::size_t offset(const std::string& key) const {
    std::size_t from = begin;
    std::istringstream parts(key);
    for (std::string part; from != std::string::npos && std::getline(parts, part, '.');)
      from = text.find('"' + part + '"', from);
    return from;
  }
};

namespace {

/// The text with a string in place of each number that JSON does not know, so that positions stay
/// and a reader of numbers refuses it.
std::string without_non_numbers(std::string text) {
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"')
      quoted = !quoted;
    else if (quoted && text[at] == '\\')
      ++at;
    if (quoted)
      continue;
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"})
      if (text.compare(at, word.size(), word) == 0) {
        text.replace(at, word.size(), "\"\"" + std::string(word.size() - 2, ' '));
        at += word.size() - 1;
        break;
      }
  }
  return text;
}

/// A value as an error shows it: in quotes if it is text.
std::string shown(const nlohmann::json& value) {
  return value.is_structured() ? value.type_name() : value.dump();
}

std::string item_text(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// The items of a list as numbers. Errors name `key`.
std::vector<double> numbers_of(const JsonObject& object, const std::string& key,
                               const nlohmann::json& list) {
  std::vector<double> values;
  for (const auto& value : list) {
    if (!value.is_number())
      object.fail(key, fmt::format("{} must hold numbers", key));
    values.push_back(value.get<double>());
  }
  return values;
}

} // namespace

JsonObject::JsonObject(std::shared_ptr<Content> content) : content_(std::move(content)) {}

JsonObject JsonObject::read(const std::filesystem::path& path) {
  return parse(read_file(path), path.string());
}

JsonObject JsonObject::parse(const std::string& text, const std::string& name, int line) {
  auto content = std::make_shared<Content>();
  content->name = name;
  content->text = text;
  content->line = line;
  try {
    content->json = nlohmann::json::parse(without_non_numbers(text));
  } catch (const nlohmann::json::parse_error& error) {
    // The library's message repeats the position and its own error number; ours has both already.
    const std::string what = error.what();
    const std::size_t detail = what.find(": ", what.find("parse error"));
    throw InputError(
        content->locate(error.byte > 0 ? error.byte - 1 : 0),
        fmt::format("not JSON{}", detail == std::string::npos ? "" : what.substr(detail)));
  } catch (const nlohmann::json::exception& error) { // a number that no double can hold
    throw InputError(content->whole(), fmt::format("not JSON: {}", error.what()));
  }
  if (!content->json.is_object())
    throw InputError(content->locate(0), "a JSON object is expected here");
  return JsonObject(std::move(content));
}

bool JsonObject::has(const std::string& key) const {
  return content_->find(key) != nullptr;
}

bool JsonObject::is_list(const std::string& key) const {
  return has(key) && content_->find(key)->is_array();
}

InputLocation JsonObject::where(const std::string& key) const {
  const std::size_t offset = content_->offset(key);
  if (offset == std::string::npos)
    return content_->whole();
  return content_->locate(offset);
}

void JsonObject::fail(const std::string& key, const std::string& message,
                      const std::string& hint) const {
  throw InputError(where(key), message, hint);
}

std::string JsonObject::text(const std::string& key) const {
  if (!has(key))
    fail(key, fmt::format("the key \"{}\" is missing", key));
  const auto& value = *content_->find(key);
  if (!value.is_string())
    fail(key, fmt::format("{} must be a string", key));
  return value.get<std::string>();
}

std::string JsonObject::text_or(const std::string& key, const std::string& otherwise) const {
  return has(key) ? text(key) : otherwise;
}

std::int64_t JsonObject::integer(const std::string& key, std::int64_t least) const {
  if (!has(key))
    fail(key, fmt::format("the key \"{}\" is missing", key));
  const auto& value = *content_->find(key);
  if (!value.is_number_integer())
    fail(key, fmt::format("{} must be a whole number, not {}", key, shown(value)));
  const auto number = value.get<std::int64_t>();
  if (number < least)
    fail(key, fmt::format("{} must be at least {}, not {}", key, least, number));
  return number;
}

std::int64_t JsonObject::integer_or(const std::string& key, std::int64_t otherwise,
                                    std::int64_t least) const {
  return has(key) ? integer(key, least) : otherwise;
}

bool JsonObject::flag_or(const std::string& key, bool otherwise) const {
  if (!has(key))
    return otherwise;
  const auto& value = *content_->find(key);
  if (!value.is_boolean())
    fail(key, fmt::format("{} must be true or false", key));
  return value.get<bool>();
}

std::vector<double> JsonObject::numbers(const std::string& key) const {
  const auto* list = content_->find(key);
  if (!list || !list->is_array())
    fail(key, fmt::format("{} must be a list of numbers", key));
  return numbers_of(*this, key, *list);
}

std::vector<std::vector<double>> JsonObject::number_lists(const std::string& key) const {
  std::vector<std::vector<double>> lists;
  const auto* outer = content_->find(key);
  if (!outer || !outer->is_array())
    fail(key, fmt::format("{} must be a list of lists of numbers", key));
  for (const auto& list : *outer) {
    if (!list.is_array())
      fail(key, fmt::format("{} must hold lists of numbers", key));
    lists.push_back(numbers_of(*this, key, list));
  }
  return lists;
}

std::vector<std::int64_t> JsonObject::integers(const std::string& key) const {
  if (!has(key))
    return {};
  const auto& list = *content_->find(key);
  if (!list.is_array() && (!list.is_string() || shown(list).find(',') == std::string::npos))
    fail(key, fmt::format("{} must be a list of whole numbers, not {}", key, shown(list)));
  std::vector<std::int64_t> values;
  for (const std::string& item : items(key)) {
    std::int64_t value = 0;
    const char* end = item.data() + item.size();
    const auto [stop, error] = std::from_chars(item.data(), end, value);
    if (error != std::errc() || stop != end)
      fail(key, fmt::format("{} must hold whole numbers, not {}", key, item));
    values.push_back(value);
  }
  return values;
}

std::vector<std::string> JsonObject::items(const std::string& key) const {
  const auto* value = content_->find(key);
  std::vector<std::string> items;
  if (!value)
    return items;
  if (value->is_array()) {
    for (const auto& item : *value)
      items.push_back(item_text(item));
  } else if (const std::string text = item_text(*value); !value->is_string()) {
    items.push_back(text);
  } else if (text.find(',') != std::string::npos) {
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');)
      items.push_back(part.substr(std::min(part.find_first_not_of(' '), part.size())));
  } else {
    for (const char letter : text)
      items.emplace_back(1, letter);
  }
  return items;
}

std::optional<JsonObject> JsonObject::object(const std::string& key) const {
  const auto* value = content_->find(key);
  if (!value || !value->is_object())
    return std::nullopt;
  auto inner = std::make_shared<Content>(*content_);
  inner->json = *value;
  inner->begin = content_->offset(key);
  inner->holder = key;
  return JsonObject(std::move(inner));
}

void read_json_lines(const std::filesystem::path& path,
                     const std::function<void(const JsonObject&)>& visit) {
  std::istringstream lines(read_file(path));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      visit(JsonObject::parse(line, path.string(), number));
  }
}

} // namespace moesim
