#include "sim/routing/load_shares.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>
#include <utility>

namespace moesim {

namespace {

using Random = std::mt19937_64;

/// In [0, 1), of 53 bits. What the standard library offers differs from one library to the next.
double uniform(Random& random) {
  return static_cast<double>(random() >> 11) * 0x1p-53;
}

/// Box and Muller, Annals of Mathematical Statistics 29, 1958.
double normal(Random& random) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(random)));
  return radius * std::cos(2.0 * 3.14159265358979323846 * uniform(random));
}

/// Of the gamma distribution of scale 1: Marsaglia and Tsang, ACM Transactions on Mathematical
/// Software 26, 2000; shapes below 1 by their section 6.
double gamma(Random& random, double shape) {
  if (shape < 1.0)
    return gamma(random, shape + 1.0) * std::pow(1.0 - uniform(random), 1.0 / shape);
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal(random);
    const double v = std::pow(1.0 + c * x, 3.0);
    if (v > 0.0 && std::log(1.0 - uniform(random)) < 0.5 * x * x + d - d * v + d * std::log(v))
      return d * v;
  }
}

void shuffle(std::vector<double>& values, Random& random) {
  for (std::size_t left = values.size(); left > 1; --left)
    std::swap(values[left - 1], values[random() % left]);
}

std::vector<double> sum_of_rows(const std::vector<std::vector<double>>& rows) {
  std::vector<double> sum(rows.front().size(), 0.0);
  for (const std::vector<double>& row : rows)
    std::transform(sum.begin(), sum.end(), row.begin(), sum.begin(), std::plus<>());
  return sum;
}

} // namespace

std::vector<double> load_shares(const RoutingSpec& routing, std::int64_t experts,
                                std::int64_t layer) {
  std::vector<double> shares(static_cast<std::size_t>(experts), 1.0);
  std::seed_seq seeds{routing.seed, static_cast<std::uint64_t>(layer)};
  Random random(seeds);
  switch (routing.load) {
  case LoadKind::uniform:
    break;
  case LoadKind::zipf:
    for (std::size_t rank = 0; rank < shares.size(); ++rank)
      shares[rank] = std::pow(static_cast<double>(rank + 1), -routing.zipf_alpha);
    shuffle(shares, random);
    break;
  case LoadKind::dirichlet:
    for (double& share : shares)
      share = gamma(random, routing.dirichlet_concentration);
    break;
  case LoadKind::trace:
    shares = sum_of_rows(routing.trace->layers.at(layer));
    break;
  }
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares)
    share /= sum;
  return shares;
}

} // namespace moesim
