#include "sim/routing/trained_loads.hpp"

#include "sim/routing/token_counts.hpp"

#include <boost/random/seed_seq.hpp>

#include <algorithm>

namespace moesim {

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

} // namespace moesim
