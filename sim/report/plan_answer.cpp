#include "sim/report/plan_answer.hpp"

#include "sim/report/html_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

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
std::string cost_of(const TableReader& results, std::size_t row) {
  const double cost = results.number(row, "cost").value_or(0.0);
  const auto [scale, unit] = cost >= 1e6   ? std::pair{1e6, " million"}
                             : cost >= 1e3 ? std::pair{1e3, " thousand"}
                                           : std::pair{1.0, ""};
  const auto part = [&, scale = scale](const char* end) {
    return fmt::format("{:.2f}",
                       results.number(row, std::string("cost") + end).value_or(0) / scale);
  };
  return fmt::format("<b>{}{}</b> ({}–{})", part(""), unit, part("_low"), part("_high"));
}

std::string days_and_cost(const TableReader& results, std::size_t row) {
  return fmt::format("{}, at a cost of {}", with_interval(results, row, "days", 1, " days"),
                     cost_of(results, row));
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

/// " 2 of 5 meet the deadline of 60 days: …; …"; nothing without a deadline.
std::string deadline_sentence(const TableReader& results) {
  if (!results.number(0, "deadline_days"))
    return "";
  std::vector<std::string> names;
  std::size_t certain = 0;
  for (std::size_t row = 0; row < results.size(); ++row) {
    const std::string& word = results.text(row, "meets_deadline");
    certain += word == "yes" ? 1 : 0;
    if (word == "yes")
      names.push_back(candidate_of(results, row));
    if (word == "likely")
      names.push_back(candidate_of(results, row) + " (not at the upper end of its interval)");
  }
  if (certain == results.size())
    return fmt::format(" All meet the deadline of {} days.", results.text(0, "deadline_days"));
  return fmt::format(" {} of {} meet the deadline of {} days{}.", names.size(), results.size(),
                     results.text(0, "deadline_days"),
                     names.empty() ? "" : fmt::format(": {}", fmt::join(names, "; ")));
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

std::string candidates_table(const TableReader& results) {
  std::string html =
      "<table class=\"ranges verdicts\"><thead><tr><th>candidate<th>days<th>cost<th>energy, "
      "MWh<th>verdict</thead>\n<tbody>\n";
  for (std::size_t row = 0; row < results.size(); ++row) {
    html += fmt::format("<tr><th>{}", candidate_of(results, row));
    html +=
        results.is_ok(row)
            ? fmt::format("<td>{}<td>{}<td>{:.0f}", with_interval(results, row, "days", 1, ""),
                          cost_of(results, row), results.number(row, "energy_mwh").value_or(0.0))
            : std::string("<td>–<td>–<td>–");
    html += fmt::format("<td>{}\n", escape_html(results.text(row, "verdict")));
  }
  return html + "</tbody></table>\n";
}

} // namespace

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
      "it, at a constant step time: restarts and evaluations are not counted. In brackets: 90 % "
      "intervals of the step, wider the farther a plan is from any published step. Energy is the "
      "boards' highest power x 1.5 for the node x 1.25 for network, cooling and losses: an "
      "assumption.</p>\n{}",
      text, candidates_table(results));
}

} // namespace moesim
