#include "sim/input/yaml_document.hpp"

#include "sim/input/file_text.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace moesim {

namespace {

/// Depth of nested values; configs have about four.
constexpr int yaml_depth_max = 50;
/// Values of a file, where each alias counts as all values that it repeats. Aliases of aliases can
/// make a small file describe more than any memory holds.
constexpr std::size_t values_max = 20'000;

/// The library counts lines and columns from 0, columns in bytes; -1 means no position.
std::size_t offset_of(const YAML::Mark& mark) {
  return mark.is_null() ? 0 : static_cast<std::size_t>(std::max(mark.pos, 0));
}

} // namespace

struct YamlNode::Source {
  std::string name;
  std::string text;
};

struct YamlNode::Builder {
  std::shared_ptr<const Source> source;
  std::size_t values = 0;

  YamlNode build(const YAML::Node& from, int depth) {
    YamlNode node;
    node.source_ = source;
    node.offset_ = offset_of(from.Mark());
    if (depth > yaml_depth_max)
      node.fail(fmt::format("values are nested more than {} deep", yaml_depth_max));
    if (++values > values_max)
      node.fail(fmt::format("the file stands for more than {} values", values_max));
    if (from.IsScalar()) {
      node.kind_ = Kind::scalar;
      node.text_ = from.Scalar();
      node.quoted_ = from.Tag() == "!"; // the library's mark for a scalar in quotes
    } else if (from.IsSequence()) {
      node.kind_ = Kind::sequence;
      for (const YAML::Node& item : from)
        node.items_.push_back(build(item, depth + 1));
    } else if (from.IsMap()) {
      node.kind_ = Kind::map;
      for (const auto& entry : from)
        add_entry(node, build(entry.first, depth + 1), build(entry.second, depth + 1));
    }
    return node;
  }

  static void add_entry(YamlNode& map, YamlNode key, YamlNode value) {
    if (key.kind_ != Kind::scalar)
      key.fail("a key must be a word");
    if (map.find(key.text_))
      key.fail(fmt::format("the key \"{}\" is there twice", key.text_));
    map.entries_.emplace_back(std::move(key), std::move(value));
  }
};

YamlNode YamlNode::read(const std::filesystem::path& path) {
  return parse(read_file(path), path.string());
}

YamlNode YamlNode::parse(const std::string& text, const std::string& name) {
  Builder builder{std::make_shared<const Source>(Source{name, text})};
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(text);
  } catch (const YAML::Exception& error) {
    throw InputError(locate_offset(name, text, offset_of(error.mark)),
                     fmt::format("not YAML: {}", error.msg));
  }
  if (documents.size() > 1)
    throw InputError(locate_offset(name, text, offset_of(documents[1].Mark())),
                     "a second document begins here", "keep one of them in a file of its own");
  if (documents.empty())
    return builder.build(YAML::Node(), 1);
  return builder.build(documents.front(), 1);
}

const YamlNode* YamlNode::find(const std::string& key) const {
  for (const auto& [name, value] : entries_)
    if (name.text_ == key)
      return &value;
  return nullptr;
}

InputLocation YamlNode::where() const {
  return locate_offset(source_->name, source_->text, offset_);
}

void YamlNode::fail(const std::string& message, const std::string& hint) const {
  throw InputError(where(), message, hint);
}

} // namespace moesim
