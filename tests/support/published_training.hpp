#pragma once

#include "sim/routing/load_statistics.hpp"
#include "sim/routing/router_training.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// A training with the coefficient that was published for its balancing.
inline RouterTraining published(Balancing balancing, std::uint64_t seed, std::int64_t experts = 64,
                                std::int64_t experts_per_token = 6) {
  RouterTraining training;
  training.experts = experts;
  training.experts_per_token = experts_per_token;
  training.balancing = balancing;
  training.coefficient = published_coefficient(balancing);
  training.seed = seed;
  return training;
}

/// The router after `steps` steps from its start.
inline RouterState state_after(const RouterTraining& training, std::int64_t steps) {
  RouterState state = start_training(training);
  while (state.step < steps)
    train_step(training, state);
  return state;
}

inline double max_over_mean(const std::vector<double>& loads) {
  return load_statistics(loads).max_over_mean;
}

} // namespace moesim
