#include "sim/report/decision_answer.hpp"

#include "sim/report/answer_text.hpp"
#include "sim/report/html_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

std::string answer_paragraph(const std::string& sentence) {
  return fmt::format("<p class=\"answer\">{}</p>\n", sentence);
}

/// A part's name as words: "ep exposed".
std::string part_name(std::string part) {
  std::replace(part.begin(), part.end(), '_', ' ');
  return escape_html(part);
}

/// A value of a column of one row, traced.
std::string value_of(const TableReader& results, std::size_t row, const std::string& column) {
  return traced(people_number(results.number(row, column).value_or(0.0), 1), row, column);
}

/// The crossing of a break-even's row, with its interval.
std::string crossing(const TableReader& results, std::size_t row) {
  return value_of(results, row, "value") +
         interval(results.number(row, "low"), results.number(row, "high"), 1);
}

} // namespace

std::string comparison_answer_html(const TableReader& results) {
  const std::size_t total = results.size() - 1;
  const double a_ms = results.number(total, "a_ms").value_or(0.0);
  const double b_ms = results.number(total, "b_ms").value_or(0.0);
  std::size_t largest = 0;
  for (std::size_t row = 1; row < total; ++row)
    if (std::abs(results.number(row, "difference_ms").value_or(0.0)) >
        std::abs(results.number(largest, "difference_ms").value_or(0.0)))
      largest = row;
  const double part_ms = results.number(largest, "difference_ms").value_or(0.0);
  return answer_paragraph(fmt::format(
      "The step of B takes {} ms, that of A {} ms: {} {}; the part that differs most is {}, {} ms "
      "{} in B.",
      value_of(results, total, "b_ms"), value_of(results, total, "a_ms"),
      percent(100.0 * std::abs(b_ms / a_ms - 1.0)), b_ms < a_ms ? "shorter" : "longer",
      part_name(results.text(largest, "part")),
      traced(people_number(std::abs(part_ms), 1), largest, "difference_ms"),
      part_ms < 0.0 ? "shorter" : "longer"));
}

std::string sensitivity_answer_html(const TableReader& results) {
  if (results.size() == 0)
    return answer_paragraph("No constant moves the column.");
  return answer_paragraph(fmt::format(
      "{} = {}; the constant that moves it most, {}, moves it by {} % at the end of its error: "
      "measure that first.",
      escape_html(results.text(0, "column")), value_of(results, 0, "base"),
      escape_html(results.text(0, "constant")), value_of(results, 0, "effect_percent")));
}

std::string break_even_answer_html(const TableReader& results) {
  const std::string until = escape_html(results.text(0, "until"));
  const std::string knob = escape_html(results.text(0, "knob"));
  return answer_paragraph(
      results.number(0, "value")
          ? fmt::format("{} flips at {} = {}.", until, knob, crossing(results, 0))
          : fmt::format("{} flips nowhere in this range of {}.", until, knob));
}

std::string contour_answer_html(const TableReader& results) {
  std::string text;
  for (std::size_t row = 0; row < results.size(); ++row)
    if (results.text(row, "row") == "contour" && results.number(row, "value"))
      text +=
          fmt::format("{}{} where {} is {}", text.empty() ? "" : ", ", crossing(results, row),
                      escape_html(results.text(row, "and_knob")), results.text(row, "and_value"));
  const std::string until = escape_html(results.text(0, "until"));
  return answer_paragraph(text.empty() ? fmt::format("{} flips nowhere in these ranges.", until)
                                       : fmt::format("{} flips at {} = {}.", until,
                                                     escape_html(results.text(0, "knob")), text));
}

std::string constants_table(const ReportTable& sensitivity) {
  constexpr std::size_t most = 3;
  const TableReader results(sensitivity);
  if (results.size() == 0)
    return "";
  std::string html =
      "<h3>What to measure before signing</h3>\n" +
      facts_head(
          {{"constant"}, {"measured by"}, {"moves the result by", true}, {"its error", true}});
  for (std::size_t row = 0; row < std::min(most, results.size()); ++row)
    html +=
        fmt::format("<tr><th>{}", escape_html(results.text(row, "constant"))) +
        fact_cell("measured by", escape_html(results.text(row, "measurement")), false) +
        fact_cell("moves the result by",
                  fmt::format("{:.1f} %", results.number(row, "effect_percent").value_or(0.0))) +
        fact_cell("its error",
                  fmt::format("{:.3g} %", results.number(row, "error_percent").value_or(0.0))) +
        "\n";
  return html + "</tbody></table>\n";
}

} // namespace moesim
