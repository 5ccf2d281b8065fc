#pragma once

#include "sim/base/input_error.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// An element of an XML file as other tools write it, with its attributes and the elements inside
/// it. Text, comments and attributes that nobody asks for are ignored. Every error gives the
/// position where the element begins.
class XmlElement {
public:
  /// The outermost element of a file. Throws InputError if the file cannot be read, is not XML, or
  /// nests elements deeper than any real file does.
  static XmlElement read(const std::filesystem::path& path);
  static XmlElement parse(const std::string& text, const std::string& name);

  const std::string& name() const { return name_; }
  const std::vector<XmlElement>& children() const { return children_; }
  /// The elements inside that bear this name.
  std::vector<const XmlElement*> children(const std::string& name) const;

  bool has(const std::string& attribute) const;
  /// Throws InputError if the attribute is missing.
  const std::string& text(const std::string& attribute) const;
  std::string text_or(const std::string& attribute, const std::string& otherwise) const;
  /// A number. Throws InputError if the attribute is missing or holds anything else.
  double number(const std::string& attribute) const;

  InputLocation where() const;
  [[noreturn]] void fail(const std::string& message, const std::string& hint = "") const;

private:
  struct Source;
  struct Builder;

  std::shared_ptr<const Source> source_;
  std::size_t offset_ = 0; ///< position of its `<` in the text
  std::string name_;
  std::vector<std::pair<std::string, std::string>> attributes_;
  std::vector<XmlElement> children_;
};

} // namespace moesim
