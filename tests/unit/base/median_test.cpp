#include "sim/base/median.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("the median of an odd count is the middle value, of an even one the mean of two") {
  CHECK(median({7.0}) == 7.0);
  CHECK(median({9.0, 1.0, 4.0}) == 4.0);
  CHECK(median({9.0, 1.0}) == 5.0);
  CHECK(median({9.0, 1.0, 4.0, 8.0}) == 6.0); // (4 + 8) / 2
}

// The nearest rank of a share p among n values is ⌈p n⌉, at least the first.
TEST_CASE("a percentile is the value at the nearest rank") {
  CHECK(percentile({9.0, 1.0, 4.0, 8.0}, 0.5) == 4.0);  // rank 2
  CHECK(percentile({9.0, 1.0, 4.0, 8.0}, 0.75) == 8.0); // rank 3
  CHECK(percentile({9.0, 1.0, 4.0, 8.0}, 0.76) == 9.0); // rank 4
  CHECK(percentile({9.0, 1.0, 4.0, 8.0}, 0.0) == 1.0);
  CHECK(percentile({9.0, 1.0, 4.0}, 0.5) == 4.0); // rank 2
  CHECK(percentile({3.0}, 0.9) == 3.0);
}
