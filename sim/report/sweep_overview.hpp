#pragma once

#include "sim/report/sweep_points.hpp"

#include <string>
#include <vector>

namespace moesim {

/// The points of a sweep by status: "384: 264 ok, 120 out of memory".
std::string count_text(const TableReader& results);

/// A table of what holds over all points: how many ran, what they keep of their savings, which loss
/// and which resource is the largest, and at how many points. `points`: as ranked_points.
std::string overview_table(const TableReader& results, const std::vector<Point>& points);

} // namespace moesim
