#include "sim/input/json_document.hpp"

#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <vector>

using namespace moesim;

namespace {

struct JsonRefusal {
  std::string rule;
  std::string text;
  std::function<void(const JsonObject&)> use;
  std::string message;
};

void no_reading(const JsonObject&) {}

std::string json_message(const JsonRefusal& row) {
  try {
    row.use(JsonObject::parse(row.text, "c.json"));
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// One row for each rule.
const std::vector<JsonRefusal> json_refusals = {
    {"an object cut off", "{\"a\": 1,\n", no_reading,
     "c.json:2:1: error: not JSON: syntax error while parsing object key - unexpected end of "
     "input; expected string literal"},
    {"a comma that is missing", "{\n  \"a\": 1\n  \"b\": 2\n}", no_reading,
     "c.json:3:5: error: not JSON: syntax error while parsing object - unexpected string "
     "literal; expected '}'\n"
     "    \"b\": 2\n"
     "      ^"},
    {"a list instead of an object", "[1, 2]", no_reading,
     "c.json:1:1: error: a JSON object is expected here\n"
     "  [1, 2]\n"
     "  ^"},
    {"an empty file", "", no_reading,
     "c.json:1:1: error: not JSON: syntax error while parsing value - unexpected end of input; "
     "expected '[', '{', or a literal"},
    {"a number too large to hold", "{\"a\": 1e999}", no_reading,
     "c.json: error: not JSON: [json.exception.out_of_range.406] number overflow parsing "
     "'1e999'"},
    {"a missing size", "{\"a\": 1}", [](const JsonObject& json) { json.integer("b"); },
     "c.json: error: the key \"b\" is missing"},
    {"a size that is null", "{\"a\": null}", [](const JsonObject& json) { json.integer("a"); },
     "c.json:1:2: error: the key \"a\" is missing\n"
     "  {\"a\": null}\n"
     "   ^"},
    {"a string for a size", "{\"a\": \"32\"}", [](const JsonObject& json) { json.integer("a"); },
     "c.json:1:2: error: a must be a whole number, not \"32\"\n"
     "  {\"a\": \"32\"}\n"
     "   ^"},
    {"a fraction for a size", "{\"a\": 0.5}",
     [](const JsonObject& json) { json.integer_or("a", 1); },
     "c.json:1:2: error: a must be a whole number, not 0.5\n"
     "  {\"a\": 0.5}\n"
     "   ^"},
    {"a size below the least", "{\"a\": 0}", [](const JsonObject& json) { json.integer("a"); },
     "c.json:1:2: error: a must be at least 1, not 0\n"
     "  {\"a\": 0}\n"
     "   ^"},
    {"a number for a text", "{\"a\": 1}", [](const JsonObject& json) { json.text("a"); },
     "c.json:1:2: error: a must be a string\n"
     "  {\"a\": 1}\n"
     "   ^"},
    {"a number for a flag", "{\"a\": 1}", [](const JsonObject& json) { json.flag_or("a", true); },
     "c.json:1:2: error: a must be true or false\n"
     "  {\"a\": 1}\n"
     "   ^"},
    {"a number for a list", "{\"a\": 1}", [](const JsonObject& json) { json.integers("a"); },
     "c.json:1:2: error: a must be a list of whole numbers, not 1\n"
     "  {\"a\": 1}\n"
     "   ^"},
    {"a list of fractions", "{\"a\": [1.5]}", [](const JsonObject& json) { json.integers("a"); },
     "c.json:1:2: error: a must hold whole numbers, not 1.5\n"
     "  {\"a\": [1.5]}\n"
     "   ^"},
    {"no list of lists", "{}", [](const JsonObject& json) { json.number_lists("a"); },
     "c.json: error: a must be a list of lists of numbers"},
    {"a list of numbers for one of lists", "{\"a\": [[1], 2]}",
     [](const JsonObject& json) { json.number_lists("a"); },
     "c.json:1:2: error: a must hold lists of numbers\n"
     "  {\"a\": [[1], 2]}\n"
     "   ^"},
    {"a text in a list of lists", "{\"a\": [[1], [\"2\"]]}",
     [](const JsonObject& json) { json.number_lists("a"); },
     "c.json:1:2: error: a must hold numbers\n"
     "  {\"a\": [[1], [\"2\"]]}\n"
     "   ^"},
};

/// The error of reading the key "a" of each line.
std::string message_of_lines(const std::string& text) {
  const TemporaryFolder folder;
  try {
    read_json_lines(folder.write("c.jsonl", text),
                    [](const JsonObject& json) { json.integer("a"); });
  } catch (const InputError& error) {
    const std::string message = error.what();
    return message.substr(message.find("c.jsonl"));
  }
  return "no error";
}

} // namespace

TEST_CASE("keys are read by type, and those that nobody asks for are ignored") {
  const JsonObject json = JsonObject::parse(R"({"model_type": "mixtral", "layers": 32,
    "tied": true, "dense": [0, 2], "rope_theta": 1e6, "unused": {"a": [null]}})",
                                            "c.json");
  CHECK(json.text("model_type") == "mixtral");
  CHECK(json.integer("layers") == 32);
  CHECK(json.flag_or("tied", false));
  CHECK(json.integers("dense") == std::vector<std::int64_t>{0, 2});
}

