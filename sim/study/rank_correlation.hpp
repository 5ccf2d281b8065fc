#pragma once

#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// Two values of one thing, such as measured and predicted.
struct ValuePair {
  double first = 0.0;
  double second = 0.0;
  /// Things of one kind are not compared with each other, such as one plan measured twice; empty: a
  /// kind of its own.
  std::string kind = "";
};

/// Kendall's tau-b over things of different kinds: how far two orders of the same things agree,
/// from −1 (reversed) to 1. (concordant − discordant pairs) / sqrt(pairs without a tie in the first
/// × those without one in the second); values closer than 1e-9 of the larger are a tie (M. G.
/// Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945). 0 if one order ties
/// all that the other tells apart; nothing if no pair is told apart by either.
std::optional<double> kendall_tau(const std::vector<ValuePair>& pairs);

} // namespace moesim
