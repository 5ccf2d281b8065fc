#include "sim/report/plan_answer.hpp"

#include "sim/report/html_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

/// "41.2 days (37.0–45.3)"; `unit` begins with a space, or is empty.
std::string with_interval(const TableReader& results, std::size_t row, const std::string& column,
                          int digits, const std::string& unit) {
  const auto part = [&](const char* end) {
    return fmt::format("{:.{}f}", results.number(row, column + end).value_or(0.0), digits);
  };
  return fmt::format("<b>{}{}</b> ({}–{})", part(""), unit, part("_low"), part("_high"));
}

/// A cost with its interval, in thousands or millions where that is shorter.
std::string cost_of(const TableReader& results, std::size_t row, const std::string& column) {
  const double cost = results.number(row, column).value_or(0.0);
  const auto [scale, digits, unit] = cost >= 1e6   ? std::tuple{1e6, 2, " million"}
                                     : cost >= 1e3 ? std::tuple{1e3, 1, " thousand"}
                                                   : std::tuple{1.0, 2, ""};
  const auto part = [&, scale = scale, digits = digits](const char* end) {
    return fmt::format("{:.{}f}", results.number(row, column + end).value_or(0) / scale, digits);
  };
  return fmt::format("<b>{}{}</b> ({}–{})", part(""), unit, part("_low"), part("_high"));
}

std::string days_and_cost(const TableReader& results, std::size_t row) {
  return fmt::format("{}, at a cost of {}", with_interval(results, row, "days", 1, " days"),
                     cost_of(results, row, "cost"));
}

/// The row with the least value of a column, of those that ran; of equals the first.
std::optional<std::size_t> least_row(const TableReader& results, const std::string& column) {
  std::optional<std::size_t> best;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (const auto value = results.number(row, column); value && results.is_ok(row))
      if (!best || *value < *results.number(*best, column))
        best = row;
  return best;
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

/// How many might be as cheap as the cheapest; nothing if none might.
std::string overlap_sentence(const TableReader& results, std::size_t cheapest) {
  std::size_t overlapping = 0;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (row != cheapest && results.is_ok(row) &&
        results.number(row, "cost_low") <= results.number(cheapest, "cost_high"))
      ++overlapping;
  return overlapping == 0 ? ""
                          : fmt::format(" The cost intervals of {} of the others overlap that of "
                                        "the cheapest: their order is not certain.",
                                        overlapping);
}

/// The first cells of a row: candidate and number of GPUs.
std::string name_cells(const TableReader& results, std::size_t row) {
  return fmt::format("<tr><th>{}<td>{}", escape_html(results.text(row, "candidate")),
                     results.text(row, "cluster.gpus"));
}

/// Cells of the training with failures: goodput, days, cost; empty where a table lacks them.
std::string goodput_cells(const TableReader& results, std::size_t row) {
  const auto goodput = results.number(row, "goodput_percent");
  return goodput ? fmt::format("<td>{:.1f} %<td>{}<td>{}", *goodput,
                               with_interval(results, row, "effective_days", 1, ""),
                               cost_of(results, row, "effective_cost"))
                 : "<td><td><td>";
}

std::string candidates_table(const TableReader& results) {
  std::string html = "<table class=\"ranges "
                     "verdicts\"><thead><tr><th>candidate<th>GPUs<th>days<th>cost<th>energy, "
                     "MWh<th>goodput<th>days with failures<th>cost with "
                     "failures<th>verdict</thead>\n<tbody>\n";
  for (std::size_t row = 0; row < results.size(); ++row) {
    html += name_cells(results, row);
    html += results.is_ok(row) ? fmt::format("<td>{}<td>{}<td>{:.0f}{}<td>",
                                             with_interval(results, row, "days", 1, ""),
                                             cost_of(results, row, "cost"),
                                             results.number(row, "energy_mwh").value_or(0.0),
                                             goodput_cells(results, row))
                               : std::string("<td colspan=\"7\">");
    html += escape_html(results.text(row, "verdict")) + "\n";
  }
  return html + "</tbody></table>\n";
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
               "<table class=\"ranges plans\"><thead><tr><th>candidate<th>GPUs<th>best plan<th>as "
               "fast within its interval<th>distance from a published step</thead>\n<tbody>\n" +
                   rows + "</tbody></table></details>\n";
}

} // namespace

std::string short_plan(const std::string& plan) {
  std::istringstream words(plan);
  std::string text;
  for (std::string word; words >> word;)
    text += (text.empty() ? "" : " ") + word.substr(word.find('.') + 1);
  return text;
}

bool is_plan(const TableReader& results) {
  return results.size() > 0 && !results.text(0, "candidate").empty() &&
         !results.text(0, "verdict").empty();
}

std::string plan_answer_html(const TableReader& results) {
  const auto cheapest = least_row(results, "cost");
  const auto fastest = least_row(results, "days");
  std::string text = "No candidate can train the model: the table says what stops each.";
  if (cheapest && fastest) {
    text = cheapest == fastest
               ? fmt::format("{} is the cheapest and the fastest: {}.",
                             candidate_of(results, *cheapest), days_and_cost(results, *cheapest))
               : fmt::format("{} is the cheapest: {}. {} is the fastest: {}.",
                             candidate_of(results, *cheapest), days_and_cost(results, *cheapest),
                             candidate_of(results, *fastest), days_and_cost(results, *fastest));
    text += deadline_sentence(results) + overlap_sentence(results, *cheapest);
  }
  return fmt::format(
      "<p class=\"answer\">{}</p>\n<p class=\"counts\">Each under the best plan that was found for "
      "it, at a constant step time. Goodput is the share of the time that is left for steps beside "
      "failures, checkpoints, restarts and repairs; evaluations are not counted. In brackets: 90 % "
      "intervals, wider the farther a plan is from any published step. Energy is the "
      "boards' highest power x 1.5 for the node x 1.25 for network, cooling and losses: an "
      "assumption.</p>\n{}{}",
      text, candidates_table(results), plans_table(results));
}

} // namespace moesim
