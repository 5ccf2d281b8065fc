#pragma once

#include "sim/workload/routing_spec.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// The published α, z or u of a mechanism, as quoted at `Balancing`; 0 for one without a
/// coefficient.
double published_coefficient(Balancing balancing);

/// Parameters of the model that are not published: all are assumptions. They are chosen so that the
/// mechanisms, with their published coefficients, have the published effects; they are fitted to no
/// single training.
///
/// | field | why this value |
/// |---|---|
/// | topics | kinds of tokens that are routed alike; more of them change little and take time |
/// | topic_concentration | of the Dirichlet distribution of topics; 1: every mixture is as likely |
/// | initial_spread | below the spread of tokens, 1.8: max over mean of 64 experts is 1.3 to 1.5 |
/// | router_rate | Adam at a learning rate of 1e-4 with 40 inputs of size 1 that agree |
/// | gradient_noise | a thirtieth of `benefit`: a few percent of competence are noticed |
/// | benefit | one layer of some dozens gains little; α = 0.01 outweighs it, 0.0001 does not |
/// | training_rate | an expert at the mean load is trained after some hundred steps |
/// | forgetting_rate | a tenth of training; without it no advantage lasts once all are trained |
/// | general_share | most is of use for all topics; at 0 topics have their own, few experts die |
///
/// At half or twice router_rate, gradient_noise, benefit or training_rate loads still collapse,
/// sooner or later, and the same mechanisms prevent it. At twice the router_rate, biases of the
/// published u need some thousand steps. At twice the benefit, an α of 0.01 leaves a tenth of 256
/// experts without tokens.
struct RouterAssumptions {
  std::int64_t topics = 16;
  double topic_concentration = 1.0;
  double initial_spread = 0.5;   ///< standard deviation of the first logits
  double router_rate = 0.004;    ///< λ, logits per step
  double gradient_noise = 0.001; ///< ν, nats: standard deviation of a batch's gradient at p = 1/E
  double benefit = 0.03;         ///< A, nats per competence
  double training_rate = 0.005;  ///< η, per step at the mean load
  double forgetting_rate = 0.0005; ///< δ, per step
  double general_share = 0.8;      ///< ρ, from 0 to 1
};

/// The training of the router of one MoE layer.
struct RouterTraining : RouterSpec {
  std::int64_t experts = 0;           ///< at the start, without those added later
  std::int64_t experts_per_token = 0; ///< k, from 1 to experts - 1
  std::uint64_t seed = 0;             ///< a different seed for each layer
  RouterAssumptions assumptions = {};
};

using ByTopicAndExpert = std::vector<std::vector<double>>;

/// The state of the training before a step.
struct RouterState {
  std::int64_t step = 0;
  std::vector<double> topic_shares; ///< w: share of all tokens; they add up to 1
  ByTopicAndExpert logits;          ///< l: logits, mean over a topic's tokens
  ByTopicAndExpert competence;      ///< q: 0 (untrained) to 1
  std::vector<double> bias;         ///< b: by expert, added to a sigmoid score
};

/// The routing of a batch by the router of a state.
struct Routing {
  ByTopicAndExpert chance;      ///< s: probability that a token chooses the expert
  ByTopicAndExpert probability; ///< p: softmax of the logits of a topic
  std::vector<double> log_sum;  ///< by topic: ln Σᵢ exp lᵢ
  std::vector<double> load;     ///< f: shares by expert; they add up to 1
};

/// The state before the first step; it follows from the seed alone.
RouterState start_training(const RouterTraining& training);

/// Routes a batch. A token has its topic's logits plus independent noise for each expert, logistic
/// with scale 1, which is the unit of logits. Among many experts the k-th best score is nearly the
/// same for all tokens of a topic. A token thus takes an expert if its score is above a threshold
/// θ: s = 1 / (1 + exp(θ − l − 4 b)), with the θ of the topic for which Σᵢ s = k. Under expert
/// choice θ is the expert's, with Σ w s = k/E over topics. 4 b: a bias is added to a sigmoid score,
/// whose slope is at most 1/4. Load: fᵢ = Σ w s / k over topics.
Routing route(const RouterTraining& training, const RouterState& state);

/// One training step, by the means of a batch: nothing is drawn. With Fᵢ = E fᵢ and C topics:
/// - Logits of topics with tokens descend the loss −A Σᵢ pᵢ qᵢ (p replaces the gates: an expert
///   that is seldom selected counts little) and the loss of the mechanism. Its gradient is −pᵢ dᵢ,
///   dᵢ = A (qᵢ − Σⱼ pⱼ qⱼ) − α (Fᵢ − Σⱼ pⱼ Fⱼ) − 2 z ln Σⱼ exp lⱼ. As under
///   Adam (arXiv 1412.6980, section 2.1) a step is the mean gradient over its root mean square, to
///   which noise adds that falls with the tokens: lᵢ += λ dᵢ / √(dᵢ² + ν² / (E pᵢ)).
/// - A busier expert trains faster: q += η m (1 − q) − δ q, solved backwards so that q stays in
///   [0, 1], at the load m = ρ Fᵢ + (1 − ρ) C w s E / k, of all topics and of the topic's own: both
///   are 1 if loads and topics are even.
/// - Biases follow the rule of `Balancing::bias`.
void train_step(const RouterTraining& training, RouterState& state);

/// E Σᵢ fᵢ pᵢ: the auxiliary loss in multiples of α. It is 1 for uniform traffic and above it for
/// any other in which the busier expert has the higher probability too, or f = p (the inequalities
/// of Chebyshev and of Cauchy).
double auxiliary_loss(const std::vector<double>& shares, const std::vector<double>& probabilities);

/// The share of the routed tokens that each expert gets in each of the steps, counted from 0 and in
/// ascending order; each row adds up to 1, and has more experts once some are added.
std::vector<std::vector<double>> load_history(const RouterTraining& training,
                                              const std::vector<std::int64_t>& steps);

/// The shares after `steps` steps.
std::vector<double> loads_after(const RouterTraining& training, std::int64_t steps);

} // namespace moesim
