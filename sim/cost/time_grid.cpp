#include "sim/cost/time_grid.hpp"

#include "sim/base/check.hpp"

#include <algorithm>

namespace moesim {

TimeGrid::TimeGrid(std::vector<Growth> growth, std::span<const Point> points)
    : growth_(std::move(growth)) {
  const std::size_t axes = growth_.size();
  INVARIANT(axes >= 1 && axes <= axes_max, "axes {}", axes);
  INVARIANT(!points.empty(), "axes {}", axes);
  std::size_t cells = 1;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    std::vector<double> sizes; // far fewer than points
    for (const Point& point : points) {
      const auto place = std::lower_bound(sizes.begin(), sizes.end(), point.shape[axis]);
      if (place == sizes.end() || *place != point.shape[axis])
        sizes.insert(place, point.shape[axis]);
    }
    strides_.push_back(cells);
    cells *= sizes.size();
    sizes_.push_back(std::move(sizes));
  }
  values_.resize(cells);
  measured_.resize(cells);
  for (const Point& point : points) {
    const std::size_t cell = cell_of(point.shape);
    INVARIANT(measured_[cell] == 0, "cell {} is given twice", cell);
    values_[cell] = point.seconds / seconds_of(1.0, cell);
    measured_[cell] = 1;
  }
  fill_gaps();
}

std::size_t TimeGrid::cell_of(const Shape& shape) const {
  std::size_t cell = 0;
  for (std::size_t axis = 0; axis < sizes_.size(); ++axis) {
    const auto found = std::lower_bound(sizes_[axis].begin(), sizes_[axis].end(), shape[axis]);
    INVARIANT(found != sizes_[axis].end() && *found == shape[axis], "axis {} has no size {}", axis,
              shape[axis]);
    cell += strides_[axis] * static_cast<std::size_t>(found - sizes_[axis].begin());
  }
  return cell;
}

double TimeGrid::seconds_of(double value, std::size_t cell) const {
  for (std::size_t axis = 0; axis < sizes_.size(); ++axis)
    if (growth_[axis] == Growth::quadratic)
      value *= sizes_[axis][position(cell, axis)];
  return value;
}

double TimeGrid::moved(double value, std::size_t axis, std::size_t from, std::size_t to) const {
  if (growth_[axis] == Growth::none || to < from)
    return value;
  return value * sizes_[axis][to] / sizes_[axis][from];
}

std::optional<std::size_t> TimeGrid::neighbour(std::size_t cell, std::size_t axis,
                                               bool upwards) const {
  const std::size_t steps =
      upwards ? sizes_[axis].size() - 1 - position(cell, axis) : position(cell, axis);
  for (std::size_t step = 0; step < steps; ++step) {
    cell = upwards ? cell + strides_[axis] : cell - strides_[axis];
    if (measured_[cell])
      return cell;
  }
  return std::nullopt;
}

std::optional<double> TimeGrid::between(std::size_t cell) const {
  double sum = 0.0;
  std::size_t count = 0;
  for (std::size_t axis = 0; axis < sizes_.size(); ++axis) {
    const auto lower = neighbour(cell, axis, false);
    const auto upper = neighbour(cell, axis, true);
    if (!lower || !upper)
      continue;
    const double low = sizes_[axis][position(*lower, axis)];
    const double high = sizes_[axis][position(*upper, axis)];
    const double weight = (sizes_[axis][position(cell, axis)] - low) / (high - low);
    sum += (1.0 - weight) * values_[*lower] + weight * values_[*upper];
    ++count;
  }
  if (count == 0)
    return std::nullopt;
  return sum / static_cast<double>(count);
}

// Fills cells between measured cells first. Then it fills the others breadth first from all known
// cells at once, in ascending order, so that ties go to the smaller cell.
void TimeGrid::fill_gaps() {
  std::vector<std::uint8_t> known = measured_;
  for (std::size_t cell = 0; cell < values_.size(); ++cell)
    if (!measured_[cell])
      if (const auto value = between(cell)) {
        values_[cell] = *value;
        known[cell] = 1;
      }
  std::vector<std::size_t> queue;
  for (std::size_t cell = 0; cell < values_.size(); ++cell)
    if (known[cell])
      queue.push_back(cell);
  for (std::size_t head = 0; head < queue.size(); ++head) {
    const std::size_t cell = queue[head];
    const auto spread = [&](std::size_t next, std::size_t axis) {
      if (known[next])
        return;
      known[next] = 1;
      values_[next] = moved(values_[cell], axis, position(cell, axis), position(next, axis));
      queue.push_back(next);
    };
    for (std::size_t axis = 0; axis < sizes_.size(); ++axis) {
      if (position(cell, axis) > 0)
        spread(cell - strides_[axis], axis);
      if (position(cell, axis) + 1 < sizes_[axis].size())
        spread(cell + strides_[axis], axis);
    }
  }
}

std::optional<double> TimeGrid::left_out(const Shape& shape) const {
  const std::size_t cell = cell_of(shape);
  const auto value = between(cell);
  if (!value)
    return std::nullopt;
  return seconds_of(*value, cell);
}

std::optional<double> TimeGrid::beyond(const Shape& shape, std::size_t axis) const {
  const std::size_t cell = cell_of(shape);
  if (position(cell, axis) + 1 != sizes_[axis].size())
    return std::nullopt;
  const auto lower = neighbour(cell, axis, false);
  if (!lower)
    return std::nullopt;
  return seconds_of(moved(values_[*lower], axis, position(*lower, axis), position(cell, axis)),
                    cell);
}

TimeGrid::Bracket TimeGrid::bracket(std::size_t axis, double size) const {
  const std::vector<double>& sizes = sizes_[axis];
  Bracket result;
  result.inside = size >= sizes.front() && size <= sizes.back();
  const double within = std::clamp(size, sizes.front(), sizes.back());
  if (growth_[axis] != Growth::none)
    result.factor = std::max(1.0, size / sizes.back());
  if (growth_[axis] == Growth::quadratic)
    result.factor *= std::max(size, sizes.front());
  if (sizes.size() == 1)
    return result;
  const auto upper = std::upper_bound(sizes.begin() + 1, sizes.end() - 1, within);
  result.lower = static_cast<std::size_t>(upper - sizes.begin()) - 1;
  const double low = sizes[result.lower];
  result.weight = (within - low) / (sizes[result.lower + 1] - low);
  return result;
}

TimeGrid::Lookup TimeGrid::at(const Shape& shape) const {
  std::array<Bracket, axes_max> brackets;
  std::size_t corner = 0;
  double factor = 1.0;
  Lookup result{.seconds = 0.0, .measured = true};
  const std::size_t axes = sizes_.size();
  for (std::size_t axis = 0; axis < axes; ++axis) {
    brackets[axis] = bracket(axis, shape[axis]);
    corner += strides_[axis] * brackets[axis].lower;
    factor *= brackets[axis].factor;
    result.measured = result.measured && brackets[axis].inside;
  }
  for (std::size_t corners = 0; corners < (std::size_t{1} << axes); ++corners) {
    double weight = 1.0;
    std::size_t cell = corner;
    for (std::size_t axis = 0; axis < axes && weight > 0.0; ++axis) {
      const bool upper = (corners >> axis & 1) != 0;
      weight *= upper ? brackets[axis].weight : 1.0 - brackets[axis].weight;
      cell += upper ? strides_[axis] : 0;
    }
    if (weight == 0.0)
      continue;
    result.seconds += weight * values_[cell];
    result.measured = result.measured && measured_[cell] != 0;
  }
  result.seconds *= factor;
  return result;
}

} // namespace moesim
