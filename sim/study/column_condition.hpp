#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/metrics/step_result.hpp"

#include <array>
#include <string>

namespace moesim {

enum class Comparison { at_least, at_most, above, below, equal, unequal };

/// The signs in conditions; one that another begins with comes after it.
inline constexpr auto comparison_names =
    std::to_array<Named<Comparison>>({{Comparison::at_least, ">="},
                                      {Comparison::at_most, "<="},
                                      {Comparison::above, ">"},
                                      {Comparison::below, "<"},
                                      {Comparison::equal, "=="},
                                      {Comparison::unequal, "!="}});
static_assert(names_each(comparison_names));

/// A condition on a column of a result: `savings_kept_percent >= 80`.
struct ColumnCondition {
  ResultColumn column;
  Comparison comparison = Comparison::at_least;
  std::string text;         ///< the right side
  double number = no_value; ///< the right side of a column of numbers

  bool of_numbers() const { return std::holds_alternative<double StepResult::*>(column.member); }
  /// Whether the column has a value in a result that satisfies the condition.
  bool holds(const StepResult& result) const;
  /// Whether a number satisfies the condition, which is one of numbers.
  bool holds(double value) const;
};

/// Reads `COLUMN OP VALUE`; a column of text takes == and != alone. Throws InputError.
ColumnCondition parse_condition(const std::string& text);

/// The column of a result by its name; `where` is the option that names it. Throws InputError, with
/// the nearest name, if there is none.
const ResultColumn& result_column(const std::string& name, const std::string& where);

} // namespace moesim
