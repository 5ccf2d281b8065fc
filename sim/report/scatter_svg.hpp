#pragma once

#include <string>
#include <vector>

namespace moesim {

/// A prediction and its measurement.
struct ScatterPoint {
  std::string label;
  std::string series; ///< decides its colour and shape
  double measured = 0.0;
  double predicted = 0.0;
};

/// Predictions and measurements of one quantity, all above zero.
struct ScatterPlot {
  std::string title;
  std::string quantity; ///< with its unit, for both axes
  std::vector<ScatterPoint> points;
};

/// The plot as SVG of 800 × 800 pixels: logarithmic axes of one range, which holds all points, from
/// and to a decimal 1, 2 or 5; the diagonal, and 20 % either side of it; a mark for each point,
/// whose tooltip names it; a legend of the series, sorted. The same points give the same bytes.
std::string scatter_svg(const ScatterPlot& plot);

} // namespace moesim
