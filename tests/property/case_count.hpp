#pragma once

#include <algorithm>
#include <cstdint>

namespace moesim {

/// Number of random cases that a test draws: all of `count` in the release build, an eighth under
/// sanitizers, which are several times slower.
constexpr std::uint64_t cases(std::uint64_t count) {
#ifdef MOESIM_SANITIZED
  constexpr std::uint64_t share = 8;
#else
  constexpr std::uint64_t share = 1;
#endif
  return std::max<std::uint64_t>(1, count / share);
}

/// Least number of cases of the kind that a test is about: `count` of all cases. Of an eighth of
/// the cases, half of that share, rounded down, as few cases scatter.
constexpr std::uint64_t of_that_kind(std::uint64_t count) {
#ifdef MOESIM_SANITIZED
  return count / 16;
#else
  return count;
#endif
}

} // namespace moesim
