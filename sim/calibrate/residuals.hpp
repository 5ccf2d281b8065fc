#pragma once

#include "sim/calibrate/measurement.hpp"

#include <string>
#include <vector>

namespace moesim {

/// The error of the costs on the times of one table.
struct TableResidual {
  std::string table;
  std::string interconnect; ///< interconnect of the tier that limits it
  Collective collective = Collective::all_to_all;
  std::int64_t ranks = 0;
  bool fit = false;                   ///< its rows entered the fit
  std::size_t rows = 0;               ///< rows of 1 MB and more
  double median_error_percent = 0.0;  ///< median of |predicted / measured − 1| over these rows
  double largest_error_percent = 0.0; ///< the largest error by magnitude, with its sign
};

/// A row for each table with sizes of 1 MB and more, in the order of the measurements.
std::vector<TableResidual> table_residuals(const NetworkCost& costs,
                                           const std::vector<Measurement>& measurements);

/// The same over all held-out rows, by interconnect and pattern; both all-reduces are one pattern.
struct GroupResidual {
  std::string interconnect; ///< "nvlink" for all generations of NVLink
  Collective collective = Collective::all_to_all;
  std::size_t tables = 0;
  std::size_t rows = 0;
  double median_error_percent = 0.0;
};
std::vector<GroupResidual> group_residuals(const NetworkCost& costs,
                                           const std::vector<Measurement>& measurements);

/// Sets the 90 % error of each curve with rows of 1 MB and more. Other curves keep their error.
void set_errors(std::vector<NetworkCurve>& curves, const std::vector<Measurement>& measurements);

} // namespace moesim
