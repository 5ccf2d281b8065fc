#pragma once

#include <optional>
#include <vector>

namespace moesim {

/// A measured value and its prediction.
struct ValuePair {
  double measured = 0.0;
  double predicted = 0.0;
};

/// Kendall's tau over pairs of values whose measurements differ by more than `scatter` of the
/// larger (M. G. Kendall, "A new measure of rank correlation", Biometrika 30, 1938): (concordant −
/// discordant) / number of these pairs, from −1 (reversed) to 1. A pair that the prediction ties,
/// to 1e-9, counts as neither. Nothing if there are no such pairs.
std::optional<double> kendall_tau(const std::vector<ValuePair>& pairs, double scatter);

} // namespace moesim
