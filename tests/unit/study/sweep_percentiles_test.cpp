#include "sim/study/sweep_percentiles.hpp"

#include "sim/study/sweep_loads.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

using Row = std::vector<std::string>;

/// Two values of an axis, three seeds each; one of "b" does not fit.
ReportTable six_points() {
  return {{"status", "reason", "routing.step", "routing.seed", "step_time_ms", "memory_gib_per_gpu",
           "dropped_tokens_percent", "load_max_over_mean"},
          {{"ok", "", "0", "1", "30", "5", "0", "2"},
           {"ok", "", "0", "2", "10", "6", "1", "3"},
           {"ok", "", "0", "3", "20", "7", "2", "4"},
           {"ok", "", "9", "1", "8", "5", "0", "1"},
           {"out-of-memory", "no room", "9", "2", "", "90", "", "9"},
           {"ok", "", "9", "3", "9", "6", "0", "1"}}};
}

} // namespace

// The nearest rank of a share p among n is ⌈p n⌉: of three the second is p50, the third p95 and
// p99; of two the first is p50.
TEST_CASE("percentiles over the seeds have a row for each combination of the other axes") {
  const ResultTable table = seed_percentiles(six_points(), {"routing.step", "routing.seed"});
  REQUIRE(table.columns.size() == 3 + 4 * 3);
  CHECK(Row(table.columns.begin(), table.columns.begin() + 6) ==
        Row{"routing.step", "seeds", "out_of_memory_percent", "step_time_ms_p50",
            "step_time_ms_p95", "step_time_ms_p99"});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0] ==
        Row{"0", "3", "0", "20", "30", "30", "6", "7", "7", "1", "2", "2", "3", "4", "4"});
  CHECK(table.rows[1] ==
        Row{"9", "2", "33.3333", "8", "9", "9", "5", "6", "6", "0", "0", "0", "1", "1", "1"});
}

TEST_CASE("without an axis of seeds there are no percentiles, and an old file goes") {
  CHECK(seed_percentiles(six_points(), {"routing.step"}).rows.empty());
  const TemporaryFolder folder;
  CHECK(write_percentiles(six_points(), {"routing.step", "routing.seed"}, folder.path())
            .rows.size() == 2);
  CHECK(read_percentiles(folder.path()).rows.size() == 2);
  CHECK(write_percentiles(six_points(), {"routing.step"}, folder.path()).rows.empty());
  CHECK(read_percentiles(folder.path()).columns.empty());
}

TEST_CASE("loads are shown of the points of the links, and of these at other steps") {
  ReportTable results = six_points();
  const auto rows = [&](const std::vector<std::string>& axes) {
    std::vector<std::pair<std::size_t, std::string>> shown;
    for (const ShownPoint& point : choose_load_points(results, axes))
      shown.emplace_back(point.row, point.chosen_as);
    return shown;
  };
  using Shown = std::vector<std::pair<std::size_t, std::string>>;
  CHECK(rows({"routing.step", "routing.seed"}) ==
        Shown{{0, "another step"}, {3, "fastest"}}); // of seed 1
  results.rows[0].front() = "failed";
  CHECK(rows({"routing.step", "routing.seed"}) == Shown{{3, "fastest"}});
}
