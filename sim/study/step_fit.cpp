#include "sim/study/step_fit.hpp"

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

namespace moesim {

namespace {

/// The error up to which a step pulls in proportion to its error. Measurements of one plan differ
/// by 1.6 %.
constexpr double square_up_to = 0.02;
/// The error that pulls as strongly as a prior that is off by its spread, for a source.
constexpr double typical_error = 0.05;
constexpr int rounds = 50;

/// The weight of each step: each fold counts as one, and its plans share it evenly.
std::vector<double> weights(const std::vector<LinearStep>& steps) {
  std::map<std::string, double> cases;
  std::map<std::string, std::set<std::string>> plans;
  for (const LinearStep& step : steps) {
    cases[step.plan] += 1.0;
    plans[step.fold].insert(step.plan);
  }
  std::vector<double> found;
  for (const LinearStep& step : steps)
    found.push_back(1.0 / cases[step.plan] / static_cast<double>(plans[step.fold].size()));
  return found;
}

} // namespace

double LinearStep::log_error_at(const std::vector<double>& log_factors) const {
  return std::inner_product(slopes.begin(), slopes.end(), log_factors.begin(), log_error);
}

std::vector<double> fit_log_factors(const std::vector<LinearStep>& steps,
                                    const std::vector<FactorPrior>& priors,
                                    const std::string& left_out) {
  const auto count = static_cast<Eigen::Index>(priors.size());
  const std::vector<double> weight = weights(steps);
  std::vector<double> factors;
  for (const FactorPrior& prior : priors)
    factors.push_back(prior.centre);
  if (factors.empty())
    return factors;
  // Huber's loss by iteratively reweighted least squares.
  for (int round = 0; round < rounds; ++round) {
    Eigen::MatrixXd normal = Eigen::MatrixXd::Zero(count, count);
    Eigen::VectorXd right = Eigen::VectorXd::Zero(count);
    for (Eigen::Index i = 0; i < count; ++i) {
      const FactorPrior& prior = priors[static_cast<std::size_t>(i)];
      normal(i, i) = 1.0 / (prior.spread * prior.spread);
      right(i) = prior.centre * normal(i, i);
    }
    for (std::size_t number = 0; number < steps.size(); ++number) {
      const LinearStep& step = steps[number];
      if (step.fold == left_out)
        continue;
      const double error = std::abs(step.log_error_at(factors));
      const double pull = weight[number] / (typical_error * std::max(error, square_up_to));
      const Eigen::Map<const Eigen::VectorXd> slopes(step.slopes.data(), count);
      normal += pull * slopes * slopes.transpose();
      right -= pull * step.log_error * slopes;
    }
    const Eigen::VectorXd solved = normal.ldlt().solve(right);
    for (std::size_t number = 0; number < factors.size(); ++number)
      factors[number] = std::min(solved(static_cast<Eigen::Index>(number)), priors[number].most);
  }
  return factors;
}

} // namespace moesim
