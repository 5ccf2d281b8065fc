#include "sim/study/sweep_links.hpp"

#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

using Shown = std::vector<std::pair<std::size_t, std::string>>;

Shown shown_of(const ReportTable& results) {
  Shown shown;
  for (const ShownPoint& point : choose_shown_points(results))
    shown.emplace_back(point.row, point.chosen_as);
  return shown;
}

} // namespace

TEST_CASE("each topology shows its fastest point and the one that keeps least") {
  const ReportTable results{
      {"status", "reason", "cluster.topology", "step_time_ms", "savings_kept_percent"},
      {{"ok", "", "a", "9", "70"},
       {"ok", "", "b", "8", "60"},
       {"ok", "", "a", "10", "-20"},
       {"out-of-memory", "", "b", "", ""},
       {"ok", "", "b", "80", "50"},
       {"ok", "", "a", "9", "-20"}}}; // equals: the first
  CHECK(
      shown_of(results) ==
      Shown{{0, "fastest"}, {2, "least savings kept"}, {1, "fastest"}, {4, "least savings kept"}});
}

TEST_CASE("without topologies the sweep as a whole shows two points, or the one that is both") {
  ReportTable results{{"status", "reason", "step_time_ms", "savings_kept_percent"},
                      {{"ok", "", "9", "70"}, {"ok", "", "10", "75"}}};
  CHECK(shown_of(results) == Shown{{0, "fastest"}});
  results.rows[0][3] = "80";
  CHECK(shown_of(results) == Shown{{0, "fastest"}, {1, "least savings kept"}});
}

TEST_CASE("a dense model has no saving and shows its fastest point only") {
  const ReportTable results{{"status", "reason", "step_time_ms", "savings_kept_percent"},
                            {{"ok", "", "9", ""}, {"ok", "", "7", ""}}};
  CHECK(shown_of(results) == Shown{{1, "fastest"}});
}

TEST_CASE("a sweep in which nothing ran shows no point") {
  CHECK(shown_of({{"status", "reason", "step_time_ms"}, {{"illegal", "no", ""}}}).empty());
}

TEST_CASE("a folder without links.csv has a table without columns") {
  const TemporaryFolder folder;
  CHECK(read_links(folder.path()).columns.empty());
}
