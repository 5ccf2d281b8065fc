#pragma once

namespace moesim::microbench {

/// Whether all receivers get the same, or shares by Zipf's law with exponent 1: the k-th largest is
/// 1/k of the largest.
enum class Distribution { equal, zipf };

constexpr Distribution distributions[] = {Distribution::equal, Distribution::zipf};

/// "equal" or "zipf", as in the CSV files.
inline const char* name_of(Distribution distribution) {
  return distribution == Distribution::equal ? "equal" : "zipf";
}

} // namespace moesim::microbench
