#include "sim/base/check.hpp"
#include "sim/report/scatter_svg.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <set>

using namespace moesim;

namespace {

ScatterPlot plot_of_two_points() {
  return {"A title", "tokens/s", {{"first", "h100", 1000, 1000}, {"a<b", "b200", 10000, 5000}}};
}

} // namespace

// From 1,000 to 10,000: the square spans 680 pixels, from x 90 and y 730. A value of 5,000 is
// log10(5) = 0.699 of the way up: 730 - 475.3 = 254.7.
TEST_CASE("points stand where the logarithms of their values say") {
  const std::string svg = scatter_svg(plot_of_two_points());
  CHECK_THAT(svg, Catch::Contains("translate(90.0,730.0)\"><title>first: measured 1000, predicted "
                                  "1000, +0.0 %</title>"));
  CHECK_THAT(svg, Catch::Contains("translate(770.0,254.7)\"><title>a&lt;b: measured 10000, "
                                  "predicted 5000, -50.0 %</title>"));
}

// A fifth above the diagonal: log10(1.2) of 680 pixels are 53.8, at the left edge and the top.
TEST_CASE("the diagonal goes from corner to corner, its band 20 % beside it") {
  const std::string svg = scatter_svg(plot_of_two_points());
  CHECK_THAT(svg, Catch::Contains("<line x1=\"90.0\" y1=\"730.0\" x2=\"770.0\" y2=\"50.0\""));
  CHECK_THAT(svg, Catch::Contains("<line x1=\"90.0\" y1=\"676.2\" x2=\"716.2\" y2=\"50.0\""));
}

TEST_CASE("axes have the numbers 1, 2 and 5 around all values, and the legend each series once") {
  const std::string svg = scatter_svg(plot_of_two_points());
  for (const char* text : {">1,000<", ">2,000<", ">5,000<", ">10,000<", ">measured: tokens/s<",
                           ">predicted: tokens/s<", ">A title<", ">b200 (1)<", ">h100 (1)<"})
    CHECK_THAT(svg, Catch::Contains(text));
  CHECK_THAT(svg, !Catch::Contains(">500<") && !Catch::Contains(">20,000<"));
  ScatterPlot beyond = plot_of_two_points();
  beyond.points.push_back({"slow", "h100", 990, 300});
  CHECK_THAT(scatter_svg(beyond), Catch::Contains(">200<") && Catch::Contains(">h100 (2)<"));
}

TEST_CASE("the same points give the same bytes, and none are said to be none") {
  CHECK(scatter_svg(plot_of_two_points()) == scatter_svg(plot_of_two_points()));
  CHECK_THAT(scatter_svg({"empty", "s", {}}), Catch::Contains(">no points<"));
}

// A lone 1,000 is both ends of its range: the axes go on to 2,000, so it stands in the lower
// corner.
TEST_CASE("a lone value that is an axis number has room on the axes") {
  const std::string svg = scatter_svg({"one", "s", {{"only", "h100", 1000, 1000}}});
  CHECK_THAT(svg, Catch::Contains("translate(90.0,730.0)\"><title>only") &&
                      Catch::Contains(">2,000<") && !Catch::Contains("nan"));
}

TEST_CASE("values that a logarithmic axis cannot hold break an invariant") {
  for (const double value : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    CAPTURE(value);
    CHECK_THROWS_AS(scatter_svg({"bad", "s", {{"it", "h100", value, 1}}}), InternalError);
    CHECK_THROWS_AS(scatter_svg({"bad", "s", {{"it", "h100", 1, value}}}), InternalError);
  }
}

// Six shapes and seven colours repeat together after 42 series.
TEST_CASE("no two of 42 series share both colour and shape") {
  ScatterPlot plot{"many", "s", {}};
  for (int i = 0; i < 42; ++i)
    plot.points.push_back({"point", std::to_string(100 + i), 1000, 2000});
  const std::string svg = scatter_svg(plot);
  std::set<std::string> marks;
  for (std::size_t at = svg.find("<path"); at != std::string::npos; at = svg.find("<path", at + 1))
    marks.insert(svg.substr(at, svg.find(" transform", at) - at));
  CHECK(marks.size() == 42);
}

// 1 to 10,000 are 13 numbers.
TEST_CASE("a wide axis is numbered at powers of ten") {
  const std::string svg =
      scatter_svg({"wide", "s", {{"a", "h100", 1, 1}, {"b", "h100", 1e4, 1e4}}});
  CHECK_THAT(svg, Catch::Contains(">100<") && Catch::Contains(">10,000<"));
  CHECK_THAT(svg, !Catch::Contains(">200<") && !Catch::Contains(">5,000<"));
}
