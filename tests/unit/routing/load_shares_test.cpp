#include "sim/routing/load_shares.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace moesim;

namespace {

RoutingSpec zipf(double alpha, std::uint64_t seed = 1) {
  RoutingSpec routing;
  routing.load = LoadKind::zipf;
  routing.zipf_alpha = alpha;
  routing.seed = seed;
  return routing;
}

RoutingSpec dirichlet(double concentration) {
  RoutingSpec routing;
  routing.load = LoadKind::dirichlet;
  routing.dirichlet_concentration = concentration;
  return routing;
}

} // namespace

TEST_CASE("uniform shares are all alike") {
  CHECK(load_shares({}, 4, 3) == std::vector<double>(4, 0.25));
}

// 1 + 1/2 + 1/3 + 1/4 = 25/12: shares of 12, 6, 4 and 3 in 25.
TEST_CASE("Zipf's shares fall with the rank, which each layer deals out anew") {
  std::vector<double> shares = load_shares(zipf(1.0), 4, 0);
  std::sort(shares.rbegin(), shares.rend());
  const std::vector<double> expected = {12.0 / 25, 6.0 / 25, 4.0 / 25, 3.0 / 25};
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(shares[i] == Approx(expected[i]).epsilon(1e-14));
  for (const double share : load_shares(zipf(0.0), 4, 0))
    CHECK(share == Approx(0.25).epsilon(1e-14));
  CHECK(load_shares(zipf(1.0), 64, 0) == load_shares(zipf(1.0), 64, 0));
  CHECK(load_shares(zipf(1.0), 64, 0) != load_shares(zipf(1.0), 64, 1));
  CHECK(load_shares(zipf(1.0), 64, 0) != load_shares(zipf(1.0, 2), 64, 0));
}

// A share of n of concentration a has the mean 1/n and the variance (n - 1) / (n² (n a + 1)):
// n = 8, a = 0.5: 7 / 320 = 0.021875; a = 4: 7 / 2112 = 0.003314. 4,000 layers of 8 experts.
TEST_CASE("Dirichlet's shares have the variance of their concentration") {
  for (const auto& [concentration, variance] :
       {std::pair(0.5, 0.021875), std::pair(4.0, 0.003314)}) {
    double squares = 0.0;
    for (std::int64_t layer = 0; layer < 4000; ++layer) {
      const std::vector<double> shares = load_shares(dirichlet(concentration), 8, layer);
      REQUIRE(std::accumulate(shares.begin(), shares.end(), 0.0) == Approx(1.0).epsilon(1e-12));
      for (const double share : shares)
        squares += (share - 0.125) * (share - 0.125);
    }
    CHECK(squares / 32000 == Approx(variance).epsilon(0.03));
  }
}
