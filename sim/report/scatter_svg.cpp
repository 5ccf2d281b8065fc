#include "sim/report/scatter_svg.hpp"

#include "sim/base/check.hpp"
#include "sim/report/html_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace moesim {

namespace {

constexpr double left = 90.0; ///< edges of the square that holds the points
constexpr double right = 770.0;
constexpr double top = 50.0;
constexpr double bottom = 730.0;

/// Colours for colour-blind readers: M. Okabe and K. Ito, "Color universal design", 2008. One more
/// than the shapes, so that series after the sixth differ from the first.
constexpr std::array colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                "#e69f00", "#56b4e9", "#000000"};

/// Outlines around the origin, about 9 pixels wide.
constexpr std::array shapes = {"M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
                               "M-3.5,-3.5h7v7h-7z",
                               "M0,-4.5L4.5,3.5H-4.5z",
                               "M0,-5L5,0L0,5L-5,0z",
                               "M0,4.5L4.5,-3.5H-4.5z",
                               "M-1.5,-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z"};

/// The axis numbers 1, 2 and 5 times powers of ten, from the last at or below the smallest value to
/// the first at or above the largest, and two at least: an axis needs a length.
std::vector<double> ticks_around(double smallest, double largest) {
  std::vector<double> ticks;
  const int first = static_cast<int>(std::floor(std::log10(smallest)));
  for (int power = first; ticks.size() < 2 || ticks.back() < largest; ++power)
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double tick = digit * std::pow(10.0, power);
      if (tick <= smallest)
        ticks.clear();
      if (ticks.size() < 2 || ticks.back() < largest)
        ticks.push_back(tick);
    }
  return ticks;
}

class Drawing {
public:
  explicit Drawing(const ScatterPlot& plot) : plot_(plot) {
    double smallest = plot.points.empty() ? 1.0 : plot.points.front().measured;
    double largest = plot.points.empty() ? 10.0 : smallest;
    for (const ScatterPoint& point : plot.points) {
      INVARIANT(std::isfinite(point.measured) && point.measured > 0.0, "{}: measured {}",
                point.label, point.measured);
      INVARIANT(std::isfinite(point.predicted) && point.predicted > 0.0, "{}: predicted {}",
                point.label, point.predicted);
      smallest = std::min({smallest, point.measured, point.predicted});
      largest = std::max({largest, point.measured, point.predicted});
      ++sizes_[point.series];
    }
    ticks_ = ticks_around(smallest, largest);
  }

  std::string draw() {
    text_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 800\" width=\"800\" "
            "height=\"800\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n"
            "<rect width=\"800\" height=\"800\" fill=\"#fff\"/>\n";
    write(0.5 * (left + right), 30.0, "middle", plot_.title, " font-size=\"17\"");
    draw_axes();
    draw_band(1.0, "#888");
    for (const double factor : {0.8, 1.2})
      draw_band(factor, "#bbb\" stroke-dasharray=\"5,4");
    if (plot_.points.empty())
      write(0.5 * (left + right), 0.5 * (top + bottom), "middle", "no points");
    for (const ScatterPoint& point : plot_.points)
      draw_point(point);
    draw_legend();
    return text_ + "</svg>\n";
  }

private:
  /// Position of a value along the axes, from 0 to 1.
  double share(double value) const {
    return std::log(value / ticks_.front()) / std::log(ticks_.back() / ticks_.front());
  }
  double x(double value) const { return left + (right - left) * share(value); }
  double y(double value) const { return bottom - (bottom - top) * share(value); }

  void write(double at_x, double at_y, const char* anchor, const std::string& text,
             const std::string& more = "") {
    text_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", at_x,
                         at_y, anchor, more, escape_html(text));
  }
  void line(double x1, double y1, double x2, double y2, const std::string& stroke) {
    text_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" "
                         "stroke=\"{}\"/>\n",
                         x1, y1, x2, y2, stroke);
  }

  void draw_axes() {
    for (const double tick : ticks_) {
      const std::string number =
          tick < 1.0 ? fmt::format("{:g}", tick) : with_commas(fmt::format("{:.0f}", tick));
      line(x(tick), top, x(tick), bottom, "#e8e8e8");
      line(left, y(tick), right, y(tick), "#e8e8e8");
      // With many ticks only powers of ten get a number, as more would overlap.
      const double power = std::log10(tick);
      if (ticks_.size() > 10 && std::abs(power - std::round(power)) > 1e-9)
        continue;
      write(x(tick), bottom + 20.0, "middle", number);
      write(left - 8.0, y(tick) + 4.0, "end", number);
    }
    write(0.5 * (left + right), bottom + 48.0, "middle", "measured: " + plot_.quantity);
    write(0.0, 0.0, "middle", "predicted: " + plot_.quantity,
          fmt::format(" transform=\"translate(22,{:.1f}) rotate(-90)\"", 0.5 * (top + bottom)));
  }

  static std::string with_commas(std::string digits) {
    for (std::size_t end = digits.size(); end > 3; end -= 3)
      digits.insert(end - 3, ",");
    return digits;
  }

  /// Draws the line of predictions that are `factor` times the measurement.
  void draw_band(double factor, const std::string& stroke) {
    const double low = std::max(ticks_.front(), ticks_.front() / factor);
    const double high = std::min(ticks_.back(), ticks_.back() / factor);
    line(x(low), y(low * factor), x(high), y(high * factor), stroke);
  }

  std::size_t index_of(const std::string& series) const {
    return static_cast<std::size_t>(std::distance(sizes_.begin(), sizes_.find(series)));
  }
  /// The mark of a series, at the given position.
  std::string mark(const std::string& series, double at_x, double at_y) const {
    const std::size_t number = index_of(series);
    return fmt::format("<path d=\"{}\" fill=\"{}\" fill-opacity=\"0.7\" "
                       "transform=\"translate({:.1f},{:.1f})\"",
                       shapes[number % shapes.size()], colours[number % colours.size()], at_x,
                       at_y);
  }

  void draw_point(const ScatterPoint& point) {
    const std::string tooltip =
        fmt::format("{}: measured {:.6g}, predicted {:.6g}, {:+.1f} %", point.label, point.measured,
                    point.predicted, 100.0 * (point.predicted / point.measured - 1.0));
    text_ += mark(point.series, x(point.measured), y(point.predicted)) +
             fmt::format("><title>{}</title></path>\n", escape_html(tooltip));
  }

  void draw_legend() {
    double at_y = top + 20.0;
    for (const auto& [series, size] : sizes_) {
      text_ += mark(series, left + 16.0, at_y - 4.0) + "/>\n";
      write(left + 28.0, at_y, "start", fmt::format("{} ({})", series, size));
      at_y += 20.0;
    }
    if (!sizes_.empty())
      write(left + 10.0, at_y, "start", "dashed: 20 % off", " fill=\"#777\"");
  }

  const ScatterPlot& plot_;
  std::map<std::string, std::size_t> sizes_; ///< number of points by series
  std::vector<double> ticks_;
  std::string text_;
};

} // namespace

std::string scatter_svg(const ScatterPlot& plot) {
  return Drawing(plot).draw();
}

} // namespace moesim
