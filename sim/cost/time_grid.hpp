#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace moesim {

/// Growth of a kernel's time with one of its sizes.
enum class Growth {
  none,     ///< almost none: beyond the table, the time is that of its edge
  linear,   ///< in proportion to the size
  quadratic ///< in proportion to its square: the sequence of attention
};

/// Times measured on a grid of sizes. Between points a time is interpolated linearly in each size,
/// as a kernel has a fixed cost and a cost for each element; for a size of quadratic growth the
/// time is first divided by the size. Below the grid a size is padded to its edge, as kernels pad
/// their tiles. Above the grid the time grows with the size, at the efficiency of the edge.
class TimeGrid {
public:
  static constexpr std::size_t axes_max = 5;
  using Shape =
      std::array<double, axes_max>; ///< sizes > 0; entries past the grid's axes are unused

  struct Point {
    Shape shape{};
    double seconds = 0.0;
  };
  struct Lookup {
    double seconds = 0.0;
    bool measured = false; ///< inside the grid, with all its neighbours measured
  };

  /// A grid with one axis for each entry of `growth`. There must be at least one point, and no
  /// shape twice. A cell that was not measured is estimated linearly between the nearest measured
  /// cells on its line, as the mean over the axes that have such neighbours on both sides. Without
  /// such an axis it is estimated from the nearest cell, as beyond the grid.
  TimeGrid(std::vector<Growth> growth, std::span<const Point> points);

  Lookup at(const Shape& shape) const;
  /// The smallest and the largest size on an axis.
  double lowest(std::size_t axis) const { return sizes_[axis].front(); }
  double highest(std::size_t axis) const { return sizes_[axis].back(); }

  /// The time at a measured shape, predicted from its neighbours as if it were not measured.
  /// Nothing for a shape without two neighbours on an axis.
  std::optional<double> left_out(const Shape& shape) const;
  /// The time at a measured shape at the upper edge of an axis, predicted from the next smaller
  /// one. Nothing if the shape is not at that edge, or is alone on its line.
  std::optional<double> beyond(const Shape& shape, std::size_t axis) const;

private:
  struct Bracket {
    std::size_t lower = 0;
    double weight = 0.0; ///< weight of the upper neighbour
    double factor = 1.0; ///< factor for a size above the grid, or for quadratic growth
    bool inside = false;
  };
  Bracket bracket(std::size_t axis, double size) const;
  std::size_t cell_of(const Shape& shape) const;
  std::size_t position(std::size_t cell, std::size_t axis) const {
    return cell / strides_[axis] % sizes_[axis].size();
  }
  /// The nearest measured cell on the line of an axis, upwards or downwards.
  std::optional<std::size_t> neighbour(std::size_t cell, std::size_t axis, bool upwards) const;
  /// The value of a cell between its measured neighbours.
  std::optional<double> between(std::size_t cell) const;
  void fill_gaps();
  /// The value of a cell moved to another index of an axis, at the same efficiency.
  double moved(double value, std::size_t axis, std::size_t from, std::size_t to) const;
  double seconds_of(double value, std::size_t cell) const;

  std::vector<Growth> growth_;
  std::vector<std::vector<double>> sizes_; ///< ascending
  std::vector<std::size_t> strides_;
  std::vector<double> values_; ///< seconds, divided by the sizes of quadratic growth
  std::vector<std::uint8_t> measured_;
};

} // namespace moesim
