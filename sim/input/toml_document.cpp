#include "sim/input/toml_document.hpp"

#include "sim/input/file_text.hpp"
#include "sim/input/toml_node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

namespace moesim {

namespace {

/// The line of a text, counted from 1.
std::string line_of(const std::string& text, int line) {
  std::istringstream stream(text);
  std::string content;
  for (int i = 0; i < line && std::getline(stream, content); ++i) {
  }
  return content;
}

} // namespace

struct TomlDocument::Content {
  std::string name;
  std::string text;
  toml::table table;
  /// Positions of a key and its value.
  struct KeyLocations {
    InputLocation key;
    InputLocation value;
  };
  /// Positions of the keys that settings laid over the file, by dotted key.
  std::map<std::string, KeyLocations> assigned;

  InputLocation locate(const std::string& dotted, const toml::source_region& source) const {
    for (std::string key = dotted; !key.empty();) {
      if (const auto found = assigned.find(key); found != assigned.end())
        return found->second.value;
      const std::size_t end = key.find_last_of(".["); // of an item of a list too
      key = end == std::string::npos ? "" : key.substr(0, end);
    }
    const auto line = static_cast<int>(source.begin.line);
    if (line == 0)
      return {name};
    return {name, line, static_cast<int>(source.begin.column), line_of(text, line)};
  }
};

struct TomlTable::State {
  std::shared_ptr<TomlDocument::Content> content;
  const toml::table* table = nullptr;
  std::string name; ///< dotted, without brackets; empty for the root
  std::vector<std::string> asked;

