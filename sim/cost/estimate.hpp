#pragma once

#include "sim/cost/compute_constants.hpp"
#include "sim/cost/compute_cost.hpp"

#include <string>

namespace moesim {

/// An intermediate value of a KernelTime. Independent errors add up in quadrature.
struct Estimate {
  double seconds = 0.0;
  CostBasis basis = CostBasis::measured;
  double squared_error = 0.0;
  const std::string* stand_in = nullptr; ///< KernelTime::stand_in

  void depends_on(CostBasis on, double error) {
    basis = farther(basis, on);
    squared_error += error * error;
  }
  /// Adds the time of the next part, whose error is independent.
  void follow(const Estimate& other) {
    if (other.seconds == 0.0)
      return;
    const double total = seconds + other.seconds;
    squared_error =
        (squared_error * seconds * seconds + other.squared_error * other.seconds * other.seconds) /
        (total * total);
    seconds = total;
    basis = farther(basis, other.basis);
    if (!stand_in)
      stand_in = other.stand_in;
  }
  /// Divides the time by the ratio of a rule.
  void divide_by(const Uncertain& ratio) {
    seconds /= ratio.value;
    depends_on(CostBasis::rule, ratio.error);
  }
};

} // namespace moesim
