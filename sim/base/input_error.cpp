#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>

namespace moesim {

namespace {

/// Longer excerpts of a line hide the caret: recordings have lines of many thousand characters.
constexpr std::size_t shown_bytes_max = 200;

/// The line with a caret below the column. A long line is cut to the part around the column, with
/// `...` at each cut.
std::string draw_caret(const std::string& line, int column) {
  const auto at = static_cast<std::size_t>(std::max(column, 1) - 1);
  const auto is_inside_letter = [&](std::size_t byte) { // of UTF-8
    return byte < line.size() && (static_cast<unsigned char>(line[byte]) & 0xC0) == 0x80;
  };
  std::size_t begin = 0;
  std::size_t end = line.size();
  if (line.size() > shown_bytes_max) {
    begin = std::min(at - std::min(at, shown_bytes_max / 2), line.size() - shown_bytes_max);
    end = begin + shown_bytes_max;
    while (is_inside_letter(begin))
      ++begin;
    while (is_inside_letter(end))
      ++end;
  }
  const std::string before = begin > 0 ? "..." : "";
  // Tabs stay tabs, so that the caret stands under its column in any terminal.
  std::string indent(before.size(), ' ');
  for (std::size_t i = begin; i < at && i < end; ++i)
    indent += line[i] == '\t' ? '\t' : ' ';
  return fmt::format("\n  {}{}{}\n  {}^", before, line.substr(begin, end - begin),
                     end < line.size() ? "..." : "", indent);
}

/// "links.csv:4:12", or the file alone.
std::string location_text(const InputLocation& where) {
  return where.line > 0 ? fmt::format("{}:{}:{}", where.file, where.line, std::max(where.column, 1))
                        : where.file;
}

std::string compose(const InputLocation& where, const std::string& message,
                    const std::string& hint) {
  std::string text = fmt::format("{}: error: {}", location_text(where), message);
  if (!where.source_line.empty())
    text += draw_caret(where.source_line, where.column);
  if (!hint.empty())
    text += fmt::format("\n  hint: {}", hint);
  return text;
}

/// Levenshtein distance by the two-row recurrence.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> previous(b.size() + 1);
  std::iota(previous.begin(), previous.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::vector<std::size_t> current(b.size() + 1, i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = previous[j] + (a[i] == b[j] ? 0 : 1);
      current[j + 1] = std::min({replaced, previous[j + 1] + 1, current[j] + 1});
    }
    previous = std::move(current);
  }
  return previous.back();
}

/// The words of a name in the order of the alphabet: "gpus_max" and "max_gpus" have the same.
std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words(1);
  for (const unsigned char letter : name)
    if (std::isalnum(letter))
      words.back() += static_cast<char>(letter);
    else
      words.emplace_back();
  std::sort(words.begin(), words.end());
  return words;
}

/// Whether the letters of a name all stand in another, in their order, from its first on.
bool abbreviates(const std::string& name, const std::string& whole) {
  std::size_t matched = 0;
  for (std::size_t i = 0; i < whole.size() && matched < name.size(); ++i)
    matched += whole[i] == name[matched] ? 1 : 0;
  return matched == name.size() && name[0] == whole[0];
}

/// Fewest letters of a name that is a part of the right one.
constexpr std::size_t part_letters_min = 5;

/// How far a name is from a known one: the letters to change, but at most 1 if case and punctuation
/// alone differ or the words stand in another order, and at most 2 if one is a part of the other.
std::size_t name_distance(const std::string& name, const std::string& known) {
  const std::size_t changes = edit_distance(name, known);
  if (changes > 1 && (bare_name(name) == bare_name(known) || words_of(name) == words_of(known)))
    return 1;
  const bool part = (name.size() >= part_letters_min && abbreviates(name, known)) ||
                    (known.size() >= part_letters_min && name.starts_with(known));
  return part ? std::min<std::size_t>(changes, 2) : changes;
}

} // namespace

std::string bare_name(const std::string& name) {
  std::string bare;
  for (const unsigned char letter : name)
    if (std::isalnum(letter))
      bare += static_cast<char>(std::tolower(letter));
  return bare;
}

InputError::InputError(const InputLocation& where, const std::string& message,
                       const std::string& hint)
    : std::runtime_error(message), where_(where), message_(message), hint_(hint),
      text_(compose(where, message, hint)) {}

void InputError::add_naming(const InputLocation& naming, const std::string& hint) {
  if (naming.line == 0)
    return;
  if (where_.line > 0) {
    text_ += fmt::format("\n{}: the file is named here{}", location_text(naming),
                         draw_caret(naming.source_line, naming.column));
    return;
  }
  message_ = fmt::format("{}: {}", where_.file, message_);
  where_ = naming;
  if (hint_.empty())
    hint_ = hint;
  text_ = compose(where_, message_, hint_);
}

InputError InputError::relayed(const std::string& text) {
  return InputError(text);
}

InputLocation locate_offset(const std::string& file, const std::string& text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::size_t before = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
  const std::size_t start = before == std::string::npos ? 0 : before + 1;
  const std::size_t end = std::min(text.find('\n', start), text.size());
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(start), '\n');
  return {file, static_cast<int>(line), static_cast<int>(offset - start) + 1,
          text.substr(start, end - start)};
}

std::string suggest_name(const std::string& name, const std::vector<std::string>& known) {
  const std::string* nearest = nullptr;
  std::size_t best = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = name_distance(name, candidate);
    if (distance < best) {
      best = distance;
      nearest = &candidate;
    }
  }
  return nearest ? fmt::format("did you mean \"{}\"?", *nearest) : "";
}

} // namespace moesim
