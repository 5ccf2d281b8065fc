#include "sim/report/plan_answer.hpp"

#include "sim/report/answer_text.hpp"
#include "sim/report/html_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <tuple>
#include <utility>
#include <vector>

namespace moesim {

namespace {

std::string candidate_of(const TableReader& results, std::size_t row) {
  return fmt::format("{} on {} GPUs", escape_html(results.text(row, "candidate")),
                     results.text(row, "cluster.gpus"));
}

/// "41.2 days (37.0–45.3)" of a column with both ends; `unit` begins with a space, or is empty.
std::string with_interval(const TableReader& results, std::size_t row, const std::string& column,
                          int digits, const std::string& unit) {
  return traced(people_number(results.number(row, column).value_or(0.0), digits) + unit, row,
                column) +
         interval(results.number(row, column + "_low"), results.number(row, column + "_high"),
                  digits);
}

/// The row with the least value of a column, of those that ran, and have a word in `meets_deadline`
/// unless it is empty; of equals the first.
std::optional<std::size_t> least_row(const TableReader& results, const std::string& column,
                                     const std::string& meets = "") {
  std::optional<std::size_t> best;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (const auto value = results.number(row, column); value && results.is_ok(row))
      if ((meets.empty() || results.text(row, "meets_deadline") == meets) &&
          (!best || *value < *results.number(*best, column)))
        best = row;
  return best;
}

/// The row that the report names first, and why.
struct Choice {
  std::size_t row = 0;
  std::string reason;
};

/// The cheapest candidate that meets the deadline, surely or else at the estimate; the cheapest of
/// all without a deadline, or if none meets it. Nothing if no candidate can train the model.
std::optional<Choice> choose_row(const TableReader& results) {
  const auto cheapest = least_row(results, "cost");
  if (!cheapest)
    return std::nullopt;
  if (!results.number(*cheapest, "deadline_days"))
    return Choice{*cheapest, "the cheapest"};
  const std::string& days = results.text(*cheapest, "deadline_days");
  if (const auto sure = least_row(results, "cost", "yes"))
    return Choice{*sure, fmt::format("the cheapest that meets the deadline of {} days", days)};
  if (const auto likely = least_row(results, "cost", "likely"))
    return Choice{*likely, fmt::format("the cheapest that may meet the deadline of {} days, which "
                                       "none meets for sure",
                                       days)};
  return Choice{*cheapest,
                fmt::format("the cheapest, but none meets the deadline of {} days", days)};
}

/// "64, 96 or 128"; `items` must not be empty.
std::string alternatives(const std::vector<std::string>& items) {
  const std::string last = items.back();
  return items.size() == 1
             ? last
             : fmt::format("{} or {}", fmt::join(items.begin(), items.end() - 1, ", "), last);
}

/// "a on 64 or 128 GPUs; b on 64 GPUs": the rows with a word in `meets_deadline`, by candidate.
std::string rows_meeting(const TableReader& results, const std::string& word) {
  std::vector<std::pair<std::string, std::vector<std::string>>> gpus; // by candidate
  for (std::size_t row = 0; row < results.size(); ++row) {
    if (results.text(row, "meets_deadline") != word)
      continue;
    const std::string& candidate = results.text(row, "candidate");
    if (gpus.empty() || gpus.back().first != candidate)
      gpus.emplace_back(candidate, std::vector<std::string>{});
    gpus.back().second.push_back(results.text(row, "cluster.gpus"));
  }
  std::vector<std::string> names;
  for (const auto& [candidate, counts] : gpus)
    names.push_back(fmt::format("{} on {} GPUs", escape_html(candidate), alternatives(counts)));
  return fmt::format("{}", fmt::join(names, "; "));
}

/// " 3 of 5 meet the deadline of 60 days: …. At the estimate, but not …: …."; nothing without one.
std::string deadline_sentence(const TableReader& results) {
  if (!results.number(0, "deadline_days"))
    return "";
  const auto count = [&](const std::string& word) {
    std::size_t rows = 0;
    for (std::size_t row = 0; row < results.size(); ++row)
      rows += results.text(row, "meets_deadline") == word ? 1 : 0;
    return rows;
  };
  const std::string& days = results.text(0, "deadline_days");
  const std::size_t certain = count("yes");
  if (certain == results.size())
    return fmt::format(" All meet the deadline of {} days.", days);
  std::string text =
      fmt::format(" {} of {} meet the deadline of {} days{}.", certain, results.size(), days,
                  certain == 0 ? "" : ": " + rows_meeting(results, "yes"));
  if (count("likely") > 0)
    text += fmt::format(" {} may: at the estimate, not at the upper end of the interval.",
                        rows_meeting(results, "likely"));
  return text;
}

/// How many might be as cheap as a row; nothing if none might.
std::string overlap_sentence(const TableReader& results, std::size_t chosen) {
  std::size_t overlapping = 0;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (row != chosen && results.is_ok(row) &&
        results.number(row, "cost_low") <= results.number(chosen, "cost_high"))
      ++overlapping;
  return overlapping == 0 ? ""
                          : fmt::format(" The cost intervals of {} of the others overlap that of "
                                        "the first answer: their order is not certain.",
                                        overlapping);
}

/// " With failures, …: 43.1 days (…), 5.3 million (…)."; nothing where a table lacks them.
std::string failures_sentence(const TableReader& results, std::size_t row) {
  return results.number(row, "goodput_percent")
             ? fmt::format(" With failures, checkpoints and restarts: {}, {}.",
                           with_interval(results, row, "effective_days", 1, " days"),
                           with_interval(results, row, "effective_cost", 0, ""))
             : std::string();
}

/// " With experts as unevenly loaded …: 43.1 days, 5.3 million."; nothing where it was not timed.
std::string uneven_training(const TableReader& results, std::size_t row) {
  const std::string begin = " With experts as unevenly loaded as after training";
  if (const std::string& reason = results.text(row, "uneven_reason"); !reason.empty())
    return begin + ": " + escape_html(reason) + ".";
  return results.number(row, "uneven_days")
             ? fmt::format("{}: {}, {}.", begin,
                           with_interval(results, row, "uneven_days", 1, " days"),
                           with_interval(results, row, "uneven_cost", 0, ""))
             : std::string();
}

/// The rows that ran, the cheapest first; equal ones in the order of the table.
std::vector<std::size_t> rows_by_cost(const TableReader& results) {
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (results.is_ok(row))
      rows.push_back(row);
  std::stable_sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) {
    return results.number(a, "cost").value_or(0.0) < results.number(b, "cost").value_or(0.0);
  });
  return rows;
}

