#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace moesim {

/// Why a piece of a text cannot be known from its file.
struct TextGap {
  std::string message; ///< as "EXPERTS is not set in this file"
  std::string hint;    ///< what the user can do
  /// The piece may have replaced other text, so that more than the piece is unknown.
  bool may_hide_more = false;
  bool unset = false; ///< it is a variable that nobody sets
};

/// A text of which every byte knows where in its file it stands and whether it is known: what is
/// left of a script after its variables are put in.
class LocatedText {
public:
  using Gap = std::shared_ptr<const TextGap>;

  LocatedText() = default;
  /// A whole file.
  static LocatedText file(const std::string& text);
  /// Text that stands for the place `offset` of the file.
  static LocatedText at(std::size_t offset, const std::string& text, const Gap& gap = nullptr);

  bool empty() const { return bytes_.empty(); }
  std::size_t size() const { return bytes_.size(); }
  /// The byte at `index`; '\0' behind the end.
  char operator[](std::size_t index) const {
    return index < bytes_.size() ? bytes_[index].value : '\0';
  }
  std::string text() const;
  /// The place of a byte in the file; of the last byte for an index behind the end.
  std::size_t offset(std::size_t index = 0) const;
  /// The first piece that is not known; nothing if all is.
  Gap gap() const;

  void append(const LocatedText& other);
  /// Appends a byte of another text, with its place.
  void append(const LocatedText& other, std::size_t index);
  LocatedText slice(std::size_t begin, std::size_t end) const;
  /// The same text, its known pieces marked as unknown.
  LocatedText doubted(const Gap& gap) const;
  /// The pieces between blanks.
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
