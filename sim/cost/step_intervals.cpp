#include "sim/cost/step_intervals.hpp"

#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace moesim {

StepLaunch launch_of(const CudaGraphs& graphs) {
  return graphs == CudaGraphs{} ? StepLaunch::by_host : StepLaunch::captured;
}

StepIntervals StepIntervals::read(const std::filesystem::path& calibration) {
  StepIntervals intervals;
  const std::filesystem::path file = calibration / "step_intervals.csv";
  if (!std::filesystem::exists(file))
    return intervals;
  const CsvTable table = CsvTable::read(file);
  table.expect_columns(
      {"launch", "low_ratio", "high_ratio", "typical_cost_error_percent", "steps", "folds"});
  const auto ratio = [&](std::size_t row, const char* column, double least, double most) {
    const double value = table.positive_number(row, table.column(column));
    if (value < least || value > most)
      throw InputError(table.where(row, table.column(column)),
                       fmt::format("{}: {} is on the wrong side of 1", column, value));
    return value;
  };
  std::set<StepLaunch> seen;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::size_t column = table.column("launch");
    const StepLaunch launch =
        *value_named(step_launch_names, table.choice(row, column, names_of(step_launch_names)));
    if (!seen.insert(launch).second)
      throw InputError(table.where(row, column), "launch: given twice");
    intervals.intervals_[index(launch)] = {
        ratio(row, "low_ratio", 0.0, 1.0), ratio(row, "high_ratio", 1.0, HUGE_VAL),
        table.positive_number(row, table.column("typical_cost_error_percent")) / 100.0};
  }
  if (seen.size() != enumerator_count<StepLaunch>)
    throw InputError(
        {.file = file.string(), .source_line = ""},
        fmt::format("{} of {} launches are given", seen.size(), enumerator_count<StepLaunch>));
  return intervals;
}

TimeInterval StepIntervals::around(Seconds time, Seconds cost_error, StepLaunch launch) const {
  if (time <= Seconds{})
    return {time, time};
  const StepInterval& interval = intervals_[index(launch)];
  const double error = cost_error / time;
  const double typical = interval.typical_cost_error;
  const double excess = std::sqrt(std::max(0.0, error * error - typical * typical));
  return {time * std::exp(-std::hypot(std::log(interval.low_ratio), excess)),
          time * std::exp(std::hypot(std::log(interval.high_ratio), excess))};
}

} // namespace moesim
