#pragma once

#include <boost/random/mersenne_twister.hpp>

#include <cstdint>
#include <vector>

namespace moesim {

/// Random numbers that follow from a seed alone, on every machine and with every standard library.
using Random = boost::random::mt19937_64;

/// Draws an index from 0 to `end` − 1, all equally likely.
std::size_t draw_index(std::size_t end, Random& random);

/// Puts values into a random order, all orders equally likely.
void shuffle(std::vector<double>& values, Random& random);

/// Limits shares to `most`: the excess goes to the others in proportion, as a token that has chosen
/// an expert chooses its next among the others. The shares add up to 1, and `most` is at least
/// their mean.
std::vector<double> limit_shares(std::vector<double> shares, double most);

/// Splits `total` in proportion to shares that add up to 1: each gets its part rounded down, the
/// largest remainders one more (Hamilton's method); of equal remainders the first.
std::vector<std::uint32_t> expected_counts(const std::vector<double>& shares, std::int64_t total);

/// Draws `total` items with the shares as probabilities (a multinomial distribution), at most
/// `most` of each kind; `most` × number of shares must be at least `total`. A count whose expected
/// hits and misses are both 64 or more is drawn from the normal distribution of the same mean and
/// variance.
std::vector<std::uint32_t> drawn_counts(const std::vector<double>& shares, std::int64_t total,
                                        std::int64_t most, Random& random);

} // namespace moesim
