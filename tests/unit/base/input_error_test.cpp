#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace moesim;

namespace {

struct Row {
  std::string rule;
  InputLocation where;
  std::string message;
  std::string hint;
  std::string text;
};

/// One row for each form that a message can take.
const std::vector<Row> rows = {
    {"everything",
     {"links.csv", 4, 12, "leaf0,spine0,40O"},
     "\"40O\" is not a number",
     "use digits",
     "links.csv:4:12: error: \"40O\" is not a number\n"
     "  leaf0,spine0,40O\n"
     "             ^\n"
     "  hint: use digits"},
    {"a file without a place",
     {"links.csv"},
     "cannot be read",
     "",
     "links.csv: error: cannot be "
     "read"},
    {"a file without a place, and a hint",
     {"links.csv"},
     "cannot be read",
     "is it there?",
     "links.csv: error: cannot be read\n"
     "  hint: is it there?"},
    {"a line without its text", {"a.csv", 3, 2}, "wrong", "", "a.csv:3:2: error: wrong"},
    {"a line without a column",
     {"a.csv", 3, 0, "abc"},
     "wrong",
     "",
     "a.csv:3:1: error: wrong\n"
     "  abc\n"
     "  ^"},
    {"a column just past the line",
     {"a.csv", 1, 4, "abc"},
     "a cell is missing",
     "",
     "a.csv:1:4: error: a cell is missing\n"
     "  abc\n"
     "     ^"},
    {"tabs before the column, which the caret line repeats",
     {"a.csv", 1, 4, "\tx\ty"},
     "wrong",
     "",
     "a.csv:1:4: error: wrong\n"
     "  \tx\ty\n"
     "  \t \t^"},
    {"a long line, cut on both sides of the column: 100 bytes before it, 99 behind",
     {"a.txt", 1, 301, std::string(300, 'a') + "b" + std::string(300, 'c')},
     "wrong",
     "",
     "a.txt:1:301: error: wrong\n"
     "  ..." +
         std::string(100, 'a') + "b" + std::string(99, 'c') + "...\n  " + std::string(103, ' ') +
         "^"},
    {"a long line, its start",
     {"a.txt", 1, 2, "ab" + std::string(300, 'c')},
     "wrong",
     "",
     "a.txt:1:2: error: wrong\n"
     "  ab" +
         std::string(198, 'c') + "...\n   ^"},
    {"a long line, just past its end",
     {"a.txt", 1, 302, std::string(300, 'a') + "b"},
     "wrong",
     "",
     "a.txt:1:302: error: wrong\n"
     "  ..." +
         std::string(199, 'a') + "b\n  " + std::string(203, ' ') + "^"},
    {"a long line that is not cut within a letter: the window would begin at its second byte",
     {"a.txt", 1, 202, std::string(100, 'a') + "\u00e4" + std::string(300, 'b')},
     "wrong",
     "",
     "a.txt:1:202: error: wrong\n"
     "  ..." +
         std::string(199, 'b') + "...\n  " + std::string(102, ' ') + "^"},
};

void break_invariant(int layers, int stages) {
  INVARIANT(layers >= stages, "layers {} stages {}", layers, stages);
}

} // namespace

TEST_CASE("an input error shows its place, the line, a caret and a hint") {
  for (const Row& row : rows) {
    INFO(row.rule);
    const InputError error(row.where, row.message, row.hint);
    CHECK(std::string(error.what()) == row.text);
    CHECK(error.message() == row.message);
  }
}

TEST_CASE("a byte of a text has a line and a column, and stands in its line") {
  const std::string text = "one\ntwo\n\nfour";
  struct Place {
    std::size_t offset;
    int line;
    int column;
    std::string source;
  };
  // A line end is the last column of its line.
  const std::vector<Place> places = {{0, 1, 1, "one"},   {2, 1, 3, "one"},  {3, 1, 4, "one"},
                                     {4, 2, 1, "two"},   {8, 3, 1, ""},     {9, 4, 1, "four"},
                                     {12, 4, 4, "four"}, {13, 4, 5, "four"}};
  for (const Place& place : places) {
    INFO(place.offset);
    const InputLocation where = locate_offset("f", text, place.offset);
    CHECK(where.file == "f");
    CHECK(where.line == place.line);
    CHECK(where.column == place.column);
    CHECK(where.source_line == place.source);
  }
}

