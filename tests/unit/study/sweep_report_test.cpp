#include "sim/study/sweep_report.hpp"

#include "sim/report/report_answer.hpp"

#include <catch2/catch.hpp>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

/// Points of one topology that keep these shares of the saving, at one speed.
ReportTable kept(const std::vector<std::string>& percents) {
  ReportTable results{{"status", "reason", "cluster.topology", "step_time_ms", "tokens_per_s",
                       "savings_kept_percent"},
                      {}};
  for (const std::string& percent : percents)
    results.rows.push_back({"ok", "", "a.toml", "2000", "300.26", percent});
  return results;
}

} // namespace

TEST_CASE("the summary of a sweep has the throughput, the step time and the savings kept") {
  const ReportTable even = kept({"58.6", "10", "90", "55.4"});
  const ResultTable summary = summarise(even, {"cluster.topology"}, TableFormat::csv);
  CHECK(summary.columns ==
        std::vector<std::string>{"cluster.topology", "points", "ok", "out-of-memory", "illegal",
                                 "failed", "tokens_per_s_least", "tokens_per_s_median",
                                 "tokens_per_s_most", "step_least_ms", "step_median_ms",
                                 "step_most_ms", "kept_least_percent", "kept_median_percent",
                                 "kept_most_percent"});
  CHECK(summary.rows == std::vector<std::vector<std::string>>{
                            {"a", "4", "4", "0", "0", "0", "300.3", "300.3", "300.3", "2000.0",
                             "2000.0", "2000.0", "10.0", "57.0", "90.0"}}); // (55.4 + 58.6) / 2
  CHECK_THAT(answer_html(TableReader(even), {"cluster.topology"}), Contains("median 57 %"));
}

TEST_CASE("the summary of a sweep for people has the three values of a measure in one cell") {
  const ReportTable even = kept({"58.6", "10", "90", "55.4"});
  const ResultTable summary = summarise(even, {"cluster.topology"}, TableFormat::table);
  CHECK(summary.columns == std::vector<std::string>{"cluster.topology", "points", "ok",
                                                    "out-of-memory", "illegal", "failed",
                                                    "tokens_per_s", "step_ms", "kept_percent"});
  CHECK(summary.rows.front() == std::vector<std::string>{"a", "4", "4", "0", "0", "0",
                                                         "300..300 (300)", "2000..2000 (2000)",
                                                         "10..90 (57)"});
}

TEST_CASE("the summary of a sweep for people has short numbers") {
  ReportTable results = kept({"-0.4", "-0.4"});
  results.rows[0][3] = "9.96";
  results.rows[0][4] = "12037734";
  results.rows[1][3] = "12345.6";
  results.rows[1][4] = "9999.4";
  const std::vector<std::string> row =
      summarise(results, {"cluster.topology"}, TableFormat::table).rows.front();
  CHECK(row[6] == "9999..12.0M (6.02M)"); // (12,037,734 + 9,999.4) / 2
  CHECK(row[7] == "10.0..12.3k (6178)");  // (9.96 + 12,345.6) / 2
}

TEST_CASE("the summary of a sweep without twins has no savings kept") {
  CHECK(summarise(kept({"", ""}), {"cluster.topology"}, TableFormat::csv).columns.back() ==
        "step_most_ms");
}

// Points of a.toml reach 400 and 100 tokens/s, points of b.toml 300 and 200. At its fastest point
// b.toml is slower, although the slowest point is one of a.toml.
TEST_CASE("a report compares topologies at their fastest points") {
  ReportTable results = kept({"70", "30", "50", "90"});
  for (std::size_t row = 0; row < 4; ++row) {
    results.rows[row][2] = row == 1 || row == 2 ? "b.toml" : "a.toml";
    results.rows[row][4] = std::to_string(400 - 100 * row);
  }
  const std::string html = answer_html(TableReader(results), {"cluster.topology"});
  CHECK_THAT(html, Contains("<p class=\"answer\">Fastest is a: <a class=\"n\" href=\"#row=1\""));
  CHECK_THAT(html, Contains("<tr><th>b<td data-label=\"at\"><span>–</span><td class=\"number\" "
                            "data-label=\"tokens/s\"><span><a class=\"n\" href=\"#row=2\""));
  // 300 over 400 tokens/s.
  CHECK_THAT(html, Contains("<tr><th>b<td data-label=\"instead of\"><span>a</span>"));
  CHECK_THAT(html, Contains("<span>−25 %</span>"));
}

TEST_CASE("a report of one topology compares its fastest and its slowest point") {
  ReportTable results = kept({"70", "30", "50", "90"});
  for (std::size_t row = 0; row < 4; ++row)
    results.rows[row][4] = std::to_string(400 - 100 * row);
  const std::string html = answer_html(TableReader(results), {"cluster.topology"});
  CHECK_THAT(html, Contains("<tr><th>slowest<td data-label=\"at\"><span>–</span><td "
                            "class=\"number\" data-label=\"tokens/s\"><span><a class=\"n\" "
                            "href=\"#row=4\" data-row=\"4\" data-column=\"tokens_per_s\">100.0<"));
}

TEST_CASE("a report's notes name the measurements that stand in, and at how many points") {
  ReportTable results = kept({"30", "20", "10"});
  results.columns.emplace_back("stand_ins");
  results.rows[0].emplace_back("attention: the table of h200-sxm");
  results.rows[1].emplace_back("");
  results.rows[2].emplace_back("all_to_all on nvlink6: the curve of all_to_all on nvlink5; "
                               "attention: the table of h200-sxm");
  CHECK(sweep_origin({}, results, "", "").notes ==
        std::vector<std::string>{
            "Measurements of something else stand in for attention: the table of h200-sxm (at 2 of "
            "3 points), all_to_all on nvlink6: the curve of all_to_all on nvlink5 (at 1 of 3 "
            "points)."});
}

TEST_CASE("the summary of points that did not run has no shares") {
  ReportTable results = kept({"30", ""});
  results.rows.back() = {"out-of-memory", "", "b.toml", "", "", ""};
  CHECK(summarise(results, {"cluster.topology"}, TableFormat::csv).rows.back() ==
        std::vector<std::string>{"b", "1", "0", "1", "0", "0", "", "", "", "", "", "", "", "", ""});
}
