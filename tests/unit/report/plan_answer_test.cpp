#include "sim/report/plan_answer.hpp"

#include <catch2/catch.hpp>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

ReportTable candidates(std::vector<std::vector<std::string>> rows) {
  return {{"status", "candidate", "cluster.gpus", "days", "days_low", "days_high", "cost",
           "cost_low", "cost_high", "energy_mwh", "deadline_days", "meets_deadline", "verdict",
           "plan", "equal_plans", "equal_plans_differ", "validated_distance", "nearest_validated"},
          std::move(rows)};
}

const std::vector<std::string> slow = {"ok",      "a",
                                       "8",       "60",
                                       "50",      "70",
                                       "2000000", "1700000",
                                       "2300000", "10",
                                       "55",      "no",
                                       "5 late",  "parallel.tensor=1 training.micro_batch=2",
                                       "1",       "",
                                       "3.25",    "case-1"};
const std::vector<std::string> fast = {"ok",      "b<c",
                                       "16",      "30",
                                       "25",      "35",
                                       "2200000", "1900000",
                                       "2500000", "12",
                                       "55",      "yes",
                                       "meets",   "parallel.tensor=2",
                                       "3",       "parallel.tensor 2 or 4",
                                       "0",       "case-2"};
const std::vector<std::string> stopped = {"illegal", "d",  "3",  "",           "", "", "", "", "",
                                          "",        "55", "no", "stopped: 3", "", "", "", "", ""};

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
  CHECK_THAT(html, Contains("<tr><th>d<td>3<td colspan=\"7\">stopped: 3\n"));
}

TEST_CASE("a plan's answer has the plans, their equals and their distance from published steps") {
  const ReportTable table = candidates({slow, fast, stopped});
  const std::string html = plan_answer_html(TableReader(table));
  CHECK_THAT(html,
             Contains("<tr><th>a<td>8<td>tensor=1 micro_batch=2<td>none<td>3.2 from case-1\n"
                      "<tr><th>b&lt;c<td>16<td>tensor=2<td>2 more of the ten fastest: tensor 2 "
                      "or 4<td>0.0 from case-2\n</tbody>"));
}

TEST_CASE("a plan's answer lists the GPU counts of a candidate together") {
  std::vector<std::string> more = fast;
  more[2] = "32";
  std::vector<std::string> likely = slow;
  likely[11] = "likely";
  const ReportTable table = candidates({fast, more, likely, stopped});
  CHECK_THAT(plan_answer_html(TableReader(table)),
             Contains("2 of 4 meet the deadline of 55 days: b&lt;c on 16 or 32 GPUs. a on 8 GPUs "
                      "may: at the estimate, not at the upper end of the interval."));
}

TEST_CASE("a plan of which no candidate can train the model says so") {
  const ReportTable table = candidates({stopped});
  CHECK_THAT(plan_answer_html(TableReader(table)), Contains("No candidate can train the model"));
}

TEST_CASE("the results of a sweep are no plan") {
  const ReportTable table{{"status", "cluster.gpus"}, {{"ok", "8"}}};
  CHECK_FALSE(is_plan(TableReader(table)));
}
