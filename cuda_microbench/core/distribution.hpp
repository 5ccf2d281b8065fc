#pragma once

namespace moesim::microbench {

/// How something is spread over those who get it.
enum class Distribution {
  equal,
  zipf, ///< by Zipf's law with exponent 1: the k-th largest is 1/k of the largest
  trace ///< as a model routed real text: expert_tokens.hpp
};

/// Those that need no experts.
constexpr Distribution general_distributions[] = {Distribution::equal, Distribution::zipf};

/// "equal", "zipf" or "trace", as in the CSV files.
inline const char* name_of(Distribution distribution) {
  constexpr const char* names[] = {"equal", "zipf", "trace"};
  return names[static_cast<int>(distribution)];
}

} // namespace moesim::microbench
