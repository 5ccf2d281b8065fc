#include "sim/report/plan_answer.hpp"
#include "sim/report/report_kind.hpp"

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

TEST_CASE("a plan's answer is the cheapest candidate that meets the deadline") {
  const ReportTable table = candidates({slow, fast, stopped});
  const TableReader reader(table);
  REQUIRE(report_kind(reader) == ReportKind::plan);
  CHECK(chosen_candidate(reader) == 1);
  const std::string html = plan_answer_html(reader);
  CHECK_THAT(html, Contains("<p class=\"answer\">b&lt;c on 16 GPUs trains the model in <a "));
  CHECK_THAT(html, Contains("data-row=\"2\" data-column=\"days\">30.0 days</a> (25.0–35.0)"));
  CHECK_THAT(
      html,
      Contains("data-row=\"2\" data-column=\"cost\">2.20 million</a> (1.90–2.50 million): the "
               "cheapest that meets the deadline of 55 days.</p>"));
  CHECK_THAT(html,
             Contains("<tr><th>without the deadline<td data-label=\"then\"><span>a on 8 GPUs"));
  CHECK_THAT(html, Contains("1 of 3 meet the deadline of 55 days: b&lt;c on 16 GPUs."));
  CHECK_THAT(html, Contains("The cost intervals of 1 of the others overlap"));
  CHECK_THAT(html, Contains("<td colspan=\"3\"><td>stopped: 3\n"));
}

TEST_CASE("a plan's answer gives days and cost with failures") {
  ReportTable table = candidates({slow});
  for (const auto& [column, value] : {std::pair{"goodput_percent", "93.75"},
                                      {"effective_days", "64"},
                                      {"effective_days_low", "53.3"},
                                      {"effective_days_high", "74.7"},
                                      {"effective_cost", "2133333"},
                                      {"effective_cost_low", "1813333"},
                                      {"effective_cost_high", "2453333"},
                                      {"expected_failures", "41.6"},
                                      {"checkpoint_interval_minutes", "12.5"}}) {
    table.columns.push_back(column);
    table.rows[0].push_back(value);
  }
  const std::string html = plan_answer_html(TableReader(table));
  CHECK_THAT(html, Contains("With failures, checkpoints and restarts: <a "));
  CHECK_THAT(html, Contains("data-column=\"effective_days\">64.0 days</a> (53.3–74.7), <a "));
  CHECK_THAT(html,
             Contains("data-column=\"effective_cost\">2.13 million</a> (1.81–2.45 million)."));
  CHECK_THAT(html, Contains("data-column=\"goodput_percent\">93.8</a>"));
  CHECK_THAT(html, Contains("data-column=\"expected_failures\">42</a>"));
}

TEST_CASE("a plan's answer says at which price another candidate would be the answer") {
  std::vector<std::string> rival = slow;
  rival[6] = "2500000"; // 2.2 million is 12 % less than 2.5 million
  rival[11] = "yes";
  const ReportTable table = candidates({fast, rival});
  CHECK_THAT(plan_answer_html(TableReader(table)),
             Contains("<tr><th>if its price were 12 % lower<td data-label=\"then\"><span>a on 8"));
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
  CHECK(report_kind(TableReader(table)) == ReportKind::sweep);
}
