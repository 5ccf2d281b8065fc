#include "sim/report/plan_answer.hpp"

#include <catch2/catch.hpp>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

ReportTable candidates(std::vector<std::vector<std::string>> rows) {
  return {{"status", "candidate", "cluster.gpus", "days", "days_low", "days_high", "cost",
           "cost_low", "cost_high", "energy_mwh", "deadline_days", "meets_deadline", "verdict"},
          std::move(rows)};
}

const std::vector<std::string> slow = {"ok",      "a",       "8",  "60", "50", "70",    "2000000",
                                       "1700000", "2300000", "10", "55", "no", "5 late"};
const std::vector<std::string> fast = {"ok",      "b<c",     "16", "30", "25",  "35",   "2200000",
                                       "1900000", "2500000", "12", "55", "yes", "meets"};
const std::vector<std::string> stopped = {"illegal", "d", "3", "",   "",   "",          "",
                                          "",        "",  "",  "55", "no", "stopped: 3"};

} // namespace

TEST_CASE("a plan's answer names the cheapest, the fastest and those that meet the deadline") {
  const ReportTable table = candidates({slow, fast, stopped});
  const TableReader reader(table);
  REQUIRE(is_plan(reader));
  const std::string html = plan_answer_html(reader);
  CHECK_THAT(html, Contains("a on 8 GPUs is the cheapest: <b>60.0 days</b> (50.0–70.0), at a cost "
                            "of <b>2.00 million</b> (1.70–2.30)."));
  CHECK_THAT(html, Contains("b&lt;c on 16 GPUs is the fastest: <b>30.0 days</b> (25.0–35.0)"));
  CHECK_THAT(html, Contains("1 of 3 meet the deadline of 55 days: b&lt;c on 16 GPUs."));
  CHECK_THAT(html, Contains("The cost intervals of 1 of the others overlap"));
  CHECK_THAT(html, Contains("<td>–<td>–<td>–<td>stopped: 3"));
}

TEST_CASE("a plan of which no candidate can train the model says so") {
  const ReportTable table = candidates({stopped});
  CHECK_THAT(plan_answer_html(TableReader(table)), Contains("No candidate can train the model"));
}

TEST_CASE("the results of a sweep are no plan") {
  const ReportTable table{{"status", "cluster.gpus"}, {{"ok", "8"}}};
  CHECK_FALSE(is_plan(TableReader(table)));
}
