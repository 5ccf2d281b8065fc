#pragma once

#include <algorithm>
#include <cstdint>

namespace moesim {

/// How many of `count` random cases a test draws: all in the release build, an eighth under
/// sanitizers, which take several times as long for each.
constexpr std::uint64_t cases(std::uint64_t count) {
#ifdef MOESIM_SANITIZED
  constexpr std::uint64_t share = 8;
#else
  constexpr std::uint64_t share = 1;
#endif
  return std::max<std::uint64_t>(1, count / share);
}

/// How many of its cases must have been of the kind that a test is about: `count` of all; of an
/// eighth half of that share, rounded down, as few cases scatter.
constexpr std::uint64_t of_that_kind(std::uint64_t count) {
#ifdef MOESIM_SANITIZED
  return count / 16;
#else
  return count;
#endif
}

} // namespace moesim
