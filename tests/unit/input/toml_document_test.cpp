#include "sim/input/toml_document.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <vector>

using namespace moesim;

namespace {

constexpr Range<std::int64_t> counts{1, 1024};
constexpr Range<double> shares{0.0, 1.0};

/// Reads [parallel] with an `expert` and a `tensor`, and [cluster] with a nested [cluster.fault].
void read_all(const TomlDocument& document) {
  const TomlTable root = document.root();
  const TomlTable parallel = root.table("parallel");
  parallel.integer("expert", counts);
  parallel.integer_or("tensor", counts, 1);
  if (const auto cluster = root.optional_table("cluster")) {
    cluster->number_or("oversubscription", shares, 1.0);
    if (const auto fault = cluster->optional_table("fault")) {
      fault->number("slowdown", shares);
      fault->finish();
    }
    cluster->finish();
  }
  parallel.finish();
  root.finish();
}

struct TomlRefusal {
  std::string rule;
  std::string text;
  std::vector<std::string> assignments;
  std::string message;
};

std::string toml_message(const TomlRefusal& row) {
  try {
    TomlDocument document = TomlDocument::parse(row.text, "s.toml");
    for (const std::string& assignment : row.assignments)
      document.set(assignment);
    read_all(document);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string toml_message(const std::string& text,
                         const std::function<void(const TomlTable&)>& use) {
  try {
    use(TomlDocument::parse(text, "s.toml").root());
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// One row for each rule.
const std::vector<TomlRefusal> toml_refusals = {
    {"an unknown key",
     "[parallel]\nexpert = 8\n  expret = 4\n",
     {},
     "s.toml:3:3: error: unknown key \"expret\" in [parallel]\n"
     "    expret = 4\n"
     "    ^\n"
     "  hint: did you mean \"expert\"?"},
    {"an unknown key that resembles none",
     "[parallel]\nexpert = 8\nzzzzzzzz = 4\n",
     {},
     "s.toml:3:1: error: unknown key \"zzzzzzzz\" in [parallel]\n"
     "  zzzzzzzz = 4\n"
     "  ^"},
    {"an unknown table",
     "[parallel]\nexpert = 8\n[clutser]\nx = 1\n",
     {},
     "s.toml:3:2: error: unknown key \"clutser\"\n"
     "  [clutser]\n"
     "   ^\n"
     "  hint: did you mean \"cluster\"?"},
    {"an unknown key of a nested table",
     "[parallel]\nexpert = 8\n[cluster.fault]\nslowdown = 0.5\nslowup = 2\n",
     {},
     "s.toml:5:1: error: unknown key \"slowup\" in [cluster.fault]\n"
     "  slowup = 2\n"
     "  ^"},
    {"a missing table", "", {}, "s.toml: error: the table [parallel] is missing"},
    {"a missing key",
     "# plan\n[parallel]\ntensor = 1\n",
     {},
     "s.toml:2:1: error: the key \"expert\" is missing in [parallel]\n"
     "  [parallel]\n"
     "  ^"},
    {"a missing key of a nested table",
     "[parallel]\nexpert = 8\n[cluster.fault]\n",
     {},
     "s.toml:3:1: error: the key \"slowdown\" is missing in [cluster.fault]\n"
     "  [cluster.fault]\n"
     "  ^"},
    {"a value where a table belongs",
     "parallel = 3\n",
     {},
     "s.toml:1:12: error: parallel must be a table, not a whole number\n"
     "  parallel = 3\n"
     "             ^"},
    {"a string for a whole number",
     "[parallel]\nexpert = \"8\"\n",
     {},
     "s.toml:2:10: error: expert must be a whole number, not a string\n"
     "  expert = \"8\"\n"
     "           ^"},
    {"a fraction for a whole number",
     "[parallel]\nexpert = 8.0\n",
     {},
     "s.toml:2:10: error: expert must be a whole number, not a real number\n"
     "  expert = 8.0\n"
     "           ^"},
    {"a whole number out of range",
     "[parallel]\nexpert = 0\n",
     {},
     "s.toml:2:10: error: expert must be between 1 and 1024, not 0\n"
     "  expert = 0\n"
     "           ^"},
    {"a real number out of range",
     "[parallel]\nexpert = 8\n[cluster]\noversubscription = 1.5\n",
     {},
     "s.toml:4:20: error: oversubscription must be between 0 and 1, not 1.5\n"
     "  oversubscription = 1.5\n"
     "                     ^"},
    {"not a number",
     "[parallel]\nexpert = 8\n[cluster]\noversubscription = nan\n",
     {},
     "s.toml:4:20: error: oversubscription must be between 0 and 1, not nan\n"
     "  oversubscription = nan\n"
     "                     ^"},
    {"text that is no TOML",
     "[parallel]\nexpert = = 8\n",
     {},
     "s.toml:2:10: error: not TOML: Error while parsing value: could not determine value type\n"
     "  expert = = 8\n"
     "           ^"},
    {"a key given twice",
     "[parallel]\nexpert = 8\nexpert = 9\n",
     {},
     "s.toml:3:10: error: not TOML: Error while parsing key-value pair: cannot redefine existing "
     "integer 'expert'\n"
     "  expert = 9\n"
     "           ^"},
    {"an assignment out of range",
     "[parallel]\nexpert = 8\n",
     {"parallel.expert=4096"},
     "--set parallel.expert=4096:1:17: error: expert must be between 1 and 1024, not 4096\n"
     "  parallel.expert=4096\n"
     "                  ^"},
    {"an assignment of the wrong type",
     "[parallel]\nexpert = 8\n",
     {"parallel.expert=many"},
     "--set parallel.expert=many:1:17: error: expert must be a whole number, not a string\n"
     "  parallel.expert=many\n"
     "                  ^"},
    {"an assignment to an unknown key",
     "[parallel]\nexpert = 8\n",
     {"parallel.expret=4"},
     "--set parallel.expret=4:1:17: error: unknown key \"expret\" in [parallel]\n"
     "  parallel.expret=4\n"
     "                  ^\n"
     "  hint: did you mean \"expert\"?"},
    {"an assignment inside a value",
     "[parallel]\nexpert = 8\n",
     {"parallel.expert.x=4"},
     "--set parallel.expert.x=4:1:10: error: \"expert\" is not a table\n"
     "  parallel.expert.x=4\n"
     "           ^"},
    {"an assignment without a value",
     "[parallel]\nexpert = 8\n",
     {"parallel.expert"},
     "--set parallel.expert: error: expected KEY=VALUE"},
    {"an assignment without a key",
     "[parallel]\nexpert = 8\n",
     {"=4"},
     "--set =4: error: expected KEY=VALUE"},
    {"an assignment to an unknown table",
     "[parallel]\nexpert = 8\n",
     {"paralel.expert=4"},
     "--set paralel.expert=4:1:1: error: unknown key \"paralel\"\n"
     "  paralel.expert=4\n"
     "  ^\n"
     "  hint: did you mean \"parallel\"?"},
};

} // namespace

TEST_CASE("keys are read by type, and a whole number does for a real one") {
  const TomlTable root = TomlDocument::parse("name = 'x'\ncount = 3\nshare = 1\nhalf = 0.5\n"
                                             "on = true\nsizes = [1, 'two', 3.5]\nranks = [4, 8]\n"
                                             "expert = 'auto'\n",
                                             "s.toml")
                             .root();
  CHECK(root.text("name") == "x");
  CHECK(root.integer("count", counts) == 3);
  CHECK(root.number("share", shares) == 1.0);
  CHECK(root.number("half", shares) == 0.5);
  CHECK(root.flag_or("on", false));
  CHECK(root.is_text("expert"));
  CHECK_FALSE(root.is_text("count"));
  CHECK(root.integers("ranks", counts) == std::vector<std::int64_t>{4, 8});
  const std::vector<TomlValue> sizes = root.list("sizes");
  REQUIRE(sizes.size() == 3);
  CHECK(sizes[0].text == "1");
  CHECK_FALSE(sizes[0].is_string);
  CHECK(sizes[1].text == "two");
  CHECK(sizes[1].is_string);
  CHECK(sizes[2].text == "3.5");
  CHECK_NOTHROW(root.finish());
}

TEST_CASE("an absent key takes its stated value") {
  const TomlTable root = TomlDocument::parse("", "s.toml").root();
  CHECK(root.text_or("name", "x") == "x");
  CHECK(root.choice_or("schedule", {"1f1b"}, "1f1b") == "1f1b");
  CHECK(root.integer_or("count", counts, 7) == 7);
  CHECK(root.number_or("share", shares, 0.25) == 0.25);
  CHECK(root.flag_or("on", true));
  CHECK_FALSE(root.optional_table("cluster").has_value());
}

TEST_CASE("keys come in the order of the file, and added ones last") {
  TomlDocument document = TomlDocument::parse("[axes]\nz = 1\na = 2\nm = 3\n", "s.toml");
  document.set("axes.b=4");
  CHECK(document.root().table("axes").keys() == std::vector<std::string>{"z", "a", "m", "b"});
}

TEST_CASE("an assignment replaces a value, adds a key and makes the tables it needs") {
  TomlDocument document = TomlDocument::parse("[parallel]\nexpert = 8\n", "s.toml");
  document.set("parallel.expert=16");
  document.set("parallel.schedule=zero-bubble"); // no TOML: a bare word
  document.set("parallel.note=a=b");
  document.set("cluster.fault.slowdown=0.5");
  const TomlTable root = document.root();
  CHECK(root.table("parallel").integer("expert", counts) == 16);
  CHECK(root.table("parallel").text("schedule") == "zero-bubble");
  CHECK(root.table("parallel").text("note") == "a=b");
  CHECK(root.table("cluster").table("fault").number("slowdown", shares) == 0.5);
}

TEST_CASE("a later assignment wins over an earlier one") {
  TomlDocument document = TomlDocument::parse("count = 1\n", "s.toml");
  document.set("count=2");
  document.set("count=3");
  CHECK(document.root().integer("count", counts) == 3);
}

TEST_CASE("an array of numbers can be assigned") {
  TomlDocument document = TomlDocument::parse("", "s.toml");
  document.set("axes.expert=[4, 8]");
  CHECK(document.root().table("axes").integers("expert", counts) ==
        std::vector<std::int64_t>{4, 8});
}

TEST_CASE("a wrong document is refused with the place of its mistake") {
  for (const TomlRefusal& row : toml_refusals) {
    INFO(row.rule);
    CHECK(toml_message(row) == row.message);
  }
}

TEST_CASE("a wrong word, flag or list is refused with what is allowed") {
  const std::vector<std::string> schedules = {"1f1b", "interleaved", "zero-bubble"};
  CHECK(toml_message("schedule = 'interleave'\n",
                     [&](const TomlTable& root) { root.choice("schedule", schedules); }) ==
        "s.toml:1:12: error: \"interleave\" is not one of 1f1b, interleaved, zero-bubble\n"
        "  schedule = 'interleave'\n"
        "             ^\n"
        "  hint: did you mean \"interleaved\"?");
  CHECK(toml_message("schedule = 1\n",
                     [&](const TomlTable& root) { root.choice("schedule", schedules); }) ==
        "s.toml:1:12: error: schedule must be a string, not a whole number\n"
        "  schedule = 1\n"
        "             ^");
  CHECK(toml_message("on = 1\n", [](const TomlTable& root) { root.flag_or("on", true); }) ==
        "s.toml:1:6: error: on must be true or false, not a whole number\n"
        "  on = 1\n"
        "       ^");
  CHECK(toml_message("x = 5\n", [](const TomlTable& root) { root.list("x"); }) ==
        "s.toml:1:5: error: x must be a list, not a whole number\n"
        "  x = 5\n"
        "      ^");
  CHECK(toml_message("x = []\n", [](const TomlTable& root) { root.list("x"); }) ==
        "s.toml:1:5: error: x must be a list with at least one value\n"
        "  x = []\n"
        "      ^");
  CHECK(toml_message("x = [[1], 2]\n", [](const TomlTable& root) { root.list("x"); }) ==
        "s.toml:1:5: error: x must hold plain values, not a list\n"
        "  x = [[1], 2]\n"
        "      ^");
  CHECK(toml_message("x = [1, 2.5]\n", [](const TomlTable& root) { root.integers("x", counts); }) ==
        "s.toml:1:5: error: x must hold whole numbers, not a real number\n"
        "  x = [1, 2.5]\n"
        "      ^");
  CHECK(toml_message("x = [1, 0]\n", [](const TomlTable& root) { root.integers("x", counts); }) ==
        "s.toml:1:5: error: x must be between 1 and 1024, not 0\n"
        "  x = [1, 0]\n"
        "      ^");
}

TEST_CASE("a list of any values has each as TOML on one line, with its place") {
  const TomlTable root =
      TomlDocument::parse("x = [1, 'a \"b\"', [8, 8], [\n  {b = 2, a = 'x'}, {}]]\n", "s.toml")
          .root();
  const std::vector<TomlValue> values = root.any_list("x");
  REQUIRE(values.size() == 4);
  CHECK(values[0].toml == "1");
  CHECK(values[1].text == "a \"b\"");
  CHECK(values[1].toml == "\"a \\\"b\\\"\"");
  CHECK(values[2].text == "[8, 8]");
  CHECK(values[2].where.column == 18);
  CHECK(values[3].toml == "[{a = \"x\", b = 2}, {}]");
}

TEST_CASE("a string is TOML on one line, whatever it holds") {
  CHECK(toml_string("a\nb\t\\") == "\"a\\nb\\t\\\\\"");
}

TEST_CASE("an error about a setting shows where the setting stands") {
  TomlDocument document = TomlDocument::parse("[parallel]\nexpert = 8\n", "s.toml");
  const InputLocation key{"sweep.toml", 4, 10, "parallel.exprt = 9"};
  const InputLocation value{"sweep.toml", 4, 18, "parallel.exprt = 9"};
  document.set({"parallel.exprt", "9", key, value});
  const TomlTable table = document.root().table("parallel");
  table.has("expert");
  CHECK_THROWS_WITH(table.finish(), "sweep.toml:4:10: error: unknown key \"exprt\" in [parallel]\n"
                                    "  parallel.exprt = 9\n"
                                    "           ^\n"
                                    "  hint: did you mean \"expert\"?");
  CHECK_THROWS_WITH(table.text("exprt"),
                    "sweep.toml:4:18: error: exprt must be a string, not a whole number\n"
                    "  parallel.exprt = 9\n"
                    "                   ^");
}
