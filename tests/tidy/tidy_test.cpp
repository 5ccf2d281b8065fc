#include "tests/tidy/classes.hpp"
#include "tests/tidy/functions.hpp"
#include "tests/tidy/source_files.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <vector>

/// The project's style as tests over its own files. A failure lists `file:line: rule`.
namespace {

using namespace moesim::tidy;
/// Each module may use those before it.
const std::vector<std::string> modules = {"base",     "input",  "workload",  "routing",  "platform",
                                          "scenario", "cost",   "calibrate", "schedule", "replay",
                                          "metrics",  "search", "report",    "study",    "serve",
                                          "importer", "app"};

constexpr std::size_t columns_max = 100;
constexpr std::size_t file_lines_max = 400;
constexpr std::size_t function_lines_max = 60;
constexpr std::size_t methods_max = 15;
/// The words before the reason, in the docstring of a class with more methods.
const std::string methods_reason = "More than 15 methods: ";

/// Runs a rule over every line of the files that `applies` picks.
template <typename Applies, typename Rule>
std::string find_lines(Applies applies, const std::string& rule, Rule breaks) {
  Violations found;
  for (const SourceFile& file : read_project())
    if (applies(file))
      for (std::size_t line = 0; line < file.lines.size(); ++line)
        if (breaks(file.lines[line]))
          found.push_back(place(file, line, rule));
  return listed(found);
}

bool everywhere(const SourceFile&) {
  return true;
}

struct Include {
  std::size_t line;
  std::string path;
  bool quoted;
};

std::vector<Include> includes_of(const SourceFile& file) {
  static const std::regex pattern("^\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"]");
  std::vector<Include> includes;
  if (file.is_cpp())
    for (std::size_t line = 0; line < file.lines.size(); ++line)
      if (std::smatch match; std::regex_search(file.lines[line], match, pattern))
        includes.push_back({line, match[2], match[1] == "\""});
  return includes;
}

/// The position of the module that a path `sim/<module>/…` is in; past the end if there is none.
std::size_t module_rank(const std::string& path) {
  const std::size_t start = path.find('/') + 1;
  const std::string name = path.substr(start, path.find('/', start) - start);
  return static_cast<std::size_t>(std::find(modules.begin(), modules.end(), name) -
                                  modules.begin());
}

/// Code points of a line: what a column is in an editor.
std::size_t width_of(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  }));
}

} // namespace

TEST_CASE("the project's files are found") {
  std::set<std::string> paths;
  for (const SourceFile& file : read_project())
    paths.insert(file.path);
  for (const char* known :
       {"CMakeLists.txt", "sim/base/units.hpp", "sim/app/main.cpp", "tests/tidy/tidy_test.cpp"}) {
    INFO(known);
    CHECK(paths.count(known) == 1);
  }
}

TEST_CASE("a module includes only modules before it in the straight line") {
  Violations found;
  for (const SourceFile& file : read_project()) {
    if (!file.is_in("sim/"))
      continue;
    const std::size_t own = module_rank(file.path);
    if (own == modules.size())
      found.push_back(place(file, 0, "is in no module of the straight line"));
    for (const Include& include : includes_of(file))
      if (include.quoted &&
          (include.path.compare(0, 4, "sim/") != 0 || module_rank(include.path) > own))
        found.push_back(place(file, include.line, "must not include " + include.path));
  }
  CHECK(listed(found) == "");
}

TEST_CASE("a library is included only where it is wrapped") {
  struct Library {
    std::string header; ///< how its headers begin
    std::vector<std::string> places;
  };
  const std::vector<Library> libraries = {
      {"simgrid/", {"sim/replay/simgrid_machine.cpp"}},
      {"xbt/", {"sim/replay/simgrid_machine.cpp"}},
      {"boost/graph", {"sim/platform/"}},
      {"libfccp/", {"sim/input/csv_table.cpp"}},
      {"toml++/", {"sim/input/toml_document.cpp", "sim/input/toml_node."}},
      {"nlohmann/",
       {"sim/input/", "sim/search/", "sim/report/", "sim/study/", "sim/serve/", "sim/app/",
        "tests/"}},
      {"Eigen/",
       {"sim/calibrate/network_fit.cpp", "sim/calibrate/streaming_fit.cpp",
        "sim/study/step_fit.cpp"}},
      {"httplib", {"sim/serve/web_server.cpp"}},
      {"pugixml", {"sim/input/xml_document.cpp"}},
      {"yaml-cpp", {"sim/input/yaml_document.cpp"}},
  };
  Violations found;
  for (const SourceFile& file : read_project())
    for (const Include& include : includes_of(file))
      for (const Library& library : libraries)
        if (include.path.compare(0, library.header.size(), library.header) == 0 &&
            std::none_of(library.places.begin(), library.places.end(),
                         [&](const std::string& allowed) { return file.is_in(allowed); }))
          found.push_back(place(file, include.line, "must not include " + include.path));
  CHECK(listed(found) == "");
}

TEST_CASE("lines of code are at most 100 columns wide") {
  CHECK(find_lines([](const SourceFile& file) { return file.is_cpp() || file.is_cmake(); },
                   "is wider than 100 columns",
                   [](const std::string& line) { return width_of(line) > columns_max; }) == "");
}

TEST_CASE("files of code are at most 400 lines long") {
  Violations found;
  for (const SourceFile& file : read_project())
    if (!file.is_data() && file.lines.size() > file_lines_max)
      found.push_back(place(file, file.lines.size() - 1, "the file is longer than 400 lines"));
  CHECK(listed(found) == "");
}

