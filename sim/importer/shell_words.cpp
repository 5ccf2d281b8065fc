#include "sim/importer/shell_words.hpp"

#include <fmt/format.h>

#include <fnmatch.h>

#include <algorithm>
#include <cctype>

namespace moesim {

namespace {

/// Most bytes of one word and of all expansions of a script; a launch script's longest word has a
/// few thousand.
constexpr std::size_t word_bytes_max = 200'000;
constexpr std::size_t script_bytes_max = 5'000'000;
/// Depth of nested words.
constexpr int words_depth_max = 50;

/// The text without blanks: the replacement of an unknown value must be one word anywhere.
std::string without_blanks(std::string text) {
  std::erase_if(text, [](unsigned char value) { return std::isspace(value) != 0; });
  return text;
}

/// The text of a piece without the backslashes that bash removes.
LocatedText unescape(const std::string& text, std::size_t offset, bool quoted) {
  LocatedText plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escapes =
        text[i] == '\\' && i + 1 < text.size() && (!quoted || is_one_of(text[i + 1], "\"$`\\\n"));
    if (escapes)
      ++i;
    if (!escapes || text[i] != '\n')
      plain.append(LocatedText::at(offset + i, text.substr(i, 1)));
  }
  return plain;
}

/// The text of `$'…'`.
std::string unescape_ansi(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\\' || i + 1 == text.size())
      plain += text[i];
    else
      switch (text[++i]) {
      case 'n':
        plain += '\n';
        break;
      case 't':
        plain += '\t';
        break;
      default: // a character that stands for itself
        plain += text[i];
      }
  return plain;
}

/// The value without the part that a pattern matches, for `${A%x}`, `%%`, `#` and `##`.
LocatedText strip(const LocatedText& value, const std::string& sign, const std::string& pattern) {
  const std::size_t size = value.size();
  for (std::size_t i = 0; i <= size; ++i) {
    const std::size_t removed = sign.size() == 2 ? size - i : i;
    const bool front = sign[0] == '#';
    const LocatedText part = front ? value.slice(0, removed) : value.slice(size - removed, size);
    if (fnmatch(pattern.c_str(), part.text().c_str(), 0) == 0)
      return front ? value.slice(removed, size) : value.slice(0, size - removed);
  }
  return value;
}

/// The value with a text replaced, once or everywhere.
LocatedText replace(const LocatedText& value, const std::string& from, const LocatedText& to,
                    bool everywhere) {
  LocatedText replaced;
  const std::string text = value.text();
  std::size_t begin = 0;
  for (std::size_t at = 0; !from.empty() && (at = text.find(from, begin)) != std::string::npos;) {
    replaced.append(value.slice(begin, at));
    replaced.append(to);
    begin = at + from.size();
    if (!everywhere)
      break;
  }
  replaced.append(value.slice(begin, value.size()));
  return replaced;
}

} // namespace

/// The words under construction.
struct ShellWords::Fields {
  bool splits = true;      ///< whether unquoted values are split at blanks
  std::string joint = " "; ///< text between the values of an array that becomes one text
  ShellValues done;
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
  /// Adds the values of an array, or a variable's one. `index`: "@", "*" or another.
  void add_values(const ShellValues& values, bool quoted, const std::string& index) {
    vanishes = vanishes || (quoted && values.empty() && index == "@");
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0 && splits && !(quoted && index == "*"))
        close();
      else if (i > 0)
        current.append(LocatedText::at(values[i].offset(), joint));
      quoted ? add(values[i]) : add_split(values[i]);
    }
  }
};

void ShellWords::spend(std::size_t bytes, std::size_t offset) {
  spent_ += bytes;
  if (bytes > word_bytes_max)
    throw InputError(files_.locate(offset),
                     fmt::format("the word grows beyond {} bytes", word_bytes_max));
  if (spent_ > script_bytes_max)
    throw InputError(files_.locate(offset),
                     fmt::format("the script makes more than {} bytes", script_bytes_max));
}

ShellValues ShellWords::expand(const ShellNode& word) {
  Fields fields;
  expand_parts(word, false, fields);
  fields.close();
  std::size_t bytes = 0;
  for (const LocatedText& field : fields.done)
    bytes += field.size();
  spend(bytes, word.begin());
  return fields.done;
}

