#include "sim/routing/token_counts.hpp"

#include "sim/base/check.hpp"

#include <boost/random/binomial_distribution.hpp>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_int_distribution.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace moesim {

namespace {

/// Number of successes among `trials` with probability `chance`.
std::int64_t draw_binomial(std::int64_t trials, double chance, Random& random) {
  constexpr double many = 64.0;
  if (trials == 0 || chance <= 0.0)
    return 0;
  if (chance >= 1.0)
    return trials;
  const double mean = static_cast<double>(trials) * chance;
  if (std::min(mean, static_cast<double>(trials) - mean) < many)
    return boost::random::binomial_distribution<std::int64_t>(trials, chance)(random);
  const double deviation = std::sqrt(mean * (1.0 - chance));
  const double drawn = boost::random::normal_distribution<double>(mean, deviation)(random);
  return std::clamp(static_cast<std::int64_t>(drawn + 0.5), std::int64_t{0}, trials);
}

} // namespace

std::size_t draw_index(std::size_t end, Random& random) {
  return boost::random::uniform_int_distribution<std::size_t>(0, end - 1)(random);
}

void shuffle(std::vector<double>& values, Random& random) {
  for (std::size_t left = values.size(); left > 1; --left)
    std::swap(values[left - 1], values[draw_index(left, random)]);
}

std::vector<double> limit_shares(std::vector<double> shares, double most) {
  constexpr double rounding = 1e-12;
  INVARIANT(most * static_cast<double>(shares.size()) >= 1.0 - rounding, "{} shares of at most {}",
            shares.size(), most);
  for (;;) {
    double limited = 0.0;
    double others = 0.0;
    bool above = false;
    for (const double share : shares) {
      above |= share > most * (1.0 + rounding);
      (share >= most ? limited : others) += share >= most ? most : share;
    }
    if (!above)
      return shares;
    for (double& share : shares)
      if (share >= most)
        share = most;
      else // shares of zero get equal parts
        share = others > 0.0
                    ? share * (1.0 - limited) / others
                    : (1.0 - limited) / (static_cast<double>(shares.size()) - limited / most);
  }
}

std::vector<std::uint32_t> expected_counts(const std::vector<double>& shares, std::int64_t total) {
  std::vector<std::uint32_t> counts(shares.size());
  std::vector<double> remainders(shares.size());
  std::int64_t left = total;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double part = shares[i] * static_cast<double>(total);
    counts[i] = static_cast<std::uint32_t>(part);
    remainders[i] = part - std::floor(part);
    left -= counts[i];
  }
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  INVARIANT(left >= 0 && left <= static_cast<std::int64_t>(order.size()),
            "{} of {} are left of {} shares", left, total, shares.size());
  for (std::int64_t i = 0; i < left; ++i)
    ++counts[order[static_cast<std::size_t>(i)]];
  return counts;
}

std::vector<std::uint32_t> drawn_counts(const std::vector<double>& shares, std::int64_t total,
                                        std::int64_t most, Random& random) {
  std::vector<std::uint32_t> counts(shares.size(), 0);
  std::int64_t left = total;
  double chances = 1.0; // sum of the shares not drawn yet
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double chance = i + 1 == shares.size() ? 1.0 : std::min(1.0, shares[i] / chances);
    const std::int64_t drawn = std::min(most, draw_binomial(left, chance, random));
    counts[i] = static_cast<std::uint32_t>(drawn);
    left -= drawn;
    chances -= shares[i];
  }
  // Items above `most` go to the other kinds in their order.
  for (std::size_t i = 0; left > 0 && i < counts.size(); ++i) {
    const std::int64_t taken = std::min(left, most - static_cast<std::int64_t>(counts[i]));
    counts[i] += static_cast<std::uint32_t>(taken);
    left -= taken;
  }
  INVARIANT(left == 0, "{} of {} found no place", left, total);
  return counts;
}

} // namespace moesim
