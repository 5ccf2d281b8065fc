#include "sim/cost/shape_grid.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

ShapeGrid::ShapeGrid(std::size_t axes, std::span<const Point> points) {
  INVARIANT(axes >= 1 && axes <= axes_max, "axes {}", axes);
  INVARIANT(!points.empty(), "axes {}", axes);
  std::size_t cells = 1;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    std::vector<double> sizes;
    for (const Point& point : points)
      sizes.push_back(point.shape[axis]);
    std::sort(sizes.begin(), sizes.end());
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    lowest_.push_back(sizes.front());
    highest_.push_back(sizes.back());
    for (double& size : sizes)
      size = std::log2(size);
    strides_.push_back(cells);
    cells *= sizes.size();
    axes_.push_back(std::move(sizes));
  }
  values_.resize(cells);
  measured_.resize(cells);
  std::vector<std::size_t> known;
  for (const Point& point : points) {
    std::size_t cell = 0;
    for (std::size_t axis = 0; axis < axes; ++axis) {
      const auto& sizes = axes_[axis];
      const auto place = std::lower_bound(sizes.begin(), sizes.end(), std::log2(point.shape[axis]));
      cell += strides_[axis] * static_cast<std::size_t>(place - sizes.begin());
    }
    values_[cell] = point.value;
    measured_[cell] = 1;
    known.push_back(cell);
  }
  fill_gaps(std::move(known));
}

// Breadth first from all measured cells at once, in ascending order: ties go to the smaller cell.
void ShapeGrid::fill_gaps(std::vector<std::size_t> known) {
  std::vector<std::uint8_t> seen = measured_;
  std::sort(known.begin(), known.end());
  for (std::size_t head = 0; head < known.size(); ++head) {
    const std::size_t cell = known[head];
    const auto spread = [&](std::size_t neighbour) {
      if (seen[neighbour])
        return;
      seen[neighbour] = 1;
      values_[neighbour] = values_[cell];
      known.push_back(neighbour);
    };
    for (std::size_t axis = 0; axis < axes_.size(); ++axis) {
      const std::size_t place = cell / strides_[axis] % axes_[axis].size();
      if (place > 0)
        spread(cell - strides_[axis]);
      if (place + 1 < axes_[axis].size())
        spread(cell + strides_[axis]);
    }
  }
}

ShapeGrid::Bracket ShapeGrid::bracket(std::size_t axis, double size) const {
  const std::vector<double>& sizes = axes_[axis];
  const double position = std::log2(size);
  if (position <= sizes.front())
    return {0, 0.0, position == sizes.front()};
  if (position >= sizes.back())
    return {sizes.size() - 1, 0.0, position == sizes.back()};
  const auto upper = std::upper_bound(sizes.begin(), sizes.end(), position);
  const auto lower = static_cast<std::size_t>(upper - sizes.begin()) - 1;
  return {lower, (position - sizes[lower]) / (sizes[lower + 1] - sizes[lower]), true};
}

ShapeGrid::Lookup ShapeGrid::at(const Shape& shape) const {
  std::array<Bracket, axes_max> brackets;
  std::size_t corner = 0;
  Lookup result{.value = 0.0, .measured = true};
  for (std::size_t axis = 0; axis < axes_.size(); ++axis) {
    brackets[axis] = bracket(axis, shape[axis]);
    corner += strides_[axis] * brackets[axis].lower;
    result.measured = result.measured && brackets[axis].inside;
  }
  for (std::size_t corners = 0; corners < (std::size_t{1} << axes_.size()); ++corners) {
    double weight = 1.0;
    std::size_t cell = corner;
    for (std::size_t axis = 0; axis < axes_.size() && weight > 0.0; ++axis) {
      const bool upper = (corners >> axis & 1) != 0;
      weight *= upper ? brackets[axis].weight : 1.0 - brackets[axis].weight;
      cell += upper ? strides_[axis] : 0;
    }
    if (weight == 0.0)
      continue;
    result.value += weight * values_[cell];
    result.measured = result.measured && measured_[cell] != 0;
  }
  return result;
}

} // namespace moesim
