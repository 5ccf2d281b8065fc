#pragma once

#include <compare>
#include <cstdint>

namespace moesim {

/// How a token fans out over the ranks of a dispatch: decides how many domains and ranks it goes
/// to.
struct TokenFanOut {
  std::int64_t experts = 1;
  std::int64_t experts_per_token = 1;
  /// Experts come in as many groups, of which a token may use `groups_per_token`.
  std::int64_t groups = 1;
  std::int64_t groups_per_token = 1;

  auto operator<=>(const TokenFanOut&) const = default;
};

/// How many of `parts` equal parts of the experts (ranks, or domains, of a group) a token goes to,
/// on average. Experts have independent random scores; a token takes the groups with the best
/// experts, up to `groups_per_token`, and its best experts among theirs, as DeepEP's tests route.
/// Where a part ends within a group and a group within a part, an estimate.
double expected_parts(const TokenFanOut& fan_out, std::int64_t parts);

} // namespace moesim
