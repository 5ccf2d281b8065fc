#include "sim/routing/load_statistics.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

TEST_CASE("even loads have no imbalance") {
  const LoadStatistics even = load_statistics(std::vector<double>{5, 5, 5, 5});
  CHECK(even.max_over_mean == 1.0);
  CHECK(even.gini == 0.0);
  CHECK(even.coefficient_of_variation == 0.0);
}

// All on one of four: three quarters of Gini's coefficient, a standard deviation of sqrt(3) means.
// Loads 1, 2, 3, mean 2: differences add up to 2 (1 + 1 + 2) = 8, over 2 x 3 x 6; variance 2/3.
TEST_CASE("imbalance is that of the formulas") {
  const LoadStatistics one = load_statistics(std::vector<double>{0, 0, 12, 0});
  CHECK(one.max_over_mean == 4.0);
  CHECK(one.gini == Approx(0.75));
  CHECK(one.coefficient_of_variation == Approx(std::sqrt(3.0)));
  const LoadStatistics three = load_statistics(std::vector<double>{3, 1, 2});
  CHECK(three.max_over_mean == 1.5);
  CHECK(three.gini == Approx(8.0 / 36.0));
  CHECK(three.coefficient_of_variation == Approx(std::sqrt(2.0 / 3.0) / 2.0));
}
