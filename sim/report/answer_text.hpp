#pragma once

#include "sim/report/report_table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// A number for people: three significant digits and "million" from a million on, all digits of the
/// whole part from a thousand on, else `digits` after the point: "6.56 million", "12,345", "41.2".
std::string people_number(double value, int digits);

/// A whole percentage with a true minus sign: "−20 %".
std::string percent(double value);

/// The text of a number that stands in a row of the results, as a link to the row. `column` names
/// the column that it is, or is computed from, so that a reader, and a test, can trace it.
std::string traced(const std::string& text, std::size_t row, const std::string& column);

/// " (5.01–7.69 million)": both ends as people_number, "million" once. Empty if an end is missing.
std::string interval(const std::optional<double>& low, const std::optional<double>& high,
                     int digits);

/// A cell of a table whose heading stands in `label` on a narrow screen; a number to the right.
std::string fact_cell(const std::string& label, const std::string& html, bool number = true);

/// A column of a table of facts: its heading, and whether it holds numbers.
struct FactColumn {
  const char* title;
  bool number = false;
};

/// The head of a table of facts.
std::string facts_head(const std::vector<FactColumn>& columns);

} // namespace moesim
