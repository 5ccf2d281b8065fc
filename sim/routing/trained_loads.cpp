#include "sim/routing/trained_loads.hpp"

#include "sim/routing/token_counts.hpp"

#include <boost/random/seed_seq.hpp>

#include <algorithm>
#include <compare>
#include <map>

namespace moesim {

namespace {

/// The inputs that the loads of a trained router depend on.
struct TrainingInputs {
  RouterSpec router;
  std::uint64_t seed = 0;
  std::int64_t steps = 0;
  std::int64_t experts = 0; ///< number of experts after all are added
  std::int64_t experts_per_token = 0;
  std::vector<bool> moe_layers;

  auto operator<=>(const TrainingInputs&) const = default;
};

TrainingInputs training_inputs(const Workload& workload) {
  const RoutingSpec& routing = workload.routing;
  const ExpertSpec& experts = workload.model.experts;
  TrainingInputs inputs{
      routing.router, routing.seed, routing.step, experts.experts, experts.experts_per_token, {}};
  for (const LayerSpec& layer : workload.model.layers)
    inputs.moe_layers.push_back(layer.moe);
  return inputs;
}

} // namespace

LoadTrace trained_loads(const RouterTraining& training, const ModelSpec& model,
                        std::int64_t steps) {
  constexpr std::size_t routers_max = 4;
  std::vector<std::vector<double>> routers;
  LoadTrace trace;
  std::size_t moe_layers = 0;
  for (std::size_t layer = 0; layer < model.layers.size(); ++layer) {
    if (!model.layers[layer].moe)
      continue;
    if (routers.size() < routers_max) {
      RouterTraining own = training;
      own.seed = training.seed * routers_max + routers.size();
      routers.push_back(loads_after(own, steps));
      routers.back().resize(static_cast<std::size_t>(model.experts.experts), 0.0);
    }
    std::vector<double> loads = routers[moe_layers++ % routers_max];
    boost::random::seed_seq seeds{static_cast<std::uint32_t>(training.seed),
                                  static_cast<std::uint32_t>(training.seed >> 32),
                                  static_cast<std::uint32_t>(layer)};
    Random random(seeds);
    shuffle(loads, random);
    trace.layers[static_cast<std::int64_t>(layer)] = {std::move(loads)};
  }
  return trace;
}

const LoadTrace& trained_loads_of(const Workload& workload) {
  static std::map<TrainingInputs, LoadTrace> known;
  const TrainingInputs inputs = training_inputs(workload);
  const auto found = known.find(inputs);
  if (found != known.end())
    return found->second;
  RouterTraining training{inputs.router};
  training.experts = inputs.experts - inputs.router.experts_added;
  training.experts_per_token = inputs.experts_per_token;
  training.seed = inputs.seed;
  return known.emplace(inputs, trained_loads(training, workload.model, inputs.steps)).first->second;
}

} // namespace moesim
