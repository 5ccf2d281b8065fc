#include "sim/routing/router_training.hpp"

#include "sim/base/check.hpp"

#include <boost/math/tools/roots.hpp>
#include <boost/random/gamma_distribution.hpp>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/seed_seq.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

namespace moesim {

namespace {

using Random = boost::random::mt19937_64;
using Row = std::vector<double>;

double sum(const Row& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double dot(const Row& left, const Row& right) {
  return std::inner_product(left.begin(), left.end(), right.begin(), 0.0);
}

void divide(Row& values, double divisor) {
  for (double& value : values)
    value /= divisor;
}

Random random_at(const RouterTraining& training, std::int64_t step) {
  const auto at = static_cast<std::uint64_t>(step);
  boost::random::seed_seq seeds{
      static_cast<std::uint32_t>(training.seed), static_cast<std::uint32_t>(training.seed >> 32),
      static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at >> 32)};
  return Random(seeds);
}

void append_logits(Row& logits, std::int64_t count, double mean, double spread, Random& random) {
  boost::random::normal_distribution<double> normal(mean, spread);
  for (std::int64_t i = 0; i < count; ++i)
    logits.push_back(normal(random));
}

/// exp(threshold) at which the weighted mean of odds / (odds + exp(threshold)) is `share`. The
/// threshold lies between the one for odds that all equal the least and the one for odds that all
/// equal the greatest.
double threshold_odds(const Row& odds, const Row& weights, double share) {
  constexpr int bits = 40;
  constexpr double never_chosen = std::numeric_limits<double>::min();
  constexpr double margin = 1.0; // keeps the limits apart if all odds are equal
  const double wanted = share * sum(weights);
  const auto excess_and_slope = [&](double threshold) {
    const double bar = std::exp(threshold);
    double chosen = 0.0;
    double slope = 0.0;
    for (std::size_t i = 0; i < odds.size(); ++i) {
      const double chance = odds[i] / (odds[i] + bar);
      chosen += weights[i] * chance;
      slope -= weights[i] * chance * (1.0 - chance);
    }
    return std::make_pair(chosen - wanted, slope);
  };
  const auto [least, greatest] = std::minmax_element(odds.begin(), odds.end());
  const double alike = std::log(1.0 / share - 1.0);
  const double low = std::log(std::max(*least, never_chosen)) + alike - margin;
  const double high = std::log(*greatest) + alike + margin;
  const double far_above_all = std::log(dot(odds, weights) / wanted);
  return std::exp(boost::math::tools::newton_raphson_iterate(
      excess_and_slope, std::clamp(far_above_all, low, high), low, high, bits));
}

/// Turns odds into probabilities, whose weighted mean is `share` to the last bits.
void choose(Row& odds, const Row& weights, double share) {
  const double bar = threshold_odds(odds, weights, share);
  for (double& value : odds)
    value /= value + bar;
  divide(odds, dot(odds, weights) / (share * sum(weights)));
}

/// Turns odds by topic and expert into probabilities; each expert chooses among the topics.
void choose_by_expert(ByTopicAndExpert& odds, const Row& topic_shares, double share) {
  Row column(odds.size());
  for (std::size_t expert = 0; expert < odds.front().size(); ++expert) {
    for (std::size_t topic = 0; topic < odds.size(); ++topic)
      column[topic] = odds[topic][expert];
    choose(column, topic_shares, share);
    for (std::size_t topic = 0; topic < odds.size(); ++topic)
      odds[topic][expert] = column[topic];
  }
}

void narrow(std::int64_t topics, Row& topic_shares) {
  std::fill(topic_shares.begin() + topics, topic_shares.end(), 0.0);
  divide(topic_shares, sum(topic_shares));
}

void add_experts(const RouterTraining& training, RouterState& state) {
  Random random = random_at(training, state.step);
  for (std::size_t topic = 0; topic < state.logits.size(); ++topic) {
    Row& logits = state.logits[topic];
    append_logits(logits, training.experts_added, sum(logits) / static_cast<double>(logits.size()),
                  training.assumptions.initial_spread, random);
    state.competence[topic].resize(logits.size(), 0.0);
  }
  state.bias.resize(state.logits.front().size(), 0.0);
}

void change_at_step(const RouterTraining& training, RouterState& state) {
  if (state.step == training.narrow_from_step)
    narrow(training.narrow_topics, state.topic_shares);
  if (state.step == training.experts_added_at)
    add_experts(training, state);
}

void check(const RouterTraining& training) {
  const std::int64_t topics = training.assumptions.topics;
  INVARIANT(training.experts_per_token >= 1 && training.experts_per_token < training.experts,
            "{} of {} experts", training.experts_per_token, training.experts);
  INVARIANT(training.narrow_topics >= 1 && training.narrow_topics <= topics, "{} of {} topics",
            training.narrow_topics, topics);
  INVARIANT(training.experts_added >= 0, "{} experts added", training.experts_added);
}

/// Updates the logits of one topic by their gradient, scaled as by Adam.
void update_logits(const RouterTraining& training, const Routing& routing, std::size_t topic,
                   const Row& competence, Row& logits) {
  const RouterAssumptions& assumed = training.assumptions;
  const Row& probability = routing.probability[topic];
  const auto experts = static_cast<double>(logits.size());
  const bool auxiliary = training.balancing == Balancing::auxiliary_loss;
  const double alpha = auxiliary ? training.coefficient * experts : 0.0;
  const double z = training.balancing == Balancing::z_loss ? training.coefficient : 0.0;
  const double mean_competence = dot(probability, competence);
  const double mean_load = dot(probability, routing.load);
  const double variance = assumed.gradient_noise * assumed.gradient_noise / experts;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double descent = assumed.benefit * (competence[i] - mean_competence) -
                           alpha * (routing.load[i] - mean_load) - 2.0 * z * routing.log_sum[topic];
    logits[i] +=
        assumed.router_rate * descent / std::sqrt(descent * descent + variance / probability[i]);
  }
}

/// Updates the competence in a topic whose tokens are `topic_weight` times those of the mean topic.
void update_competence(const RouterTraining& training, const Routing& routing, std::size_t topic,
                       double topic_weight, Row& competence) {
  const RouterAssumptions& assumed = training.assumptions;
  const auto experts = static_cast<double>(competence.size());
  const double even = static_cast<double>(training.experts_per_token) / experts;
  for (std::size_t i = 0; i < competence.size(); ++i) {
    const double own = topic_weight * routing.chance[topic][i] / even;
    const double load =
        assumed.general_share * routing.load[i] * experts + (1.0 - assumed.general_share) * own;
    const double gain = assumed.training_rate * load;
    competence[i] = (competence[i] + gain) / (1.0 + gain + assumed.forgetting_rate);
  }
}

void update_bias(double step, const Row& load, Row& bias) {
  const double even = 1.0 / static_cast<double>(load.size());
  for (std::size_t i = 0; i < load.size(); ++i)
    if (load[i] != even)
      bias[i] += load[i] < even ? step : -step;
}

} // namespace

