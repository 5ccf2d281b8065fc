#pragma once

#include "sim/cost/device_grids.hpp"
#include "sim/cost/measured_tables.hpp"

#include <functional>
#include <vector>

/// One table out of what a user measured and what was published of the same GPU kind. Measured
/// rows come first. Where they have a gap, published rows stand in, scaled by the median ratio of
/// measured to published time: over the measured rows of the same weight, or, if there are none,
/// over all.
namespace moesim {

/// The part of a shape in which ratios are compared before all shapes are: the weight of a GEMM.
using ShapePart = std::function<TimeGrid::Shape(const TimeGrid::Shape&)>;

/// Joins two tables of times by shape; either may be empty. `published_grid` has the times of
/// `published`: a measured shape is compared with it where it is inside.
TimeTable merge_times(const TimeTable& measured, const TimeTable& published,
                      const std::function<TimeGrid(const TimeTable&)>& grid, const ShapePart& part);

/// Joins the tables of experts of one precision, and of each pass that was measured. Published
/// tables are of forward passes; in another pass they stand in for it, scaled by its own ratio.
/// `published_gemm` and `gemm` are the grids of single GEMMs before and after the measurements.
std::vector<ExpertGrid> merge_experts(std::vector<ExpertTable> measured,
                                      std::vector<ExpertTable> published,
                                      const TimeGrid& published_gemm, const TimeGrid& gemm);

} // namespace moesim
