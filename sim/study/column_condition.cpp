#include "sim/study/column_condition.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace moesim {

namespace {

constexpr const char* condition_hint = "write it as 'savings_kept_percent >= 80'";

/// A text without the spaces and the quotes around it.
std::string trimmed(const std::string& text) {
  constexpr const char* around = " \t\"";
  const std::size_t first = text.find_first_not_of(around);
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(around) - first + 1);
}

} // namespace

bool ColumnCondition::holds(double value) const {
  switch (comparison) {
  case Comparison::at_least:
    return value >= number;
  case Comparison::at_most:
    return value <= number;
  case Comparison::above:
    return value > number;
  case Comparison::below:
    return value < number;
  case Comparison::equal:
    return value == number;
  case Comparison::unequal:
    break;
  }
  return value != number;
}

bool ColumnCondition::holds(const StepResult& result) const {
  if (const auto* member = std::get_if<double StepResult::*>(&column.member))
    return holds(result.*(*member));
  const bool same = result.*std::get<std::string StepResult::*>(column.member) == text;
  return same == (comparison == Comparison::equal);
}

const ResultColumn& result_column(const std::string& name, const std::string& where) {
  const auto columns = result_columns();
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const ResultColumn& column) { return column.name == name; });
  if (found != columns.end())
    return *found;
  std::vector<std::string> names;
  for (const ResultColumn& column : columns)
    names.emplace_back(column.name);
  const std::string nearest = suggest_name(name, names);
  throw InputError({where}, fmt::format("there is no column \"{}\"", name),
                   nearest.empty() ? "moesim simulate --help lists them" : nearest);
}

ColumnCondition parse_condition(const std::string& text) {
  const std::string where = fmt::format("--until '{}'", text);
  const std::size_t sign = text.find_first_of("<>=!");
  const auto known =
      std::find_if(comparison_names.begin(), comparison_names.end(), [&](const auto& name) {
        return sign != std::string::npos &&
               std::string_view(text).substr(sign).starts_with(name.name);
      });
  if (known == comparison_names.end())
    throw InputError(
        {where}, "expected COLUMN OP VALUE, with OP one of >=, <=, >, <, ==, !=", condition_hint);
  ColumnCondition condition{result_column(trimmed(text.substr(0, sign)), where), known->value,
                            trimmed(text.substr(sign + std::string_view(known->name).size()))};
  if (!condition.of_numbers()) {
    if (condition.comparison != Comparison::equal && condition.comparison != Comparison::unequal)
      throw InputError({where}, fmt::format("{} is a text: it is == or !=", condition.column.name));
    return condition;
  }
  const std::string& value = condition.text;
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), condition.number);
  if (error != std::errc{} || end != value.data() + value.size())
    throw InputError({where}, fmt::format("\"{}\" is not a number", value), condition_hint);
  return condition;
}

} // namespace moesim
