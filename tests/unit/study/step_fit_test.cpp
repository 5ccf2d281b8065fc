#include "sim/study/step_fit.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// A step whose time follows one constant.
LinearStep step(const std::string& fold, const std::string& plan, double log_error) {
  return {fold, plan, log_error, {1.0}};
}

} // namespace

// A source pulls with 1 / (0.05 x 0.02) = 1000 up to an error of 0.02; the prior with 1 / 0.1² =
// 100. It is off by 0.01: -0.01 x 1000 / (1000 + 100).
TEST_CASE("a constant moves towards its steps as far as its prior lets it") {
  const std::vector<FactorPrior> priors{{0.0, 0.1}};
  CHECK(fit_log_factors({step("a", "p", 0.01)}, priors)[0] == Approx(-0.01 * 1000 / 1100));
  CHECK(fit_log_factors({step("a", "p", 0.01)}, priors, "a")[0] == Approx(0.0));
}

TEST_CASE("cases of one plan, and plans of one source, share its weight") {
  const std::vector<FactorPrior> priors{{0.0, 0.1}};
  const double alone = fit_log_factors({step("a", "p", 0.01)}, priors)[0];
  CHECK(fit_log_factors({step("a", "p", 0.01), step("a", "p", 0.01)}, priors)[0] == Approx(alone));
  CHECK(fit_log_factors({step("a", "p", 0.01), step("a", "q", 0.01)}, priors)[0] == Approx(alone));
  // Two sources pull with 2000.
  CHECK(fit_log_factors({step("a", "p", 0.01), step("b", "q", 0.01)}, priors)[0] ==
        Approx(-0.01 * 2000 / 2100));
}

// Beyond 0.02 the pull is 1 / (0.05 x error) x error = 20, however far the step is off. Two sources
// at 0 hold with 2000 and the prior with 1: x = -20 / 2001.
TEST_CASE("a step that nothing explains pulls no more than one that is a little off") {
  const std::vector<LinearStep> steps{step("a", "p", 0.0), step("b", "q", 0.0),
                                      step("c", "r", 1.0)};
  CHECK(fit_log_factors(steps, {{0.0, 1.0}})[0] == Approx(-20.0 / 2001.0).epsilon(1e-3));
}

TEST_CASE("a constant stays below the largest value that makes sense") {
  CHECK(fit_log_factors({step("a", "p", -0.5)}, {{0.0, 1.0, 0.1}})[0] == Approx(0.1));
}

TEST_CASE("steps without constants, and constants without steps, are no fit") {
  CHECK(fit_log_factors({}, {{0.3, 0.1}})[0] == Approx(0.3));
  CHECK(fit_log_factors({{"a", "p", 0.1, {}}}, {}).empty());
}
