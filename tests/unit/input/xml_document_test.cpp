#include "sim/input/xml_document.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <vector>

using namespace moesim;

namespace {

struct XmlRefusal {
  std::string rule;
  std::string text;
  std::function<void(const XmlElement&)> use;
  std::string message;
};

void no_walk(const XmlElement&) {}

std::string xml_message(const XmlRefusal& row) {
  try {
    row.use(XmlElement::parse(row.text, "t.xml"));
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string nested(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i)
    text += "<a>";
  for (int i = 0; i < depth; ++i)
    text += "</a>";
  return text;
}

/// One row for each rule.
const std::vector<XmlRefusal> xml_refusals = {
    {"an element cut off", "<a>\n  <b>\n</a>", no_walk,
     "t.xml:3:3: error: not XML: Start-end tags mismatch\n"
     "  </a>\n"
     "    ^"},
    {"an empty file", "", no_walk, "t.xml:1:1: error: not XML: No document element found"},
    {"a missing attribute", "<a>\n  <b c=\"1\"/>\n</a>",
     [](const XmlElement& root) { root.children()[0].text("d"); },
     "t.xml:2:3: error: <b> has no attribute \"d\"\n"
     "    <b c=\"1\"/>\n"
     "    ^"},
    {"a word for a number", "<a b=\"many\"/>", [](const XmlElement& root) { root.number("b"); },
     "t.xml:1:1: error: b of <a> must be a number, not \"many\"\n"
     "  <a b=\"many\"/>\n"
     "  ^"},
    {"a number that is none", "<a b=\"inf\"/>", [](const XmlElement& root) { root.number("b"); },
     "t.xml:1:1: error: b of <a> must be a number, not \"inf\"\n"
     "  <a b=\"inf\"/>\n"
     "  ^"},
};

} // namespace

TEST_CASE("every rule of XML input refuses with place and reason") {
  for (const XmlRefusal& row : xml_refusals) {
    INFO(row.rule);
    CHECK(xml_message(row) == row.message);
  }
}

TEST_CASE("an XML file deeper than any topology is refused, not followed to the end of the stack") {
  CHECK(XmlElement::parse(nested(200), "t.xml").name() == "a");
  CHECK_THROWS_WITH(XmlElement::parse(nested(100'000), "t.xml"),
                    Catch::Contains("nested more than 200 deep"));
}

TEST_CASE("comments and text stand between elements and count for nothing") {
  const XmlElement root =
      XmlElement::parse("\n<!-- who wrote it -->\n<a x=\"2.5\">\n text <b/> <c/><b/></a>", "t.xml");
  CHECK(root.name() == "a");
  CHECK(root.where().line == 3);
  CHECK(root.number("x") == 2.5);
  CHECK(root.text_or("y", "none") == "none");
  CHECK(root.children().size() == 3);
  REQUIRE(root.children("b").size() == 2);
  CHECK(root.children("b")[1]->where().column == 16);
}
