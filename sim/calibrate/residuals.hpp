#pragma once

#include "sim/calibrate/measurement.hpp"

#include <string>
#include <vector>

namespace moesim {

/// How well the costs tell the times of one table.
struct TableResidual {
  std::string table;
  std::string medium; ///< of the tier that bounds it
  Collective collective = Collective::all_to_all;
  std::int64_t ranks = 0;
  bool fit = false;                   ///< its rows entered the fit
  std::size_t rows = 0;               ///< of 1 MB and more
  double median_error_percent = 0.0;  ///< of |predicted / measured − 1| over them
  double largest_error_percent = 0.0; ///< the farthest from 0, with its sign
};

/// A row for each table with sizes of 1 MB and more, in the order of the measurements.
std::vector<TableResidual> table_residuals(const NetworkCost& costs,
                                           const std::vector<Measurement>& measurements);

/// The same over all rows that were held out, by medium and pattern; both all-reduces are one.
struct GroupResidual {
  std::string medium; ///< the generations of NVLink together: "nvlink"
  Collective collective = Collective::all_to_all;
  std::size_t tables = 0;
  std::size_t rows = 0;
  double median_error_percent = 0.0;
};
std::vector<GroupResidual> group_residuals(const NetworkCost& costs,
                                           const std::vector<Measurement>& measurements);

/// Fills in the 90 % error of each curve that has rows of 1 MB and more; one that has none, because
/// it is that of another collective or too few were measured, keeps its own.
void set_errors(std::vector<NetworkCurve>& curves, const std::vector<Measurement>& measurements);

} // namespace moesim
