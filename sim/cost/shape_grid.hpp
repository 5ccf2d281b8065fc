#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moesim {

/// Values measured on a grid of shapes, interpolated linearly in the logarithms of the shape and
/// clamped at the edges. A grid position that was not measured takes the value of the nearest one
/// that was, counted in grid steps.
class ShapeGrid {
public:
  static constexpr std::size_t axes_max = 5;
  using Shape =
      std::array<double, axes_max>; ///< sizes > 0; entries past the grid's axes are unused

  struct Point {
    Shape shape{};
    double value = 0.0;
  };
  struct Lookup {
    double value = 0.0;
    bool measured = false; ///< inside the grid, and all neighbours that count were measured
  };

  /// A grid over the first `axes` entries of the shapes; there is at least one point, and no shape
  /// twice.
  ShapeGrid(std::size_t axes, std::span<const Point> points);

  Lookup at(const Shape& shape) const;
  /// The smallest size on an axis. Kernels do not get faster below it: tiles are padded.
  double lowest(std::size_t axis) const { return lowest_[axis]; }
  double highest(std::size_t axis) const { return highest_[axis]; }

private:
  struct Bracket {
    std::size_t lower = 0;
    double weight = 0.0; ///< of the upper neighbour
    bool inside = false;
  };
  Bracket bracket(std::size_t axis, double size) const;
  void fill_gaps(std::vector<std::size_t> known);

  std::vector<std::vector<double>> axes_; ///< log2 of the sizes, ascending
  std::vector<double> lowest_;
  std::vector<double> highest_;
  std::vector<std::size_t> strides_;
  std::vector<double> values_;
  std::vector<std::uint8_t> measured_;
};

} // namespace moesim
