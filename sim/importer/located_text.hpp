#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The reason why a piece of a text does not follow from its file.
struct TextGap {
  std::string message; ///< for example "EXPERTS is not set in this file"
  /// Name of the variable that --define can set; a number for an argument of the script. Empty: the
  /// value must be written into a copy of the file.
  std::string define;
  /// Whether the piece may have replaced other text, so that more than the piece is unknown.
  bool may_hide_more = false;
  bool unset = false; ///< the piece is a variable that is never set

  /// Remedy for the user.
  std::string hint() const;
};
/// The options that set variables and arguments of a script: `--define EP=VALUE`.
std::string remedy_of(const std::vector<std::string>& names);

/// A text whose bytes know their offset in a file, and whether they are known: part of a script
/// after the expansion of its variables.
class LocatedText {
public:
  using Gap = std::shared_ptr<const TextGap>;

  LocatedText() = default;
  /// The text of a file.
  static LocatedText file(const std::string& text);
  /// Text that replaces the one at `offset` of the file.
  static LocatedText at(std::size_t offset, const std::string& text, const Gap& gap = nullptr);

  bool empty() const { return bytes_.empty(); }
  std::size_t size() const { return bytes_.size(); }
  /// The byte at `index`; '\0' after the end.
  char operator[](std::size_t index) const {
    return index < bytes_.size() ? bytes_[index].value : '\0';
  }
  std::string text() const;
  /// The offset of a byte in the file; that of the last byte for an index after the end.
  std::size_t offset(std::size_t index = 0) const;
  /// The first unknown piece; null if all bytes are known.
  Gap gap() const;

  void append(const LocatedText& other);
  /// Appends a byte of another text, with its offset.
  void append(const LocatedText& other, std::size_t index);
  LocatedText slice(std::size_t begin, std::size_t end) const;
  /// The same text, its known pieces marked as unknown.
  LocatedText doubted(const Gap& gap) const;
  /// The same text, where --define `name` sets the unknown pieces that nothing else sets.
  LocatedText definable(const std::string& name) const;
  /// The same text with `$NAME`, `${NAME}` and `${NAME:default}` replaced by their values; a gap
  /// where one has none.
  LocatedText with_variables(
      const std::function<std::optional<std::string>(const std::string&)>& value_of) const;
  /// The parts between blanks.
  std::vector<LocatedText> fields() const;

private:
  struct Byte {
    char value;
    std::size_t offset;
    Gap gap;
  };
  std::vector<Byte> bytes_;
};

/// True if `set` holds the character; '\0' is in no set.
bool is_one_of(char value, const char* set);

} // namespace moesim
