#include "sim/importer/shell_variables.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <cctype>

namespace moesim {

namespace {

/// Most bytes of one variable; a launch script's longest has a few thousand.
constexpr std::size_t bytes_max = 1'000'000;
/// Depth of nested defaults.
constexpr int default_depth_max = 50;

bool is_name_character(char value) {
  return std::isalnum(static_cast<unsigned char>(value)) || value == '_';
}

/// The end of the name, number or sign that begins at `at`.
std::size_t name_end(const LocatedText& text, std::size_t at) {
  std::size_t end = at;
  if (std::isdigit(static_cast<unsigned char>(text[at])) && text[at + 1] != '\0') {
    while (std::isdigit(static_cast<unsigned char>(text[end])))
      ++end;
    return end;
  }
  while (is_name_character(text[end]))
    ++end;
  return end > at || text[at] == '\0' ? end : at + 1;
}

/// The position after the bracket that closes the one at `at`.
std::size_t bracket_end(const LocatedText& raw, std::size_t at) {
  const char open = raw[at];
  const char close = open == '{' ? '}' : ')';
  int depth = 0;
  for (; at < raw.size(); ++at) {
    if (raw[at] == '\\')
      ++at;
    else if (raw[at] == open)
      ++depth;
    else if (raw[at] == close && --depth == 0)
      return at + 1;
  }
  return raw.size();
}

std::size_t quote_end(const LocatedText& raw, std::size_t at) {
  const char quote = raw[at];
  for (++at; at < raw.size() && raw[at] != quote; ++at)
    if (raw[at] == '\\' && quote != '\'')
      ++at;
  return at;
}

/// The text without blanks: the replacement of an unknown value must be one word anywhere.
std::string without_blanks(std::string text) {
  std::erase_if(text, [](unsigned char value) { return std::isspace(value) != 0; });
  return text;
}

} // namespace

/// The words under construction.
struct ShellVariables::Fields {
  bool splits = true; ///< whether unquoted values are split at blanks
  std::vector<LocatedText> done;
  LocatedText current;
  bool open = false;     ///< whether a word has begun
  bool quotes = false;   ///< whether it has quotes, which make even an empty text a word …
  bool vanishes = false; ///< … unless a list without values is between them

  void close() {
    if (open || (quotes && !vanishes))
      done.push_back(std::move(current));
    current = {};
    open = quotes = vanishes = false;
  }
  void add(const LocatedText& text) {
    current.append(text);
    open = true;
  }
  void add_split(const LocatedText& text) {
    for (std::size_t i = 0; i < text.size(); ++i)
      if (splits && std::isspace(static_cast<unsigned char>(text[i])))
        close();
      else {
        current.append(text, i);
        open = true;
      }
  }
  void add_values(const std::vector<LocatedText>& values, bool quoted) {
    vanishes = vanishes || (quoted && values.empty());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0 && splits)
        close();
      else if (i > 0)
        current.append(LocatedText::at(values[i].offset(), " "));
      quoted ? add(values[i]) : add_split(values[i]);
    }
  }
};

ShellVariables::ShellVariables(const std::string& file, const std::string& text,
                               const ShellDefinitions& definitions)
    : file_(file), text_(text), definitions_(definitions) {}

const std::vector<LocatedText>* ShellVariables::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

void ShellVariables::assign(const std::string& name, std::vector<LocatedText> values) {
  std::size_t bytes = 0;
  for (const LocatedText& value : values)
    bytes += value.size();
  if (bytes > bytes_max)
    throw InputError(locate_offset(file_, text_, values.front().offset()),
                     fmt::format("{} grows beyond {} bytes", name, bytes_max));
  values_[name] = std::move(values);
}

void ShellVariables::unset(const std::string& name) {
  values_.erase(name);
}

std::vector<LocatedText> ShellVariables::expand(const LocatedText& raw) {
  Fields fields;
  expand_into(raw, fields);
  fields.close();
  return fields.done;
}