  std::string dotted(const std::string& key) const { return name.empty() ? key : name + "." + key; }
  std::string in_table() const { return name.empty() ? "" : fmt::format(" in [{}]", name); }
  const toml::node* find(const std::string& key) {
    if (std::find(asked.begin(), asked.end(), key) == asked.end())
      asked.push_back(key);
    return table->get(key);
  }
};

TomlDocument::TomlDocument(std::shared_ptr<Content> content) : content_(std::move(content)) {}

TomlDocument TomlDocument::read(const std::filesystem::path& path) {
  return parse(read_file(path), path.string());
}

TomlDocument TomlDocument::parse(const std::string& text, const std::string& name) {
  auto content = std::make_shared<Content>();
  content->name = name;
  content->text = text;
  try {
    content->table = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    const auto line = static_cast<int>(error.source().begin.line);
    throw InputError(
        {name, line, static_cast<int>(error.source().begin.column), line_of(text, line)},
        fmt::format("not TOML: {}", error.description()));
  }
  return TomlDocument(std::move(content));
}

void TomlDocument::set(const TomlSetting& setting) {
  const std::string& dotted = setting.key;
  // A dotted key that its line holds as a whole has a position for each of its names.
  const InputLocation& where = setting.key_place;
  const std::size_t begin =
      where.source_line.rfind(dotted, static_cast<std::size_t>(std::max(where.column, 1) - 1));
  toml::table* table = &content_->table;
  std::size_t start = 0;
  for (std::size_t dot = dotted.find('.'); dot != std::string::npos;
       dot = dotted.find('.', start)) {
    const std::string part = dotted.substr(start, dot - start);
    InputLocation part_location = where;
    if (begin != std::string::npos)
      part_location.column = static_cast<int>(begin + start) + 1;
    toml::node* node = table->get(part);
    if (!node) {
      node = &table->insert(part, toml::table{}).first->second;
      content_->assigned[dotted.substr(0, dot)] = {part_location, part_location};
    }
    table = node->as_table();
    if (!table)
      throw InputError(part_location, fmt::format("\"{}\" is not a table", part));
    start = dot + 1;
  }
  if (setting.removes)
    return static_cast<void>(table->erase(dotted.substr(start)));
  const toml::table parsed = toml::parse("x = " + setting.value);
  // The copy has no position in the file.
  table->insert_or_assign(dotted.substr(start), *parsed.get("x"));
  content_->assigned[dotted] = {setting.key_place, setting.value_place};
}

TomlTable TomlDocument::root() const {
  auto state = std::make_shared<TomlTable::State>();
  state->content = content_;
  state->table = &content_->table;
  return TomlTable(std::move(state));
}

TomlTable::TomlTable(std::shared_ptr<State> state) : state_(std::move(state)) {}

bool TomlTable::has(const std::string& key) const {
  return state_->find(key) != nullptr;
}

bool TomlTable::is_text(const std::string& key) const {
  const toml::node* node = state_->find(key);
  return node && node->is_string();
}

bool TomlTable::is_table(const std::string& key) const {
  const toml::node* node = state_->find(key);
  return node && node->is_table();
}

bool TomlTable::is_list(const std::string& key) const {
  const toml::node* node = state_->find(key);
  return node && node->is_array();
}

std::optional<TomlTable> TomlTable::optional_table(const std::string& key) const {
  const toml::node* node = state_->find(key);
  if (!node)
    return std::nullopt;
  if (!node->is_table())
    fail(key, fmt::format("{} must be a table, not {}", key, type_name(*node)));
  auto state = std::make_shared<State>();
  state->content = state_->content;
  state->table = node->as_table();
  state->name = state_->dotted(key);
  return TomlTable(std::move(state));
}

std::vector<TomlTable> TomlTable::tables(const std::string& key) const {
  std::vector<TomlTable> found;
  const toml::node* node = state_->find(key);
  if (!node)
    return found;
  const toml::array* array = node->as_array();
  if (!array)
    fail(key, fmt::format("{} must be an array of tables, not {}", key, type_name(*node)),
         fmt::format("write [[{}]]", state_->dotted(key)));
  for (const toml::node& item : *array) {
    if (!item.is_table())
      fail(key, fmt::format("{} must hold tables, not {}", key, type_name(item)));
    auto state = std::make_shared<State>();
    state->content = state_->content;
    state->table = item.as_table();
    state->name = fmt::format("{}[{}]", state_->dotted(key), found.size());
    found.push_back(TomlTable(std::move(state)));
  }
  return found;
}

TomlTable TomlTable::table(const std::string& key) const {
  const auto found = optional_table(key);
  if (!found)
    throw InputError({state_->content->name},
                     fmt::format("the table [{}] is missing", state_->dotted(key)));
  return *found;
}

namespace {

const toml::node& require(const toml::node* node, const TomlTable& table, const std::string& key,
                          const std::string& in_table) {
  if (!node) {
    const std::string nearest = suggest_name(key, table.keys());
    table.fail(key, fmt::format("the key \"{}\" is missing{}", key, in_table),
               nearest.empty() ? "" : "it has another: " + nearest);
  }
  return *node;
}

} // namespace

std::string TomlTable::text(const std::string& key) const {
  const toml::node& node = require(state_->find(key), *this, key, state_->in_table());
  if (!node.is_string())
    fail(key, fmt::format("{} must be a string, not {}", key, type_name(node)));
  return node.as_string()->get();
}

std::string TomlTable::text_or(const std::string& key, const std::string& otherwise) const {
  return has(key) ? text(key) : otherwise;
}

std::string TomlTable::choice(const std::string& key,
                              const std::vector<std::string>& choices) const {
  const std::string value = text(key);
  if (std::find(choices.begin(), choices.end(), value) != choices.end())
    return value;
  const std::string nearest = suggest_name(value, choices);
  fail(key, fmt::format("\"{}\" is not one of {}", value, fmt::join(choices, ", ")), nearest);
}

std::string TomlTable::choice_or(const std::string& key, const std::vector<std::string>& choices,
                                 const std::string& otherwise) const {
  return has(key) ? choice(key, choices) : otherwise;
}

std::int64_t TomlTable::integer(const std::string& key, Range<std::int64_t> range) const {
  const toml::node& node = require(state_->find(key), *this, key, state_->in_table());
  if (!node.is_integer())
    fail(key, fmt::format("{} must be a whole number, not {}", key, type_name(node)));
  const std::int64_t value = node.as_integer()->get();
  if (value < range.low || value > range.high)
    fail(key,
         fmt::format("{} must be between {} and {}, not {}", key, range.low, range.high, value));
  return value;
}

std::int64_t TomlTable::integer_or(const std::string& key, Range<std::int64_t> range,
                                   std::int64_t otherwise) const {
  return has(key) ? integer(key, range) : otherwise;
}

double TomlTable::number(const std::string& key, Range<double> range) const {
  const toml::node& node = require(state_->find(key), *this, key, state_->in_table());
  const auto value = node.is_number() ? node.value<double>() : std::nullopt;
  if (!value)
    fail(key, fmt::format("{} must be a number, not {}", key, type_name(node)));
  if (!std::isfinite(*value) || *value < range.low || *value > range.high)
    fail(key,
         fmt::format("{} must be between {} and {}, not {}", key, range.low, range.high, *value));
  return *value;
}

double TomlTable::number_or(const std::string& key, Range<double> range, double otherwise) const {
  return has(key) ? number(key, range) : otherwise;
}

bool TomlTable::flag_or(const std::string& key, bool otherwise) const {
  const toml::node* node = state_->find(key);
  if (!node)
    return otherwise;
  if (!node->is_boolean())
    fail(key, fmt::format("{} must be true or false, not {}", key, type_name(*node)));
  return node->as_boolean()->get();
}

std::string TomlTable::json(const std::string& key) const {
  return json_of(require(state_->find(key), *this, key, state_->in_table()));
}

TomlValue TomlTable::any_value(const std::string& key) const {
  const toml::node& node = require(state_->find(key), *this, key, state_->in_table());
  return value_of(node, where(key));
}

TomlValue TomlTable::value(const std::string& key) const {
  const toml::node& node = require(state_->find(key), *this, key, state_->in_table());
  if (node.is_table() || node.is_array())
    fail(key, fmt::format("{} must be a plain value, not {}", key, type_name(node)));
  return any_value(key);
}

std::vector<TomlValue> TomlTable::any_list(const std::string& key) const {
  const toml::node& node = require(state_->find(key), *this, key, state_->in_table());
  const toml::array* array = node.as_array();
  if (!array)
    fail(key, fmt::format("{} must be a list, not {}", key, type_name(node)));
  if (array->empty())
    fail(key, fmt::format("{} must be a list with at least one value", key));
  std::vector<TomlValue> values;
  for (const toml::node& item : *array)
    values.push_back(value_of(item, state_->content->locate(state_->dotted(key), item.source())));
  return values;
}

std::vector<TomlValue> TomlTable::list(const std::string& key) const {
  std::vector<TomlValue> values = any_list(key);
  for (const toml::node& item : *state_->find(key)->as_array())
    if (item.is_table() || item.is_array())
      fail(key, fmt::format("{} must hold plain values, not {}", key, type_name(item)));
  return values;
}

std::vector<std::int64_t> TomlTable::integers(const std::string& key,
                                              Range<std::int64_t> range) const {
  list(key); // not empty, plain values
  std::vector<std::int64_t> values;
  for (const toml::node& item : *state_->find(key)->as_array()) {
    if (!item.is_integer())
      fail(key, fmt::format("{} must hold whole numbers, not {}", key, type_name(item)));
    const std::int64_t value = item.as_integer()->get();
    if (value < range.low || value > range.high)
      fail(key,
           fmt::format("{} must be between {} and {}, not {}", key, range.low, range.high, value));
    values.push_back(value);
  }
  return values;
}

std::vector<double> TomlTable::numbers(const std::string& key, Range<double> range) const {
  list(key); // not empty, plain values
  std::vector<double> values;
  for (const toml::node& item : *state_->find(key)->as_array()) {
    const auto value = item.is_number() ? item.value<double>() : std::nullopt;
    if (!value)
      fail(key, fmt::format("{} must hold numbers, not {}", key, type_name(item)));
    if (!std::isfinite(*value) || *value < range.low || *value > range.high)
      fail(key,
           fmt::format("{} must be between {} and {}, not {}", key, range.low, range.high, *value));
    values.push_back(*value);
  }
  return values;
}

std::vector<std::string> TomlTable::keys() const {
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const auto& [key, node] : *state_->table) {
    const auto& begin = node.source().begin;
    // Order of the file. Keys that --set added have no position there and come last, by name.
    const std::size_t position =
        begin.line == 0 ? ~std::size_t{0} : begin.line * 100'000ULL + begin.column;
    found.emplace_back(position, std::string(key.str()));
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (auto& [position, name] : found)
    names.push_back(std::move(name));
  return names;
}

InputLocation TomlTable::where(const std::string& key) const {
  const toml::node* node = state_->table->get(key);
  const toml::source_region& source = node ? node->source() : state_->table->source();
  return state_->content->locate(state_->dotted(key), source);
}

InputLocation TomlTable::here() const {
  return state_->content->locate(state_->name, state_->table->source());
}

InputLocation TomlTable::where_key(const std::string& key) const {
  const auto& assigned = state_->content->assigned;
  if (const auto found = assigned.find(state_->dotted(key)); found != assigned.end())
    return found->second.key;
  const auto found = state_->table->find(key);
  if (found == state_->table->end() || found->first.source().begin.line == 0)
    return where(key);
  return state_->content->locate(state_->dotted(key), found->first.source());
}

bool TomlTable::owns(const InputLocation& where) const {
  const auto& [name, text, table, assigned] = *state_->content;
  return where.file == name || std::any_of(assigned.begin(), assigned.end(), [&](const auto& set) {
           return set.second.value.file == where.file;
         });
}

void TomlTable::fail(const std::string& key, const std::string& message,
                     const std::string& hint) const {
  throw InputError(where(key), message, hint);
}

void TomlTable::finish() const {
  for (const std::string& key : keys()) {
    if (std::find(state_->asked.begin(), state_->asked.end(), key) != state_->asked.end())
      continue;
    throw InputError(where_key(key), fmt::format("unknown key \"{}\"{}", key, state_->in_table()),
                     suggest_name(key, state_->asked));
  }
}

} // namespace moesim
