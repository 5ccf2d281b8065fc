#include "sim/input/xml_document.hpp"

#include "sim/input/file_text.hpp"

#include <fmt/format.h>
#include <pugixml.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace moesim {

namespace {

/// Depth of nested elements; real topologies have about ten.
constexpr int xml_depth_max = 200;

} // namespace

struct XmlElement::Source {
  std::string name;
  std::string text;
};

struct XmlElement::Builder {
  std::shared_ptr<const Source> source;

  XmlElement build(const pugi::xml_node& node, int depth) const {
    XmlElement element;
    element.source_ = source;
    element.name_ = node.name();
    const auto offset = static_cast<std::size_t>(node.offset_debug());
    element.offset_ = offset > 0 ? offset - 1 : 0; // the library points behind the `<`
    if (depth > xml_depth_max)
      element.fail(fmt::format("elements are nested more than {} deep", xml_depth_max));
    for (const pugi::xml_attribute& attribute : node.attributes())
      element.attributes_.emplace_back(attribute.name(), attribute.value());
    for (const pugi::xml_node& child : node.children())
      if (child.type() == pugi::node_element)
        element.children_.push_back(build(child, depth + 1));
    return element;
  }
};

XmlElement XmlElement::read(const std::filesystem::path& path) {
  return parse(read_file(path), path.string());
}

XmlElement XmlElement::parse(const std::string& text, const std::string& name) {
  const auto source = std::make_shared<const Source>(Source{name, text});
  pugi::xml_document document;
  const pugi::xml_parse_result result = document.load_buffer(
      source->text.data(), source->text.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!result)
    throw InputError(
        locate_offset(name, text,
                      static_cast<std::size_t>(std::max<std::ptrdiff_t>(result.offset, 0))),
        fmt::format("not XML: {}", result.description()));
  return Builder{source}.build(document.document_element(), 1);
}

std::vector<const XmlElement*> XmlElement::children(const std::string& name) const {
  std::vector<const XmlElement*> found;
  for (const XmlElement& child : children_)
    if (child.name_ == name)
      found.push_back(&child);
  return found;
}

bool XmlElement::has(const std::string& attribute) const {
  return std::any_of(attributes_.begin(), attributes_.end(),
                     [&](const auto& entry) { return entry.first == attribute; });
}

const std::string& XmlElement::text(const std::string& attribute) const {
  for (const auto& [key, value] : attributes_)
    if (key == attribute)
      return value;
  fail(fmt::format("<{}> has no attribute \"{}\"", name_, attribute));
}

std::string XmlElement::text_or(const std::string& attribute, const std::string& otherwise) const {
  return has(attribute) ? text(attribute) : otherwise;
}

double XmlElement::number(const std::string& attribute) const {
  const std::string& value = text(attribute);
  double number = 0.0;
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), number, std::chars_format::fixed);
  if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number))
    fail(fmt::format("{} of <{}> must be a number, not \"{}\"", attribute, name_, value));
  return number;
}

InputLocation XmlElement::where() const {
  return locate_offset(source_->name, source_->text, offset_);
}

void XmlElement::fail(const std::string& message, const std::string& hint) const {
  throw InputError(where(), message, hint);
}

} // namespace moesim