LocatedText ShellVariables::expand_whole(const LocatedText& raw) {
  Fields fields{.splits = false, .done = {}, .current = {}};
  expand_into(raw, fields);
  return fields.current;
}

void ShellVariables::expand_into(const LocatedText& raw, Fields& fields) {
  if (++depth_ > default_depth_max)
    throw InputError(locate_offset(file_, text_, raw.offset()),
                     "variables are nested too deep here");
  bool quoted = false;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char value = raw[i];
    if (value == '"') {
      quoted = !quoted;
      fields.quotes = true;
    } else if (value == '\'' && !quoted) {
      const std::size_t end = quote_end(raw, i);
      fields.add(raw.slice(i + 1, end));
      i = end;
    } else if (value == '\\' && quoted && !is_one_of(raw[i + 1], "\"$`\\\n")) {
      fields.add(raw.slice(i, i + 1)); // in quotes a backslash escapes no other character
    } else if (value == '\\') {
      ++i;
      if (raw[i] != '\n' && i < raw.size())
        fields.add(raw.slice(i, i + 1));
    } else if (value == '`') {
      const std::size_t end = quote_end(raw, i);
      fields.add(unknown(raw.slice(i, end + 1), "`"));
      i = end;
    } else if (value == '$') {
      i = expand_dollar(raw, i, quoted, fields) - 1;
    } else {
      fields.add(raw.slice(i, i + 1));
    }
  }
  --depth_;
}

std::size_t ShellVariables::expand_dollar(const LocatedText& raw, std::size_t at, bool quoted,
                                          Fields& fields) {
  const char next = raw[at + 1];
  if (next == '{') {
    const std::size_t end = bracket_end(raw, at + 1);
    expand_parameter(raw.slice(at + 2, end - 1), raw.slice(at, end), quoted, fields);
    return end;
  }
  if (next == '(') {
    const std::size_t end = bracket_end(raw, at + 1);
    const LocatedText whole = raw.slice(at, end);
    if (raw[at + 2] != '(') {
      fields.add(unknown(whole, "`"));
    } else if (const auto value = evaluate(raw.slice(at + 3, end - 2))) {
      fields.add(LocatedText::at(raw.offset(at), std::to_string(*value)));
    } else {
      const LocatedText::Gap gap = expand_whole(raw.slice(at + 3, end - 2)).gap();
      fields.add(gap ? LocatedText::at(raw.offset(at), without_blanks(whole.text()), gap)
                     : unknown(whole, "(("));
    }
    return end;
  }
  if (!is_name_character(next) && !is_one_of(next, "@*#?$!-")) {
    fields.add(raw.slice(at, at + 1));
    return at + 1;
  }
  const std::size_t end =
      std::isdigit(static_cast<unsigned char>(next)) ? at + 2 : name_end(raw, at + 1);
  expand_parameter(raw.slice(at + 1, end), raw.slice(at, end), quoted, fields);
  return end;
}

/// Expands the text between `${` and `}`.
void ShellVariables::expand_parameter(const LocatedText& inside, const LocatedText& whole,
                                      bool quoted, Fields& fields) {
  const bool counts = inside[0] == '#' && inside.size() > 1;
  const std::size_t begin = counts ? 1 : 0;
  std::size_t at = name_end(inside, begin);
  const std::string name = inside.slice(begin, at).text();
  std::optional<std::vector<LocatedText>> values = look_up(name, whole.offset());
  bool all = name == "@" || name == "*";
  if (inside[at] == '[') {
    const std::string rest = inside.text();
    const std::size_t end = rest.find(']', at);
    if (end == std::string::npos)
      return fields.add(unknown(whole, name));
    const std::string index = rest.substr(at + 1, end - at - 1);
    all = index == "@" || index == "*";
    if (values && !all) {
      const auto number = evaluate(LocatedText::at(inside.offset(at), index));
      if (!number || *number < 0 || *number >= static_cast<std::int64_t>(values->size()))
        values = std::nullopt;
      else
        values = {{(*values)[static_cast<std::size_t>(*number)]}};
    }
    at = end + 1;
  } else if (values && !all && values->size() > 1) {
    values->resize(1); // an array without an index means its first element
  }
  if (counts) {
    if (!values)
      return fields.add(unknown(whole, name));
    const std::size_t count = all ? values->size() : values->empty() ? 0 : values->front().size();
    return fields.add(LocatedText::at(whole.offset(), std::to_string(count)));
  }
  if (at < inside.size() && !(all && inside[at] == ':' && values && values->empty()))
    return apply_operator(inside, at, name, whole, quoted, fields);
  if (!values)
    return declared_.contains(name) ? fields.add_values({}, false)
                                    : fields.add(unknown(whole, name));
  fields.add_values(*values, quoted);
}

