#include "sim/input/yaml_document.hpp"

#include "sim/input/file_text.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

namespace moesim {

namespace {

/// Depth of nested values; configs have about four.
constexpr std::size_t yaml_depth_max = 50;
/// Bytes of a file.
constexpr std::size_t bytes_max = 1'000'000;
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

/// Builds the tree from the parser's events, so that a file which is too deep or too large, or has
/// a second document, ends the parser at once.
///
/// More than 15 methods: one for each event of the parser, which all build one tree.
struct YamlNode::Builder : YAML::EventHandler {
  struct Open {
    YamlNode node;
    std::optional<YamlNode> key; ///< of a map: its value comes next
    YAML::anchor_t anchor;
  };

  explicit Builder(std::shared_ptr<const Source> from) : source(std::move(from)) {}

  std::shared_ptr<const Source> source;
  YamlNode root;
  std::vector<Open> open;
  std::map<YAML::anchor_t, YamlNode> anchors;
  std::size_t values = 0;
  std::optional<std::size_t> first_document; ///< its offset

  void OnDocumentStart(const YAML::Mark& mark) override {
    YamlNode start = node_at(mark);
    if (first_document == start.offset_) // the parser does not move on
      start.fail("this is not expected here");
    if (first_document)
      start.fail("a second document begins here", "keep one of them in a file of its own");
    first_document = start.offset_;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    finish(node_at(mark), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = node_at(mark);
    node.kind_ = Kind::scalar;
    node.text_ = value;
    node.quoted_ = tag == "!"; // the library's mark for a scalar in quotes
    finish(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors.find(anchor);
    if (found == anchors.end())
      node_at(mark).fail("this value contains itself");
    count(found->second, mark);
    finish(found->second, 0);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(mark, Kind::sequence, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(mark, Kind::map, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapEnd() override { end(); }

  YamlNode node_at(const YAML::Mark& mark) {
    YamlNode node;
    node.source_ = source;
    node.offset_ = offset_of(mark);
    if (++values > values_max)
      node.fail(fmt::format("the file stands for more than {} values", values_max));
    return node;
  }

  /// Counts the values that an alias repeats.
  void count(const YamlNode& node, const YAML::Mark& mark) {
    node_at(mark);
    for (const YamlNode& item : node.items_)
      count(item, mark);
    for (const auto& [key, value] : node.entries_)
      count(value, mark);
  }

  void start(const YAML::Mark& mark, Kind kind, YAML::anchor_t anchor) {
    YamlNode node = node_at(mark);
    node.kind_ = kind;
    if (open.size() >= yaml_depth_max)
      node.fail(fmt::format("values are nested more than {} deep", yaml_depth_max));
    open.push_back({std::move(node), std::nullopt, anchor});
  }
  void end() {
    Open done = std::move(open.back());
    open.pop_back();
    finish(std::move(done.node), done.anchor);
  }

  void finish(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0)
      anchors[anchor] = node;
    if (open.empty())
      root = std::move(node);
    else if (Open& parent = open.back(); parent.node.kind_ == Kind::sequence)
      parent.node.items_.push_back(std::move(node));
    else if (parent.key)
      add_entry(parent.node, *std::exchange(parent.key, std::nullopt), std::move(node));
    else
      parent.key = std::move(node);
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
  if (text.size() > bytes_max)
    throw InputError({name}, fmt::format("is larger than {} bytes", bytes_max));
  Builder builder(std::make_shared<const Source>(Source{name, text}));
  std::istringstream stream(text);
  try {
    for (YAML::Parser parser(stream); parser.HandleNextDocument(builder);) {
    }
  } catch (const YAML::Exception& error) {
    throw InputError(locate_offset(name, text, offset_of(error.mark)),
                     fmt::format("not YAML: {}", error.msg));
  }
  return builder.first_document ? builder.root : builder.node_at(YAML::Mark());
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
