#include "sim/cost/step_intervals.hpp"

#include "sim/base/input_error.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

constexpr const char* interval_header =
    "launch,low_ratio,high_ratio,typical_cost_error_percent,steps,folds\n";

} // namespace

TEST_CASE("a step whose costs are as certain as those of published steps has their interval") {
  const TemporaryFolder folder;
  folder.write("step_intervals.csv",
               std::string(interval_header) + "host,0.8,1.4,10,50,9\ngraphs,0.9,1.1,10,60,8\n");
  const StepIntervals intervals = StepIntervals::read(folder.path());
  const TimeInterval host = intervals.around(Seconds{10}, Seconds{1}, StepLaunch::by_host);
  CHECK(host.low.value == Approx(8));
  CHECK(host.high.value == Approx(14));
  CHECK(intervals.around(Seconds{10}, Seconds{0.5}, StepLaunch::captured).high.value == Approx(11));
}

// An error of 0.5 exceeds the typical 0.3 by 0.4 in quadrature, as 3-4-5.
TEST_CASE("less certain costs widen the interval by what they exceed") {
  const TemporaryFolder folder;
  folder.write("step_intervals.csv",
               std::string(interval_header) + "host,0.8,1.4,30,50,9\ngraphs,1,1,30,60,8\n");
  const StepIntervals intervals = StepIntervals::read(folder.path());
  const TimeInterval wide = intervals.around(Seconds{10}, Seconds{5}, StepLaunch::captured);
  CHECK(wide.high.value == Approx(10 * std::exp(0.4)));
  CHECK(wide.low.value == Approx(10 * std::exp(-0.4)));
  CHECK(intervals.around(Seconds{10}, Seconds{5}, StepLaunch::by_host).high.value ==
        Approx(10 * std::exp(std::hypot(std::log(1.4), 0.4))));
}

TEST_CASE("without a table the errors of costs are the interval") {
  const TemporaryFolder folder;
  const TimeInterval interval =
      StepIntervals::read(folder.path()).around(Seconds{2}, Seconds{0.2}, StepLaunch::by_host);
  CHECK(interval.high.value == Approx(2 * std::exp(0.1)));
}

TEST_CASE("a table of intervals that is not one is refused") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& rows, const std::string& text) {
    folder.write("step_intervals.csv", interval_header + rows);
    CHECK_THROWS_WITH(StepIntervals::read(folder.path()), Catch::Contains(text));
  };
  refused("host,1.1,1.4,10,50,9\n", "low_ratio: 1.1 is on the wrong side of 1");
  refused("host,0.9,0.95,10,50,9\n", "high_ratio: 0.95 is on the wrong side of 1");
  refused("host,0.9,1.2,10,50,9\n", "1 of 2 launches are given");
  refused("host,0.9,1.2,10,50,9\nhost,0.9,1.2,10,50,9\n", "given twice");
  refused("hosts,0.9,1.2,10,50,9\n", "did you mean \"host\"?");
}