TEST_CASE("a null key is as absent as one that is not there") {
  const JsonObject json = JsonObject::parse(R"({"q_lora_rank": null})", "c.json");
  for (const std::string key : {"q_lora_rank", "nowhere"}) {
    CHECK_FALSE(json.has(key));
    CHECK(json.integer_or(key, 7) == 7);
    CHECK(json.text_or(key, "x") == "x");
    CHECK(json.flag_or(key, true));
    CHECK(json.integers(key).empty());
  }
}

TEST_CASE("a key knows its place") {
  const InputLocation where =
      JsonObject::parse("{\n  \"layers\": 3\n}\n", "c.json").where("layers");
  CHECK(where.line == 2);
  CHECK(where.column == 3);
  CHECK(where.source_line == "  \"layers\": 3");
}

TEST_CASE("every malformed JSON object is refused with its place") {
  for (const JsonRefusal& row : json_refusals) {
    INFO(row.rule);
    CHECK(json_message(row) == row.message);
  }
}

TEST_CASE("lists of lists of numbers may differ in length, and be empty") {
  const JsonObject json = JsonObject::parse(R"({"a": [[1, 2.5], [], [3]]})", "c.json");
  CHECK(json.number_lists("a") == std::vector<std::vector<double>>{{1.0, 2.5}, {}, {3.0}});
}

TEST_CASE("every line of a file is an object, in order, and blank lines are left out") {
  const TemporaryFolder folder;
  std::vector<std::int64_t> found;
  read_json_lines(folder.write("c.jsonl", "{\"a\": 2}\n\n{\"a\": 1}\r\n \n{\"a\": 3}"),
                  [&](const JsonObject& json) { found.push_back(json.integer("a")); });
  CHECK(found == std::vector<std::int64_t>{2, 1, 3});
}

TEST_CASE("what is wrong in a line has its number in the file") {
  const std::string good = "{\"a\": 1}\n\n";
  CHECK(message_of_lines(good + " {\"a\": 0}\n") ==
        "c.jsonl:3:3: error: a must be at least 1, not 0\n   {\"a\": 0}\n    ^");
  CHECK(message_of_lines(good + "{\"b\": 1}\n") ==
        "c.jsonl:3:1: error: the key \"a\" is missing\n  {\"b\": 1}\n  ^");
  CHECK(message_of_lines(good + "[1]\n") ==
        "c.jsonl:3:1: error: a JSON object is expected here\n  [1]\n  ^");
  CHECK_THAT(message_of_lines(good + "{\"a\": 1, \"b\"\n"),
             Catch::StartsWith("c.jsonl:3:13: error: not JSON: syntax error"));
  CHECK_THAT(message_of_lines(good + "{\"a\": 1e999}\n"),
             Catch::StartsWith("c.jsonl:3:1: error: not JSON: [json.exception.out_of_range.406]"));
}
