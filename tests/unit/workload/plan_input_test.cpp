#include "sim/workload/plan_input.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

using Layers = std::vector<std::int64_t>;

/// A model of `layers` MoE layers with 24 experts each.
ModelSpec moe_of(std::size_t layers) {
  ModelSpec model;
  model.layers.resize(layers, {.moe = true});
  model.experts.experts = 24;
  return model;
}

} // namespace

TEST_CASE("layers that nobody splits are spread over the stages of the plan as it is now") {
  PlanInput input;
  input.written.pipeline = 2;
  CHECK(resolve_plan(input, moe_of(12), 8).layers_per_stage == Layers{6, 6});
  input.written.pipeline = 4;
  CHECK(resolve_plan(input, moe_of(12), 8).layers_per_stage == Layers{3, 3, 3, 3});
  CHECK(resolve_plan(input, moe_of(4), 8).layers_per_stage == Layers{1, 1, 1, 1});
  input.layers_per_stage = {1, 3};
  CHECK(resolve_plan(input, moe_of(4), 8).layers_per_stage == Layers{1, 3});
}

TEST_CASE("an automatic expert degree follows the GPUs, the pipeline and the model") {
  PlanInput input;
  input.expert.reset();
  CHECK(resolve_plan(input, moe_of(12), 16).expert == 8); // divides 24 and 16
  CHECK(resolve_plan(input, moe_of(12), 24).expert == 24);
  input.written.pipeline = 4; // 6 ranks a stage
  CHECK(resolve_plan(input, moe_of(12), 24).expert == 6);
  input.written.expert_tensor = 2;
  CHECK(resolve_plan(input, moe_of(12), 24).expert == 3);
  ModelSpec dense = moe_of(12);
  dense.experts.experts = 0;
  CHECK(resolve_plan(input, dense, 24).expert == 1);
}

TEST_CASE("the data-parallel degree follows from the GPUs") {
  PlanInput input;
  input.written.tensor = 2;
  input.written.gpus = 1000; // of no account
  CHECK(resolve_plan(input, moe_of(12), 16).data() == 8);
  CHECK(resolve_plan(input, moe_of(12), 32).data() == 16);
}
