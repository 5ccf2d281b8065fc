#include "sim/routing/trained_loads.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace moesim;

namespace {

/// A dense layer, then five of 16 experts.
ModelSpec five_moe_layers() {
  ModelSpec model;
  model.experts.experts = 16;
  model.layers.resize(6);
  for (std::size_t layer = 1; layer < 6; ++layer)
    model.layers[layer].moe = true;
  return model;
}

RouterTraining training_of(std::uint64_t seed) {
  RouterTraining training;
  training.experts = 16;
  training.experts_per_token = 2;
  training.seed = seed;
  return training;
}

std::vector<double> sorted(std::vector<double> loads) {
  std::sort(loads.begin(), loads.end());
  return loads;
}

} // namespace

TEST_CASE("four routers are trained, whose experts each layer numbers anew") {
  const LoadTrace trace = trained_loads(training_of(1), five_moe_layers(), 50);
  CHECK(trace.rows == LoadTrace::Rows::whole);
  REQUIRE(trace.layers.size() == 5);
  const auto loads = [&](std::int64_t layer) { return trace.layers.at(layer).at(0); };
  for (const std::int64_t layer : {2, 3, 4})
    CHECK(sorted(loads(1)) != sorted(loads(layer)));
  CHECK(sorted(loads(1)) == sorted(loads(5)));
  CHECK(loads(1) != loads(5));
  RouterTraining first = training_of(4); // of seed 1
  CHECK(sorted(loads(1)) == sorted(loads_after(first, 50)));
  CHECK(trained_loads(training_of(1), five_moe_layers(), 50).layers == trace.layers);
  CHECK(trained_loads(training_of(2), five_moe_layers(), 50).layers != trace.layers);
}

TEST_CASE("experts that are not there yet have no load") {
  RouterTraining training = training_of(1);
  training.experts = 12;
  training.experts_added = 4;
  training.experts_added_at = 10;
  const auto without = [&](std::int64_t step) {
    const std::vector<double> loads =
        trained_loads(training, five_moe_layers(), step).layers.at(1).at(0);
    return std::count(loads.begin(), loads.end(), 0.0);
  };
  CHECK(without(9) == 4);
  CHECK(without(11) == 0);
}

TEST_CASE("workloads of the same router share what it was trained to, and others do not") {
  Workload workload;
  workload.model = five_moe_layers();
  workload.model.experts.experts_per_token = 2;
  workload.routing.load = LoadKind::trained;
  workload.routing.seed = 1;
  workload.routing.step = 50;
  const LoadTrace& first = trained_loads_of(workload);
  CHECK(first.layers == trained_loads(training_of(1), workload.model, 50).layers);
  Workload same = workload;
  same.plan.gpus = 64;
  same.routing.capacity_factor = 1.25;
  same.model.hidden = 64;
  CHECK(&trained_loads_of(same) == &first);
  for (const auto& change : std::vector<void (*)(Workload&)>{
           [](Workload& other) { other.routing.seed = 2; },
           [](Workload& other) { other.routing.step = 51; },
           [](Workload& other) { other.routing.router.balancing = Balancing::bias; },
           [](Workload& other) { other.routing.router.coefficient = 0.5; },
           [](Workload& other) { other.routing.router.narrow_from_step = 10; },
           [](Workload& other) { other.routing.router.narrow_topics = 2; },
           [](Workload& other) { other.routing.router.experts_added = 1; },
           [](Workload& other) { other.routing.router.experts_added_at = 10; },
           [](Workload& other) { other.model.experts.experts = 32; },
           [](Workload& other) { other.model.experts.experts_per_token = 4; },
           [](Workload& other) { other.model.layers[0].moe = true; }}) {
    Workload other = workload;
    change(other);
    CHECK(&trained_loads_of(other) != &first);
  }
}