double published_coefficient(Balancing balancing) {
  switch (balancing) {
  case Balancing::auxiliary_loss:
    return 0.01;
  case Balancing::z_loss:
  case Balancing::bias:
    return 0.001;
  case Balancing::none:
  case Balancing::expert_choice:
    break;
  }
  return 0.0;
}

RouterState start_training(const RouterTraining& training) {
  check(training);
  const RouterAssumptions& assumed = training.assumptions;
  Random random = random_at(training, 0);
  RouterState state;
  boost::random::gamma_distribution<double> gamma(assumed.topic_concentration, 1.0);
  for (std::int64_t topic = 0; topic < assumed.topics; ++topic)
    state.topic_shares.push_back(gamma(random));
  divide(state.topic_shares, sum(state.topic_shares));
  const auto experts = static_cast<std::size_t>(training.experts);
  state.logits.resize(state.topic_shares.size());
  for (Row& logits : state.logits)
    append_logits(logits, training.experts, 0.0, assumed.initial_spread, random);
  state.competence.assign(state.logits.size(), Row(experts, 0.0));
  state.bias.assign(experts, 0.0);
  change_at_step(training, state);
  return state;
}

Routing route(const RouterTraining& training, const RouterState& state) {
  constexpr double logits_per_score = 4.0;
  const std::size_t experts = state.bias.size();
  const auto per_token = static_cast<double>(training.experts_per_token);
  const double even = per_token / static_cast<double>(experts);
  Row bias_odds(experts);
  std::transform(state.bias.begin(), state.bias.end(), bias_odds.begin(),
                 [](double bias) { return std::exp(logits_per_score * bias); });
  Routing routing;
  for (const Row& logits : state.logits) {
    const double greatest = *std::max_element(logits.begin(), logits.end());
    Row odds(experts);
    std::transform(logits.begin(), logits.end(), odds.begin(),
                   [&](double logit) { return std::exp(logit - greatest); });
    routing.probability.push_back(odds);
    divide(routing.probability.back(), sum(odds));
    routing.log_sum.push_back(greatest + std::log(sum(odds)));
    std::transform(odds.begin(), odds.end(), bias_odds.begin(), odds.begin(), std::multiplies<>());
    routing.chance.push_back(std::move(odds));
  }
  if (training.balancing == Balancing::expert_choice)
    choose_by_expert(routing.chance, state.topic_shares, even);
  else
    for (Row& chances : routing.chance)
      choose(chances, Row(experts, 1.0), even);
  routing.load.assign(experts, 0.0);
  for (std::size_t topic = 0; topic < state.logits.size(); ++topic)
    for (std::size_t i = 0; i < experts; ++i)
      routing.load[i] += state.topic_shares[topic] * routing.chance[topic][i] / per_token;
  return routing;
}

void train_step(const RouterTraining& training, RouterState& state) {
  const Routing routing = route(training, state);
  const auto topics = static_cast<double>(state.logits.size());
  for (std::size_t topic = 0; topic < state.logits.size(); ++topic) {
    const double share = state.topic_shares[topic];
    if (share > 0.0)
      update_logits(training, routing, topic, state.competence[topic], state.logits[topic]);
    update_competence(training, routing, topic, topics * share, state.competence[topic]);
  }
  if (training.balancing == Balancing::bias)
    update_bias(training.coefficient, routing.load, state.bias);
  ++state.step;
  change_at_step(training, state);
}

double auxiliary_loss(const std::vector<double>& shares, const std::vector<double>& probabilities) {
  return static_cast<double>(shares.size()) * dot(shares, probabilities);
}

std::vector<std::vector<double>> load_history(const RouterTraining& training,
                                              const std::vector<std::int64_t>& steps) {
  RouterState state = start_training(training);
  std::vector<std::vector<double>> loads;
  for (const std::int64_t step : steps) {
    INVARIANT(step >= state.step, "step {} is asked for after step {}", step, state.step);
    while (state.step < step)
      train_step(training, state);
    loads.push_back(route(training, state).load);
  }
  return loads;
}

std::vector<double> loads_after(const RouterTraining& training, std::int64_t steps) {
  return load_history(training, {steps}).front();
}

} // namespace moesim
