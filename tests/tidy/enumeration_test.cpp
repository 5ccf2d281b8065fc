#include "tests/tidy/functions.hpp"
#include "tests/tidy/source_files.hpp"

#include <catch2/catch.hpp>

#include <regex>

/// Rules for enumerations: their order is no logic, and no number becomes an enumerator.
namespace {

using namespace moesim::tidy;

/// The enumerations that a text declares with enumerators; ids have none.
std::set<std::string> enumerations_in(const std::string& code) {
  static const std::regex declaration("enum class (\\w+)(?:\\s*:\\s*[\\w:]+)?\\s*\\{\\s*\\w");
  std::set<std::string> names;
  for (std::sregex_iterator match(code.begin(), code.end(), declaration), end; match != end;
       ++match)
    names.insert((*match)[1]);
  return names;
}

/// The rule that a line of code breaks; empty if it breaks none. Comparisons of variables are not
/// seen, only those with an enumerator that is written out.
std::string broken_rule(const std::string& line, const std::set<std::string>& enumerations) {
  static const std::regex cast("static_cast<(?:\\w+::)*(\\w+)>\\(|\\b(\\w+)\\(static_cast<");
  static const std::regex compared(" [<>]=? (?:\\w+::)*(\\w+)::\\w+\\b(?!\\()");
  static const std::regex compares("\\b(\\w+)::\\w+ [<>]=? ");
  const auto breaks = [&](const std::regex& pattern) {
    for (std::sregex_iterator match(line.begin(), line.end(), pattern), end; match != end; ++match)
      for (std::size_t group = 1; group < match->size(); ++group)
        if (enumerations.contains((*match)[group]))
          return true;
    return false;
  };
  if (breaks(cast))
    return "makes an enumerator of a number: look it up in a table of its names";
  if (breaks(compared) || breaks(compares))
    return "orders enumerators: list them, or give them a row";
  return "";
}

} // namespace

TEST_CASE("the rules for enumerations see casts and comparisons, not ids or sizes") {
  const std::set<std::string> known =
      enumerations_in("enum class Pass : std::uint8_t {\n  forward,\n};\nenum class Id {};\n"
                      "enum class Kind { a, b };");
  CHECK(known == std::set<std::string>{"Pass", "Kind"});
  for (const char* bad :
       {"x = static_cast<Pass>(found - begin);", "x = static_cast<moesim::Kind>(1);",
        "x = Pass(static_cast<int>(y) + 1);", "if (kind >= Kind::b)", "if (Spec::Kind::b < kind)"})
    CHECK(broken_rule(bad, known) != "");
  for (const char* good :
       {"x = static_cast<Id>(1);", "n = static_cast<int>(Kind::a);", "if (n < std::max(a, b))",
        "if (kind == Kind::a)", "std::array<int, size<Kind>> a;", "i < Kind::count()"})
    CHECK(broken_rule(good, known) == "");
}

TEST_CASE("no number becomes an enumerator, and the order of enumerators is no logic") {
  std::set<std::string> known;
  const std::vector<SourceFile> files = read_project();
  for (const SourceFile& file : files)
    if (file.is_cpp())
      known.merge(enumerations_in(code_only(file.text)));
  CHECK(known.size() > 40);
  Violations found;
  for (const SourceFile& file : files) {
    if (!file.is_cpp())
      continue;
    std::istringstream code(code_only(file.text));
    std::string text;
    for (std::size_t line = 0; std::getline(code, text); ++line)
      if (const std::string rule = broken_rule(text, known); !rule.empty())
        found.push_back(place(file, line, rule));
  }
  CHECK(listed(found) == "");
}