LocatedText ShellWords::expand_whole(const ShellNode& word) {
  Fields fields;
  fields.splits = false;
  expand_parts(word, false, fields);
  spend(fields.current.size(), word.begin());
  return fields.current;
}

void ShellWords::expand_parts(const ShellNode& word, bool quoted, Fields& fields) {
  if (++depth_ > words_depth_max)
    throw InputError(files_.locate(word.begin()), "words are nested too deep here");
  for (const ShellNode& part : word.children("Parts"))
    expand_part(part, quoted, fields);
  --depth_;
}

void ShellWords::expand_part(const ShellNode& part, bool quoted, Fields& fields) {
  const std::string type = part.type();
  if (type == "Lit") {
    fields.add(unescape(part.text("Value"), part.begin(), quoted).doubted(literal_gap_));
  } else if (type == "SglQuoted") {
    fields.quotes = true;
    const bool ansi = part.flag("Dollar");
    const std::string text = part.text("Value");
    LocatedText value;
    if (ansi)
      value = LocatedText::at(part.begin(), unescape_ansi(text));
    else
      for (std::size_t i = 0; i < text.size(); ++i)
        value.append(LocatedText::at(part.begin() + 1 + i, text.substr(i, 1)));
    fields.add(value.doubted(literal_gap_));
  } else if (type == "DblQuoted") {
    fields.quotes = true;
    expand_parts(part, true, fields);
  } else if (type == "ParamExp") {
    expand_parameter(part, quoted, fields);
  } else if (type == "CmdSubst") {
    const LocatedText printed = substitute_(part);
    quoted ? fields.add(printed) : fields.add_split(printed);
  } else if (type == "ArithmExp") {
    const ShellNumber number = evaluate(part.child("X"));
    fields.add(number.value ? LocatedText::at(part.begin(), std::to_string(*number.value))
               : number.gap ? LocatedText::at(part.begin(),
                                              without_blanks(part.source(part.begin(), part.end())),
                                              number.gap)
                            : not_understood(part));
  } else {
    fields.add(not_understood(part));
  }
}

std::optional<ShellValues> ShellWords::pick(const ShellNode& index, const std::string& name,
                                            std::optional<ShellValues> values) {
  const std::string literal = expand_whole(index).text();
  if (variables_.is_map(name))
    return variables_.find(name + "[" + literal + "]", index.begin());
  const auto number = evaluate(index).value;
  if (!values || !number || *number < -static_cast<std::int64_t>(values->size()) ||
      *number >= static_cast<std::int64_t>(values->size()))
    return number && values ? std::optional(ShellValues{}) : std::nullopt;
  const auto at = *number < 0 ? values->size() - static_cast<std::size_t>(-*number)
                              : static_cast<std::size_t>(*number);
  return ShellValues{(*values)[at]};
}

std::optional<ShellValues> ShellWords::look_up(const ShellNode& part) {
  const std::string name = part.child("Param").text("Value");
  auto values = variables_.find(name, part.begin());
  if (name == "BASH_SOURCE" || name == "0")
    values = ShellValues{LocatedText::at(part.begin(), files_.name_at(part.begin()))};
  const ShellNode index = part.child("Index");
  const std::string key = index.empty() ? "" : expand_whole(index).text();
  if (!index.empty() && key != "@" && key != "*")
    values = pick(index, name, std::move(values));
  else if (index.empty() && values && values->size() > 1 && name != "@" && name != "*")
    values->resize(1); // an array without an index means its first element
  if (!values || values->empty() || (values->size() == 1 && values->front().empty()))
    missing_.push_back(name);
  if (!values && variables_.is_declared(name))
    values = ShellValues{};
  return values;
}

std::optional<ShellValues> ShellWords::slice(const ShellNode& part, ShellValues values, bool all) {
  const ShellNode slice = part.child("Slice");
  const auto first = evaluate(slice.child("Offset")).value;
  const ShellNode last = slice.child("Length");
  const auto count = last.empty() ? std::optional<std::int64_t>(1'000'000) : evaluate(last).value;
  if (!first || *first < 0 || !count || *count < 0)
    return std::nullopt;
  const auto begin = static_cast<std::size_t>(*first);
  const auto length = static_cast<std::size_t>(*count);
  if (!all)
    return values.empty() ? values : ShellValues{values.front().slice(begin, begin + length)};
  values.erase(values.begin(),
               values.begin() + static_cast<std::ptrdiff_t>(std::min(begin, values.size())));
  values.resize(std::min(length, values.size()));
  return values;
}

