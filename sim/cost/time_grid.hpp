#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace moesim {

/// How the time of a kernel grows with one of its sizes.
enum class Growth {
  none,     ///< hardly: beyond the table, the time is that of its edge
  linear,   ///< as the size
  quadratic ///< as its square: the sequence of attention
};

/// Times measured on a grid of sizes. Between them a time is interpolated linearly in each size,
/// after one power of a size with quadratic growth is divided off: a kernel is a fixed cost and one
/// for each element. Below the grid a size is padded to its edge, as kernels pad their tiles; above
/// it the time grows with the size, at the efficiency of the edge.
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
    bool measured = false; ///< inside the grid, and all neighbours that count were measured
  };

  /// A grid over as many axes as `growth` has entries; there is at least one point, and no shape
  /// twice. A position that was not measured is estimated from those that were: linearly between
  /// the nearest on the same line, the mean over the axes that have such neighbours on both sides;
  /// if none has, from the nearest position, as beyond the grid.
  TimeGrid(std::vector<Growth> growth, std::span<const Point> points);

  Lookup at(const Shape& shape) const;
  /// The smallest and the largest size on an axis.
  double lowest(std::size_t axis) const { return sizes_[axis].front(); }
  double highest(std::size_t axis) const { return sizes_[axis].back(); }

  /// The time at a measured shape as the other points have it: between its neighbours. No value for
  /// a shape that has no two neighbours on any axis.
  std::optional<double> left_out(const Shape& shape) const;
  /// The time at a measured shape at the upper edge of an axis, as the next smaller one has it. No
  /// value if the shape is not at that edge, or is alone there.
  std::optional<double> beyond(const Shape& shape, std::size_t axis) const;

private:
  struct Bracket {
    std::size_t lower = 0;
    double weight = 0.0; ///< of the upper neighbour
    double factor = 1.0; ///< for what the size is above the grid, or for quadratic growth
    bool inside = false;
  };
  Bracket bracket(std::size_t axis, double size) const;
  std::size_t cell_of(const Shape& shape) const;
  std::size_t place(std::size_t cell, std::size_t axis) const {
    return cell / strides_[axis] % sizes_[axis].size();
  }
  /// The nearest measured cell on the line of an axis, upwards or downwards.
  std::optional<std::size_t> neighbour(std::size_t cell, std::size_t axis, bool upwards) const;
  /// The value of a cell between its measured neighbours.
  std::optional<double> between(std::size_t cell) const;
  void fill_gaps();
  /// Seconds of a cell's value, and what a value becomes on another place of an axis if the
  /// efficiency stays.
  double moved(double value, std::size_t axis, std::size_t from, std::size_t to) const;
  double seconds_of(double value, std::size_t cell) const;

  std::vector<Growth> growth_;
  std::vector<std::vector<double>> sizes_; ///< ascending
  std::vector<std::size_t> strides_;
  std::vector<double> values_; ///< seconds, over the sizes of quadratic growth
  std::vector<std::uint8_t> measured_;
};

} // namespace moesim
