#include "sim/study/sweep_report.hpp"

#include "sim/report/report_answer.hpp"

#include <catch2/catch.hpp>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

/// Points of one topology that keep these shares of the saving.
ReportTable kept(const std::vector<std::string>& percents) {
  ReportTable results{{"status", "reason", "cluster.topology", "savings_kept_percent"}, {}};
  for (const std::string& percent : percents)
    results.rows.push_back({"ok", "", "a.toml", percent});
  return results;
}

} // namespace

TEST_CASE("the summary of a sweep and its report have the same median") {
  const ReportTable even = kept({"58.6", "10", "90", "55.4"});
  CHECK(summarise(even, {"cluster.topology"}).rows ==
        std::vector<std::vector<std::string>>{
            {"a", "4", "4", "0", "0", "0", "10.0", "57.0", "90.0"}}); // (55.4 + 58.6) / 2
  CHECK_THAT(answer_html(TableReader(even), {"cluster.topology"}),
             Contains("(median 57 %)") && Contains("<td>10 %<td>57 %<td>90 %"));
  const ReportTable odd = kept({"30", "10", "20"});
  CHECK(summarise(odd, {"cluster.topology"}).rows.front()[7] == "20.0");
  CHECK_THAT(answer_html(TableReader(odd), {"cluster.topology"}), Contains("(median 20 %)"));
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
  results.rows.back() = {"out-of-memory", "", "b.toml", ""};
  CHECK(summarise(results, {"cluster.topology"}).rows.back() ==
        std::vector<std::string>{"b", "1", "0", "1", "0", "0", "", "", ""});
}