TEST_CASE("functions are at most 60 lines long") {
  Violations found;
  for (const SourceFile& file : read_project())
    if (file.is_cpp())
      for (const Function& function : functions_of(file.text))
        if (function.length > function_lines_max)
          found.push_back(place(file, function.line,
                                "the function has " + std::to_string(function.length) + " lines"));
  CHECK(listed(found) == "");
}

TEST_CASE("classes have at most 15 methods, or a docstring with the reason for more") {
  Violations found;
  for (const SourceFile& file : read_project())
    if (file.is_cpp())
      for (const Class& one : classes_of(file.text)) {
        const bool large = one.methods > methods_max;
        const bool reasoned =
            docstring_above(file.lines, one.line).find(methods_reason) != std::string::npos;
        if (large != reasoned)
          found.push_back(place(file, one.line,
                                one.name + " has " + std::to_string(one.methods) + " methods and " +
                                    (reasoned ? "a" : "no") + " reason for more than 15"));
      }
  CHECK(listed(found) == "");
}

TEST_CASE("there are no tabs, no carriage returns and no spaces at the end of a line") {
  CHECK(find_lines(everywhere, "has a tab, a carriage return or a space at its end",
                   [](const std::string& line) {
                     return line.find_first_of("\t\r") != std::string::npos ||
                            (!line.empty() && line.back() == ' ');
                   }) == "");
}

TEST_CASE("every file ends with one line end") {
  Violations found;
  for (const SourceFile& file : read_project()) {
    const bool blank = file.lines.empty() || file.lines.back().empty();
    if (blank || file.text.back() != '\n')
      found.push_back(place(file, file.lines.empty() ? 0 : file.lines.size() - 1,
                            "does not end with one line end"));
  }
  CHECK(listed(found) == "");
}

TEST_CASE("nothing is left to be done in a comment") {
  const std::regex pattern("\\b(TO"
                           "DO|FIX"
                           "ME|X"
                           "XX)\\b");
  CHECK(find_lines(everywhere, "is left to be done", [&](const std::string& line) {
          return std::regex_search(line, pattern);
        }) == "");
}

TEST_CASE("no sentence of a comment in sim/ opens with What or So that") {
  const std::regex pattern("(//[/!]?<? *|//.*[.:] )(What|So that) ");
  CHECK(find_lines([](const SourceFile& file) { return file.is_in("sim/") && file.is_cpp(); },
                   "opens with What or So that: begin with a noun or a verb",
                   [&](const std::string& line) { return std::regex_search(line, pattern); }) ==
        "");
}

TEST_CASE("no file names a folder of one machine") {
  const std::regex pattern("(^|[^A-Za-z0-9_.)}-])/(wo"
                           "rk|t"
                           "mp|ro"
                           "ot|ho"
                           "me)(/|[^A-Za-z0-9_-]|$)");
  CHECK(find_lines(everywhere, "names a folder of one machine", [&](const std::string& line) {
          return std::regex_search(line, pattern);
        }) == "");
}

TEST_CASE("every source file is built: its CMakeLists.txt names it") {
  Violations found;
  for (const SourceFile& file : read_project()) {
    // The CMakeLists.txt of tests and of cuda_microbench take whatever stands in these folders.
    const bool globbed = (file.is_in("tests/unit/") && file.path.ends_with("_test.cpp")) ||
                         file.is_in("tests/model/") || file.is_in("tests/property/") ||
                         file.is_in("cuda_microbench/");
    if (!file.is({".cpp", ".cu"}) || globbed)
      continue;
    fs::path folder = fs::path(file.path).parent_path();
    while (!folder.empty() && !fs::exists(source_dir / folder / "CMakeLists.txt"))
      folder = folder.parent_path();
    const std::string name = fs::path(file.path).filename().string();
    const std::regex named("(^|[\\s/])" + std::regex_replace(name, std::regex("\\."), "\\.") +
                           "($|[\\s)])");
    if (!std::regex_search(read(source_dir / folder / "CMakeLists.txt").text, named))
      found.push_back(place(file, 0, "is not named in " + (folder / "CMakeLists.txt").string()));
  }
  CHECK(listed(found) == "");
}

TEST_CASE("the table of a scenario's keys has those that are read, and no others") {
  const auto names_in = [](const std::string& text, const std::regex& pattern) {
    std::set<std::string> names;
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match)
      names.insert((*match)[1]);
    return names;
  };
  // A read is a member of a table, or one of the reader's own functions on it.
  const std::set<std::string> read_keys =
      names_in(read(source_dir / "sim/scenario/scenario_input.cpp").text +
                   read(source_dir / "sim/scenario/failures_input.cpp").text +
                   read(source_dir / "sim/scenario/routing_input.cpp").text +
                   read(source_dir / "sim/scenario/search_input.cpp").text,
               std::regex("(?:table(?:\\.|->)\\w+|optional_(?:count|hours)|minutes_or|"
                          "parse_modules|chosen(?:_or)?)\\("
                          "\\s*(?:\\*?table,\\s*)?\"([a-z0-9_]+)\""));
  std::string first_cells;
  for (const std::string& line : read(source_dir / "workloads/SCENARIO.md").lines)
    if (line.starts_with("| `"))
      first_cells += line.substr(0, line.find('|', 1));
  std::set<std::string> listed = names_in(first_cells, std::regex("`([a-z0-9_]+)`"));
  CHECK(listed.erase("fault") == 1); // which the topology reads
  CHECK(listed == read_keys);
}
