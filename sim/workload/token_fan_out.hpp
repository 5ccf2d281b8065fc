#pragma once

#include <compare>
#include <cstdint>

namespace moesim {

/// Sizes that decide to how many domains and ranks a dispatch sends a token.
struct TokenFanOut {
  std::int64_t experts = 1;
  std::int64_t experts_per_token = 1;
  /// Number of groups of experts, of which a token may use `groups_per_token`.
  std::int64_t groups = 1;
  std::int64_t groups_per_token = 1;

  auto operator<=>(const TokenFanOut&) const = default;
};

/// Mean number of parts that a token goes to, if the experts are split into `parts` equal parts:
/// the ranks, or the domains, of a group. Experts have independent random scores; a token takes the
/// groups with the best experts, up to `groups_per_token`, and its best experts among theirs, as
/// DeepEP's tests route. The number is an estimate if neither parts divide groups nor groups divide
/// parts.
double expected_parts(const TokenFanOut& fan_out, std::int64_t parts);

} // namespace moesim
