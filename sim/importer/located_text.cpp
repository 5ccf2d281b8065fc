#include "sim/importer/located_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace moesim {

std::string TextGap::hint() const {
  return define.empty() ? "write the value into a copy of the file"
                        : "set it with " + remedy_of({define});
}

std::string remedy_of(const std::vector<std::string>& names) {
  std::vector<std::string> options;
  std::size_t arguments = 0;
  for (const std::string& name : names)
    if (std::isdigit(static_cast<unsigned char>(name[0])))
      arguments = std::max<std::size_t>(arguments, std::stoul(name.substr(0, 4)));
    else
      options.push_back(fmt::format("--define {}=VALUE", name));
  if (arguments > 0)
    options.push_back(arguments == 1 ? "--arguments \"VALUE\""
                                     : fmt::format("--arguments \"{} VALUES\"", arguments));
  return fmt::format("{}", fmt::join(options, " "));
}

LocatedText LocatedText::file(const std::string& text) {
  LocatedText located;
  located.bytes_.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i)
    located.bytes_.push_back({text[i], i, nullptr});
  return located;
}

LocatedText LocatedText::at(std::size_t offset, const std::string& text, const Gap& gap) {
  LocatedText located;
  for (const char value : text)
    located.bytes_.push_back({value, offset, gap});
  return located;
}

std::string LocatedText::text() const {
  std::string text;
  text.reserve(bytes_.size());
  for (const Byte& byte : bytes_)
    text += byte.value;
  return text;
}

std::size_t LocatedText::offset(std::size_t index) const {
  if (bytes_.empty())
    return 0;
  return bytes_[std::min(index, bytes_.size() - 1)].offset;
}

LocatedText::Gap LocatedText::gap() const {
  for (const Byte& byte : bytes_)
    if (byte.gap)
      return byte.gap;
  return nullptr;
}

void LocatedText::append(const LocatedText& other) {
  bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
}

void LocatedText::append(const LocatedText& other, std::size_t index) {
  bytes_.push_back(other.bytes_.at(index));
}

LocatedText LocatedText::slice(std::size_t begin, std::size_t end) const {
  LocatedText part;
  const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(std::min(begin, size()));
  const auto last = bytes_.begin() + static_cast<std::ptrdiff_t>(std::min(end, size()));
  if (first < last)
    part.bytes_.assign(first, last);
  return part;
}

LocatedText LocatedText::doubted(const Gap& gap) const {
  LocatedText doubted = *this;
  for (Byte& byte : doubted.bytes_)
    if (!byte.gap)
      byte.gap = gap;
  return doubted;
}

LocatedText LocatedText::definable(const std::string& name) const {
  LocatedText definable = *this;
  for (Byte& byte : definable.bytes_)
    if (byte.gap && byte.gap->define.empty()) {
      TextGap gap = *byte.gap;
      gap.define = name;
      byte.gap = std::make_shared<const TextGap>(gap);
    }
  return definable;
}

LocatedText LocatedText::with_variables(
    const std::function<std::optional<std::string>(const std::string&)>& value_of) const {
  LocatedText expanded;
  for (std::size_t i = 0; i < size();) {
    const bool braces = (*this)[i] == '$' && (*this)[i + 1] == '{';
    const std::size_t begin = i + (braces ? 2 : 1);
    std::size_t end = begin;
    while (std::isalnum(static_cast<unsigned char>((*this)[end])) || (*this)[end] == '_')
      ++end;
    const std::size_t close = braces && (*this)[end] == ':' ? text().find('}', end) : end;
    if ((*this)[i] != '$' || end == begin || (braces && (*this)[close] != '}')) {
      expanded.append(*this, i++);
      continue;
    }
    const std::string name = slice(begin, end).text();
    const std::size_t after = close + (braces ? 1 : 0);
    auto value = value_of(name);
    if (!value && close > end)
      value = slice(end + ((*this)[end + 1] == '-' ? 2 : 1), close).text();
    expanded.append(at(offset(i), value ? *value : slice(i, after).text(),
                       value ? nullptr
                             : std::make_shared<const TextGap>(
                                   TextGap{name + " is not set in this file", name, false, true})));
    i = after;
  }
  return expanded;
}

std::vector<LocatedText> LocatedText::fields() const {
  std::vector<LocatedText> fields;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= size(); ++i) {
    if (i < size() && std::string_view(" \t\r\n").find(bytes_[i].value) == std::string_view::npos)
      continue;
    if (i > begin)
      fields.push_back(slice(begin, i));
    begin = i + 1;
  }
  return fields;
}

bool is_one_of(char value, const char* set) {
  return value != '\0' && std::string_view(set).find(value) != std::string_view::npos;
}

} // namespace moesim
