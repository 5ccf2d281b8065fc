#include "sim/input/yaml_document.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace moesim;

namespace {

struct YamlRefusal {
  std::string rule;
  std::string text;
  std::string message;
};

std::string yaml_message(const std::string& text) {
  try {
    YamlNode::parse(text, "t.yaml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// Sequences in sequences.
std::string nested_yaml(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

/// One row for each rule.
const std::vector<YamlRefusal> yaml_refusals = {
    {"a list without an end", "a: [1, 2\n",
     "t.yaml:2:1: error: not YAML: end of sequence flow not found"},
    {"a key that is there twice", "a: 1\nb: 2\na: 3\n",
     "t.yaml:3:1: error: the key \"a\" is there twice\n"
     "  a: 3\n"
     "  ^"},
    {"a key that is a list", "? [a, b]\n: 1\n",
     "t.yaml:1:3: error: a key must be a word\n"
     "  ? [a, b]\n"
     "    ^"},
    {"an alias of nothing", "a: *b\n",
     "t.yaml:1:4: error: not YAML: the referenced anchor is not defined\n"
     "  a: *b\n"
     "     ^"},
    {"two documents", "a: 1\n---\nb: 2\n",
     "t.yaml:2:1: error: a second document begins here\n"
     "  ---\n"
     "  ^\n"
     "  hint: keep one of them in a file of its own"},
    {"a comma alone, at which the library does not move on", ",",
     "t.yaml:1:1: error: this is not expected here\n"
     "  ,\n"
     "  ^"},
    {"a value that contains itself", "a: &b [*b]\n",
     "t.yaml:1:8: error: this value contains itself\n"
     "  a: &b [*b]\n"
     "         ^"},
    {"values nested too deep", nested_yaml(51),
     "t.yaml:1:51: error: values are nested more than 50 deep\n  " + nested_yaml(51) + "\n  " +
         std::string(50, ' ') + "^"},
};

} // namespace

TEST_CASE("what is no YAML is refused at its place") {
  for (const YamlRefusal& row : yaml_refusals) {
    INFO(row.rule);
    CHECK(yaml_message(row.text) == row.message);
  }
  CHECK(yaml_message(nested_yaml(50)) == "no error");
}

TEST_CASE("aliases of aliases cannot fill the memory") {
  // Ten times ten times …: ten levels of ten entries stand for 10^10 values.
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level < 10; ++level) {
    const std::string before = "*a" + std::to_string(level - 1);
    text += "a" + std::to_string(level) + ": &a" + std::to_string(level) + " [";
    for (int i = 0; i < 10; ++i)
      text += (i > 0 ? ", " : "") + before;
    text += "]\n";
  }
  CHECK(yaml_message(text).find("the file stands for more than 20000 values") != std::string::npos);
}

TEST_CASE("YAML values keep their order, their place and their quotes") {
  const YamlNode root = YamlNode::parse("b: 1\n"
                                        "a:\n"
                                        "  - x  # a comment\n"
                                        "  - 'true'\n"
                                        "n: ~\n",
                                        "t.yaml");
  REQUIRE(root.kind() == YamlNode::Kind::map);
  REQUIRE(root.entries().size() == 3);
  CHECK(root.entries()[0].first.text() == "b");
  CHECK(root.entries()[1].first.where().line == 2);
  const YamlNode& list = *root.find("a");
  REQUIRE(list.kind() == YamlNode::Kind::sequence);
  REQUIRE(list.items().size() == 2);
  CHECK(list.items()[0].text() == "x");
  CHECK_FALSE(list.items()[0].is_quoted());
  CHECK(list.items()[0].where().line == 3);
  CHECK(list.items()[0].where().column == 5);
  CHECK(list.items()[1].text() == "true");
  CHECK(list.items()[1].is_quoted());
  CHECK(root.find("n")->kind() == YamlNode::Kind::null);
  CHECK(root.find("c") == nullptr);
}

TEST_CASE("an empty YAML file is no value") {
  CHECK(YamlNode::parse("", "t.yaml").kind() == YamlNode::Kind::null);
  CHECK(YamlNode::parse("# nothing\n", "t.yaml").kind() == YamlNode::Kind::null);
}