/// Another answer if something else counted, or a price were lower: a line each.
std::string changes_of(const TableReader& results, std::size_t chosen) {
  std::string rows;
  const auto add = [&](const std::string& condition, std::optional<std::size_t> row) {
    if (row && *row != chosen)
      rows += fmt::format("<tr><th>{}", condition) +
              fact_cell("then", candidate_of(results, *row), false) +
              fact_cell("days", with_interval(results, *row, "days", 1, "")) +
              fact_cell("cost", with_interval(results, *row, "cost", 0, "")) + "\n";
  };
  add("if the days count, not the cost", least_row(results, "days"));
  if (results.number(chosen, "deadline_days"))
    add("without the deadline", least_row(results, "cost"));
  const double cost = results.number(chosen, "cost").value_or(0.0);
  std::vector<std::string> named{results.text(chosen, "candidate")}; // one line a candidate
  for (const std::size_t row : rows_by_cost(results)) {
    const std::string& candidate = results.text(row, "candidate");
    const auto other = results.number(row, "cost");
    const bool rival = other && *other > cost && results.text(row, "meets_deadline") != "no" &&
                       std::find(named.begin(), named.end(), candidate) == named.end();
    if (!rival)
      continue;
    named.push_back(candidate);
    add(fmt::format("if its price were {} lower", percent(100.0 * (1.0 - cost / *other))), row);
  }
  return rows.empty() ? ""
                      : "<h3>What would change it</h3>\n" +
                            facts_head({{""},
                                        {"the answer is"},
                                        {"days (90 % interval)", true},
                                        {"cost (90 % interval)", true}}) +
                            rows + "</tbody></table>\n";
}

/// The first cells of a row: candidate and number of GPUs.
std::string name_cells(const TableReader& results, std::size_t row) {
  return fmt::format("<tr><th>{}<td>{}", escape_html(results.text(row, "candidate")),
                     results.text(row, "cluster.gpus"));
}

/// The cells of a candidate that ran: days, cost and energy.
std::string cells_of_ok(const TableReader& results, std::size_t row) {
  std::string html;
  for (const auto& [column, digits] : {std::pair{"days", 1}, {"cost", 0}})
    html += fact_cell(column, with_interval(results, row, column, digits, ""));
  return html + fact_cell("energy, MWh",
                          traced(people_number(results.number(row, "energy_mwh").value_or(0.0), 0),
                                 row, "energy_mwh"));
}

std::string candidates_table(const TableReader& results, std::optional<std::size_t> chosen) {
  std::string html = facts_head({{"candidate"},
                                 {"GPUs", true},
                                 {"days (90 % interval)", true},
                                 {"cost (90 % interval)", true},
                                 {"energy, MWh", true},
                                 {"verdict"}});
  for (std::size_t row = 0; row < results.size(); ++row) {
    html += fmt::format("<tr{}><th>{}", chosen == row ? " class=\"chosen\"" : "",
                        escape_html(results.text(row, "candidate"))) +
            fact_cell("GPUs", results.text(row, "cluster.gpus"));
    html += results.is_ok(row) ? cells_of_ok(results, row) : std::string("<td colspan=\"3\">");
    html += fmt::format("<td>{}\n", escape_html(results.text(row, "verdict")));
  }
  return html + "</tbody></table>\n";
}

