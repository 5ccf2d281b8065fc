#include "sim/input/csv_table.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <vector>

using namespace moesim;

namespace {

using Use = std::function<void(const CsvTable&)>;

struct Refusal {
  std::string rule;
  std::string text;
  Use use;
  std::string message;
};

void nothing(const CsvTable&) {}
void read_number(const CsvTable& table) {
  table.number(0, 1);
}
void read_integer(const CsvTable& table) {
  table.integer(0, 1);
}
void read_positive(const CsvTable& table) {
  table.positive_number(0, 1);
}
void expect_two(const CsvTable& table) {
  table.expect_columns({"name", "time_us"});
}

std::string message_of(const Refusal& row) {
  try {
    row.use(CsvTable::parse(row.text, "t.csv"));
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

/// One row for each rule.
const std::vector<Refusal> refusals = {
    {"a text without a header", "# only a comment\n", nothing, "t.csv: error: has no header row"},
    {"a column named twice", "a,b,a\n", nothing,
     "t.csv:1:5: error: the column \"a\" appears twice\n"
     "  a,b,a\n"
     "      ^"},
    {"a row that is too short", "a,b\n1,2\n3\n", nothing,
     "t.csv:3:1: error: 1 cells where the header has 2 columns\n"
     "  3\n"
     "  ^"},
    {"a row that is too long", "a,b\n1,2,3\n", nothing,
     "t.csv:2:1: error: 3 cells where the header has 2 columns\n"
     "  1,2,3\n"
     "  ^"},
    {"a quote without an end", "a,b\n1,\"2\n", nothing,
     "t.csv:2:3: error: this quote does not end\n"
     "  1,\"2\n"
     "    ^"},
    {"text after a quoted cell", "a,b\n\"1\"x,2\n", nothing,
     "t.csv:2:4: error: expected a comma after the quoted cell\n"
     "  \"1\"x,2\n"
     "     ^"},
    {"an unknown column", "name,time_ms\nx,1\n", expect_two,
     "t.csv:1:6: error: unknown column \"time_ms\"\n"
     "  name,time_ms\n"
     "       ^\n"
     "  hint: did you mean \"time_us\"?"},
    {"a missing column", "time_us\n1\n", expect_two,
     "t.csv:1:1: error: the column \"name\" is missing\n"
     "  time_us\n"
     "  ^"},
    {"a letter in a number", "a,b\n1,40O\n", read_number,
     "t.csv:2:3: error: b: \"40O\" is not a number\n"
     "  1,40O\n"
     "    ^"},
    {"an empty cell", "a,b\n1,\n", read_number,
     "t.csv:2:3: error: b: \"\" is not a number\n"
     "  1,\n"
     "    ^"},
    {"not a number", "a,b\n1,nan\n", read_number,
     "t.csv:2:3: error: b: \"nan\" is not a number\n"
     "  1,nan\n"
     "    ^"},
    {"a number too large to hold", "a,b\n1,1e999\n", read_number,
     "t.csv:2:3: error: b: \"1e999\" is not a number\n"
     "  1,1e999\n"
     "    ^"},
    {"a space before a number", "a,b\n1, 2\n", read_number,
     "t.csv:2:3: error: b: \" 2\" is not a number\n"
     "  1, 2\n"
     "    ^"},
    {"a fraction for a whole number", "a,b\n1,2.5\n", read_integer,
     "t.csv:2:3: error: b: \"2.5\" is not a whole number\n"
     "  1,2.5\n"
     "    ^"},
    {"a negative amount", "a,b\n1,-2\n", read_positive,
     "t.csv:2:3: error: b: \"-2\" is not above zero\n"
     "  1,-2\n"
     "    ^"},
    {"an amount of zero", "a,b\n1,0\n", read_positive,
     "t.csv:2:3: error: b: \"0\" is not above zero\n"
     "  1,0\n"
     "    ^"},
};

} // namespace

TEST_CASE("cells are read by column name, past comments and empty lines") {
  const CsvTable table = CsvTable::parse("# measured twice\n"
                                         "name,count,time_us\n"
                                         "\n"
                                         "first,7,1.5\n"
                                         "# between rows\n"
                                         "second,-8,2e3\n",
                                         "t.csv");
  REQUIRE(table.rows() == 2);
  CHECK(table.columns() == std::vector<std::string>{"name", "count", "time_us"});
  CHECK(table.text(1, table.column("name")) == "second");
  CHECK(table.integer(1, table.column("count")) == -8);
  CHECK(table.number(1, table.column("time_us")) == 2000.0);
  CHECK(table.has_column("count"));
  CHECK_FALSE(table.has_column("counts"));
}

TEST_CASE("a quoted cell may hold commas, and doubled quotes stand for one") {
  const CsvTable table = CsvTable::parse("a,b\n\"x, \"\"y\"\"\",\"\"\n", "t.csv");
  CHECK(table.text(0, 0) == "x, \"y\"");
  CHECK(table.text(0, 1).empty());
}

TEST_CASE("a byte order mark, carriage returns and a missing last line end are no part of a cell") {
  const CsvTable table = CsvTable::parse("\xEF\xBB\xBF"
                                         "a,b\r\n1,2\r\n3,4",
                                         "t.csv");
  REQUIRE(table.rows() == 2);
  CHECK(table.columns() == std::vector<std::string>{"a", "b"});
  CHECK(table.integer(0, 1) == 2);
  CHECK(table.integer(1, 1) == 4);
}

TEST_CASE("a trailing comma is an empty last cell") {
  const CsvTable table = CsvTable::parse("a,b\n1,\n", "t.csv");
  CHECK(table.text(0, 1).empty());
}

TEST_CASE("a cell knows its line and column in the file") {
  const InputLocation where = CsvTable::parse("#\na,b\n\"1\",22\n", "t.csv").where(0, 1);
  CHECK(where.file == "t.csv");
  CHECK(where.line == 3);
  CHECK(where.column == 5);
  CHECK(where.source_line == "\"1\",22");
}

TEST_CASE("columns may stand in any order where a set of them is expected") {
  CHECK_NOTHROW(
      CsvTable::parse("time_us,name\n1,x\n", "t.csv").expect_columns({"name", "time_us"}));
}

TEST_CASE("every malformed CSV is refused with its place, its line and a hint") {
  for (const Refusal& row : refusals) {
    INFO(row.rule);
    CHECK(message_of(row) == row.message);
  }
}

TEST_CASE("a CSV file that is not there is refused with the system's reason") {
  try {
    CsvTable::read("no-such-folder/t.csv");
    FAIL("no error");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()) ==
          "no-such-folder/t.csv: error: cannot be read: No such file or directory");
  }
}
