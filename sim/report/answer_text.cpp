#include "sim/report/answer_text.hpp"

#include "sim/report/html_text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace moesim {

namespace {

constexpr double million = 1e6;

/// A whole number with its thousands apart: "12,345".
std::string grouped(double value) {
  std::string text = fmt::format("{:.0f}", value);
  for (std::size_t digits = 3; digits < text.size(); digits += 4)
    text.insert(text.size() - digits, ",");
  return text;
}

} // namespace

std::string people_number(double value, int digits) {
  if (value >= million)
    return fmt::format("{:#.3g} million", value / million);
  return value >= 999.5 ? grouped(value) : fmt::format("{:.{}f}", value, digits);
}

std::string percent(double value) {
  value = std::round(value);
  return fmt::format("{}{:.0f} %", value < 0.0 ? "−" : "", std::abs(value));
}

std::string traced(const std::string& text, std::size_t row, const std::string& column) {
  return fmt::format("<a class=\"n\" href=\"#row={0}\" data-row=\"{0}\" data-column=\"{1}\">{2}"
                     "</a>",
                     row + 1, escape_html(column), text);
}

std::string interval(const std::optional<double>& low, const std::optional<double>& high,
                     int digits) {
  if (!low || !high)
    return "";
  if (*low >= million)
    return fmt::format(" ({:#.3g}–{:#.3g} million)", *low / million, *high / million);
  return fmt::format(" ({}–{})", people_number(*low, digits), people_number(*high, digits));
}

std::string fact_cell(const std::string& label, const std::string& html, bool number) {
  return fmt::format("<td{} data-label=\"{}\"><span>{}</span>", number ? " class=\"number\"" : "",
                     escape_html(label), html);
}

std::string facts_head(const std::vector<FactColumn>& columns) {
  std::string html = "<table class=\"facts stack\"><thead><tr>";
  for (const FactColumn& column : columns)
    html += fmt::format("<th{}>{}", column.number ? " class=\"number\"" : "", column.title);
  return html + "</thead>\n<tbody>\n";
}

} // namespace moesim