/// Applies `${NAME:-word}` or a similar operator, at `at`.
void ShellVariables::apply_operator(const LocatedText& inside, std::size_t at,
                                    const std::string& name, const LocatedText& whole, bool quoted,
                                    Fields& fields) {
  const auto values = look_up(name, whole.offset());
  const bool or_empty = inside[at] == ':';
  const std::size_t sign_at = at + (or_empty ? 1 : 0);
  const char sign = inside[sign_at];
  if (!is_one_of(sign, "-=?+"))
    return fields.add(unknown(whole, "{"));
  const bool is_set =
      values &&
      (!or_empty || (!values->empty() && !(values->size() == 1 && values->front().empty())));
  const LocatedText word = inside.slice(sign_at + 1, inside.size());
  if (sign == '+') {
    if (is_set)
      expand_into(word, fields);
    return;
  }
  if (is_set)
    return fields.add_values(*values, quoted);
  if (sign == '?')
    return fields.add(unknown(whole, name));
  if (sign == '=')
    assign(name, {expand_whole(word)});
  if (quoted)
    fields.add(expand_whole(word));
  else
    expand_into(word, fields);
}

std::optional<std::vector<LocatedText>> ShellVariables::look_up(const std::string& name,
                                                                std::size_t offset) const {
  if (const auto defined = definitions_.find(name); defined != definitions_.end())
    return {{LocatedText::at(offset, defined->second)}};
  if (name == "@" || name == "*")
    return std::vector<LocatedText>{}; // arguments of the script itself: there are none
  if (name == "#")
    return {{LocatedText::at(offset, "0")}};
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

LocatedText ShellVariables::unknown(const LocatedText& whole, const std::string& name) const {
  TextGap gap;
  const std::string text = whole.text();
  if (name == "`")
    gap = {"what a command prints is not known here", "write its result into a copy of the file"};
  else if (name == "((")
    gap = {fmt::format("{} cannot be worked out", text), "write its value into a copy of the file"};
  else if (name == "{")
    gap = {fmt::format("{} is more of the shell than is understood here", text),
           "write its value into a copy of the file"};
  else if (!name.empty() && std::isdigit(static_cast<unsigned char>(name[0])))
    gap = {fmt::format("${} is an argument of the script", name),
           fmt::format("give it with --define {}=VALUE", name), false, true};
  else
    gap = {fmt::format("{} is not set in this file", name),
           fmt::format("set it with --define {}=VALUE", name), false, true};
  return LocatedText::at(whole.offset(), without_blanks(text),
                         std::make_shared<const TextGap>(gap));
}

std::optional<std::int64_t> ShellVariables::evaluate(const LocatedText& expression) {
  const LocatedText text = expand_whole(expression);
  if (text.gap())
    return std::nullopt;
  return evaluate_arithmetic(
      text.text(), [&](const std::string& name) -> std::optional<std::int64_t> {
        const auto values = look_up(name, expression.offset());
        if (!values || values->size() != 1 || values->front().gap())
          return std::nullopt;
        return evaluate_arithmetic(values->front().text(),
                                   [](const std::string&) { return std::nullopt; });
      });
}

} // namespace moesim
