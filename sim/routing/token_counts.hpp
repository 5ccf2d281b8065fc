#pragma once

#include <boost/random/mersenne_twister.hpp>

#include <cstdint>
#include <vector>

namespace moesim {

/// Numbers that follow from a seed alone, on every machine and with every standard library.
using Random = boost::random::mt19937_64;

/// From 0 to below `end`, each as likely.
std::size_t draw_place(std::size_t end, Random& random);

/// Puts values into an order of which each is as likely.
void shuffle(std::vector<double>& values, Random& random);

/// Shares of which none is above `most`: what is above it goes to the others in proportion, as a
/// token that has chosen an expert chooses its next among the others. The shares add up to 1, and
/// `most` is not below their mean.
std::vector<double> limit_shares(std::vector<double> shares, double most);

/// `total` dealt out in proportion to shares that add up to 1: each gets its part rounded down, the
/// largest remainders one more (Hamilton's method); of equal remainders the first.
std::vector<std::uint32_t> expected_counts(const std::vector<double>& shares, std::int64_t total);

/// `total` drawn one by one with the shares as chances (a multinomial distribution), at most `most`
/// for each; `most` × shares are not fewer than `total`. Numbers of which 64 and more are expected
/// either way are drawn from the normal distribution of the same mean and variance.
std::vector<std::uint32_t> drawn_counts(const std::vector<double>& shares, std::int64_t total,
                                        std::int64_t most, Random& random);

} // namespace moesim