TEST_CASE("a byte past the text is at its end, and an empty text has one empty line") {
  CHECK(locate_offset("f", "ab", 99).column == 3);
  const InputLocation where = locate_offset("f", "", 5);
  CHECK(where.line == 1);
  CHECK(where.column == 1);
  CHECK(where.source_line.empty());
}

TEST_CASE("a misspelt name suggests the nearest known one, and only if it is near") {
  const std::vector<std::string> known = {"expert", "tensor", "pipeline", "layers_per_stage"};
  CHECK(suggest_name("expret", known) == "did you mean \"expert\"?");
  CHECK(suggest_name("tensors", known) == "did you mean \"tensor\"?");
  CHECK(suggest_name("pipline", known) == "did you mean \"pipeline\"?");
  // A long name may be off by a third of its letters.
  CHECK(suggest_name("layer_per_stages", known) == "did you mean \"layers_per_stage\"?");
  CHECK(suggest_name("zzzz", known).empty());
  // Case and punctuation, words in another order, a part of the name, an abbreviation.
  CHECK(suggest_name("H100_SXM", {"gb200", "h100-sxm"}) == "did you mean \"h100-sxm\"?");
  CHECK(suggest_name("max_gpus", {"gpus", "gpus_max"}) == "did you mean \"gpus_max\"?");
  CHECK(suggest_name("nic_gbit", {"nics", "nic_gbit_per_s"}) == "did you mean \"nic_gbit_per_s\"?");
  CHECK(suggest_name("tensor_parallel", known) == "did you mean \"tensor\"?");
  CHECK(suggest_name("seq_length", {"sequence_length"}) == "did you mean \"sequence_length\"?");
  CHECK(suggest_name("", known).empty());
  CHECK(suggest_name("expert", {}).empty());
}

TEST_CASE("of two names equally near the first known one is suggested") {
  CHECK(suggest_name("data", {"date", "dats"}) == "did you mean \"date\"?");
}

TEST_CASE("a broken invariant names its place, its condition and the values") {
  CHECK_NOTHROW(break_invariant(4, 4));
  try {
    break_invariant(3, 4);
    FAIL("no error");
  } catch (const InternalError& error) {
    const std::string text = error.what();
    CHECK(text.find("input_error_test.cpp:") != std::string::npos);
    CHECK(text.find("invariant broken: layers >= stages (layers 3 stages 4)") != std::string::npos);
  }
}

TEST_CASE("an error in a line of a named file is followed by the place that names the file") {
  InputError error({"links.csv", 4, 12, "leaf0,spine0,40O"}, "not a number", "use digits");
  error.add_naming({"graph.toml", 9, 9, "links = \"links.csv\""}, "unused");
  error.add_naming({"s.toml", 2, 1, "topology = \"graph.toml\""}, "");
  CHECK(std::string(error.what()) == "links.csv:4:12: error: not a number\n"
                                     "  leaf0,spine0,40O\n"
                                     "             ^\n"
                                     "  hint: use digits\n"
                                     "graph.toml:9:9: the file is named here\n"
                                     "  links = \"links.csv\"\n"
                                     "          ^\n"
                                     "s.toml:2:1: the file is named here\n"
                                     "  topology = \"graph.toml\"\n"
                                     "  ^");
  CHECK(error.message() == "not a number");
  CHECK(error.where().file == "links.csv");
}

TEST_CASE("an error about a whole named file stands at the place that names the file") {
  InputError error({"links.csv"}, "cannot be read");
  error.add_naming({"--bytes"}, "unused"); // no line: nothing to point at
  CHECK(std::string(error.what()) == "links.csv: error: cannot be read");
  error.add_naming({"graph.toml", 9, 9, "links = \"links.csv\""}, "is it there?");
  CHECK(std::string(error.what()) == "graph.toml:9:9: error: links.csv: cannot be read\n"
                                     "  links = \"links.csv\"\n"
                                     "          ^\n"
                                     "  hint: is it there?");
  CHECK(error.message() == "links.csv: cannot be read");
  InputError hinted({"links.csv"}, "cannot be read", "own hint");
  hinted.add_naming({"s.toml", 1, 2, ""}, "another");
  CHECK(std::string(hinted.what()) ==
        "s.toml:1:2: error: links.csv: cannot be read\n  hint: own hint");
}

TEST_CASE("the error of another process keeps its text") {
  const InputError error({"links.csv", 4, 12, "leaf0,spine0,40O"}, "not a number", "use digits");
  CHECK(InputError::relayed(error.what()).what() == std::string(error.what()));
  CHECK(InputError::relayed(error.what()).message() == error.what());
}