/// The training of each candidate with failures; empty where a table lacks them.
std::string failures_table(const TableReader& results) {
  std::string rows;
  const auto cell = [&](std::size_t row, const char* label, const char* column, int digits) {
    return fact_cell(label, traced(people_number(results.number(row, column).value_or(0.0), digits),
                                   row, column));
  };
  for (std::size_t row = 0; row < results.size(); ++row)
    if (results.number(row, "goodput_percent"))
      rows += fmt::format("<tr><th>{}", escape_html(results.text(row, "candidate"))) +
              fact_cell("GPUs", results.text(row, "cluster.gpus")) +
              cell(row, "goodput, %", "goodput_percent", 1) +
              fact_cell("days", with_interval(results, row, "effective_days", 1, "")) +
              fact_cell("cost", with_interval(results, row, "effective_cost", 0, "")) +
              cell(row, "failures", "expected_failures", 0) +
              cell(row, "minutes between checkpoints", "checkpoint_interval_minutes", 0) + "\n";
  return rows.empty() ? ""
                      : "<h3>With failures, checkpoints and restarts</h3>\n" +
                            facts_head({{"candidate"},
                                        {"GPUs", true},
                                        {"goodput, %", true},
                                        {"days (90 % interval)", true},
                                        {"cost (90 % interval)", true},
                                        {"failures", true},
                                        {"minutes between checkpoints", true}}) +
                            rows + "</tbody></table>\n";
}

/// Plans that are as fast within the interval: "none", "9 more of the ten fastest: pipeline 4 or
/// 8".
std::string equals_of(const TableReader& results, std::size_t row) {
  const double others = results.number(row, "equal_plans").value_or(1.0) - 1.0;
  return others < 1.0 ? "none"
                      : fmt::format("{:.0f} more of the ten fastest: {}", others,
                                    short_plan(results.text(row, "equal_plans_differ")));
}

/// The plans of the rows that ran; empty if none did.
std::string plans_table(const TableReader& results) {
  std::string rows;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (results.is_ok(row))
      rows += fmt::format("{}<td>{}<td>{}<td>{:.1f} from {}\n", name_cells(results, row),
                          escape_html(short_plan(results.text(row, "plan"))),
                          escape_html(equals_of(results, row)),
                          results.number(row, "validated_distance").value_or(0.0),
                          escape_html(results.text(row, "nearest_validated")));
  return rows.empty()
             ? ""
             : "<details><summary>The best plan of each, and how near a published step "
               "is</summary>\n"
               "<p>A plan's keys are those of a scenario's [parallel], [training] and "
               "[communication]. The distance is 0 where a published step of the same model size, "
               "GPU, number of GPUs and degrees was compared with its prediction. A factor of 2 in "
               "one of these adds 1, and so do another kind of GPU and another precision. Each "
               "unit makes the interval 10 % wider.</p>\n"
               "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"plans\"><table "
               "class=\"facts plans\"><thead><tr><th>candidate<th>GPUs<th>best plan<th>as "
               "fast within its interval<th>distance from a published step</thead>\n<tbody>\n" +
                   rows + "</tbody></table></div></details>\n";
}

} // namespace

std::string short_plan(const std::string& plan) {
  std::istringstream words(plan);
  std::string text;
  for (std::string word; words >> word;)
    text += (text.empty() ? "" : " ") + word.substr(word.find('.') + 1);
  return text;
}

std::optional<std::size_t> chosen_candidate(const TableReader& results) {
  const auto choice = choose_row(results);
  return choice ? std::optional(choice->row) : std::nullopt;
}

std::string plan_answer_html(const TableReader& results) {
  const auto choice = choose_row(results);
  if (!choice)
    return "<p class=\"answer\">No candidate can train the model: the table says what stops "
           "each.</p>\n" +
           candidates_table(results, std::nullopt);
  const std::size_t chosen = choice->row;
  return fmt::format("<p class=\"answer\">{} trains the model in {} at a cost of {}: {}.{}{}</p>\n",
                     candidate_of(results, chosen),
                     with_interval(results, chosen, "days", 1, " days"),
                     with_interval(results, chosen, "cost", 0, ""), choice->reason,
                     failures_sentence(results, chosen), uneven_training(results, chosen)) +
         candidates_table(results, chosen) + changes_of(results, chosen) + failures_table(results) +
         fmt::format(
             "<p class=\"counts\">In brackets: 90 % intervals, wider the farther a plan is "
             "from any published step.{}{} Each candidate runs under the best plan that was "
             "found for it, at a constant step time: restarts and evaluations are not "
             "counted. Energy is the boards' highest power x 1.5 for the node x 1.25 for "
             "network, cooling and losses: an assumption.</p>\n",
             deadline_sentence(results), overlap_sentence(results, chosen)) +
         plans_table(results);
}

} // namespace moesim