void ShellWords::expand_parameter(const ShellNode& part, bool quoted, Fields& fields) {
  const std::string name = part.child("Param").text("Value");
  const ShellNode index = part.child("Index");
  const std::string key = index.empty() ? name : expand_whole(index).text();
  const bool all = key == "@" || key == "*";
  auto values = look_up(part);
  fields.joint = " ";
  if (const auto separator = variables_.find("IFS", part.begin()); key == "*" && separator)
    fields.joint = separator->empty() ? "" : separator->front().slice(0, 1).text();
  const ShellNode operation = part.child("Exp");
  if (part.flag("Excl") || part.flag("Width") || !part.child("Names").empty())
    return fields.add(not_understood(part));
  if (part.flag("Length")) {
    if (!values)
      return fields.add(missing(part));
    const std::size_t count = all ? values->size() : values->empty() ? 0 : values->front().size();
    return fields.add(LocatedText::at(part.begin(), std::to_string(count)));
  }
  if (!operation.empty()) {
    const std::size_t begin = (index.empty() ? part.child("Param").end() : index.end() + 1);
    const ShellNode word = operation.child("Word");
    return apply_operator(part,
                          part.source(begin, word.empty() ? part.offset("Rbrace") : word.begin()),
                          values, quoted, fields);
  }
  if (!values && all && !expects_arrays_) { // the environment holds no arrays
    unset_.push_back(missing(part));
    values.emplace();
  }
  if (!values)
    return fields.add(missing(part));
  if (const ShellNode replacement = part.child("Repl"); !replacement.empty())
    for (LocatedText& value : *values)
      value = replace(value, expand_whole(replacement.child("Orig")).text(),
                      expand_whole(replacement.child("With")), replacement.flag("All"));
  if (!part.child("Slice").empty() && !(values = slice(part, *values, all)))
    return fields.add(not_understood(part));
  fields.add_values(*values, quoted, key);
}

/// Applies the operator `sign` of `${NAME:-word}` or a similar expansion.
void ShellWords::apply_operator(const ShellNode& part, const std::string& sign,
                                const std::optional<ShellValues>& values, bool quoted,
                                Fields& fields) {
  const ShellNode word = part.child("Exp").child("Word");
  const std::string name = part.child("Param").text("Value");
  const bool or_empty = sign[0] == ':';
  const char kind = sign[or_empty ? 1 : 0];
  const bool empty =
      values && (values->empty() || (values->size() == 1 && values->front().empty()));
  const bool unset = !values || (values->empty() && !variables_.find(name, part.begin()));
  const bool is_set = !unset && !(or_empty && empty);
  if (is_one_of(kind, "%#") && values) {
    ShellValues stripped;
    for (const LocatedText& value : *values)
      stripped.push_back(value.gap() ? value : strip(value, sign, expand_whole(word).text()));
    return fields.add_values(stripped, quoted, "@");
  }
  if (is_one_of(kind, "%#"))
    return fields.add(missing(part));
  if (!is_one_of(kind, "-=?+"))
    return fields.add(not_understood(part));
  if (kind == '+') {
    if (is_set)
      expand_parts(word, quoted, fields);
    return;
  }
  if (is_set)
    return fields.add_values(*values, quoted, "@");
  if (kind == '?')
    return fields.add(missing(part));
  if (kind == '=')
    variables_.assign(name, {expand_whole(word)});
  if (quoted)
    fields.add(expand_whole(word));
  else
    expand_parts(word, false, fields);
}

LocatedText ShellWords::missing(const ShellNode& part) {
  const std::string name = part.child("Param").text("Value");
  const bool argument = std::isdigit(static_cast<unsigned char>(name[0])) != 0;
  const std::string reason = argument ? fmt::format("${} is an argument of the script", name)
                                      : fmt::format("{} is not set in this file", name);
  return LocatedText::at(part.begin(), without_blanks(part.source(part.begin(), part.end())),
                         std::make_shared<const TextGap>(TextGap{reason, name, false, true}));
}

LocatedText ShellWords::not_understood(const ShellNode& part) {
  const std::string text = part.source(part.begin(), part.end());
  return LocatedText::at(
      part.begin(), without_blanks(text),
      std::make_shared<const TextGap>(
          TextGap{fmt::format("{} is more of the shell than is understood here", text), ""}));
}

} // namespace moesim
