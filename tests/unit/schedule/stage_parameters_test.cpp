#include "sim/schedule/stage_parameters.hpp"
#include "tests/unit/schedule/shipped_workload.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <tuple>

using namespace moesim;

namespace {

/// Parameters of the ranks that together hold one copy of the model.
std::int64_t parameters_of_replica(const Workload& workload) {
  std::int64_t sum = 0;
  for (std::int64_t stage = 0; stage < workload.plan.pipeline; ++stage) {
    const StageParameters p = stage_parameters(workload, stage);
    sum += p.dense_per_rank * workload.plan.tensor + p.expert_per_rank * workload.plan.expert;
  }
  return sum;
}

} // namespace

TEST_CASE("the ranks of a replica hold the model once") {
  for (const auto& [name, expert, stages, tensor] :
       std::vector<std::tuple<std::string, std::int64_t, std::int64_t, std::int64_t>>{
           {"mixtral-8x7b", 8, 4, 1},
           {"mixtral-8x7b", 8, 1, 2},
           {"deepseek-v3", 64, 16, 1},
           {"qwen3-30b-a3b", 16, 2, 4},
           {"qwen3-235b-a22b", 32, 2, 1},
           {"llama-2-70b", 1, 4, 8}}) {
    INFO(name << " " << expert << " " << stages << " " << tensor);
    Workload workload = with_pipeline(shipped_workload(name, expert), stages);
    workload.plan.tensor = tensor;
    // Parts are rounded down: the sum lacks at most one parameter a rank and stage.
    const std::int64_t total = count_parameters(workload.model).total;
    CHECK(parameters_of_replica(workload) <= total);
    CHECK(parameters_of_replica(workload) > total - stages * tensor);
  }
}

TEST_CASE("a tied embedding is held twice if its ends are on different stages") {
  const Workload one = shipped_workload("switch", 32);
  CHECK(one.model.tied_embeddings);
  CHECK(parameters_of_replica(one) == count_parameters(one.model).total);
  const Workload two = with_pipeline(one, 2);
  CHECK(parameters_of_replica(two) ==
        count_parameters(two.model).total + two.model.vocabulary * two.model.hidden);
}

TEST_CASE("a V has both ends of the model on its first stage, which ties them") {
  Workload workload = with_pipeline(shipped_workload("switch", 32), 2);
  workload.plan.virtual_stages = 2;
  workload.plan.schedule = Schedule::zero_bubble;
  workload.plan.layers_per_stage =
      spread_layers(static_cast<std::int64_t>(workload.model.layers.size()), 4);
  CHECK(parameters_of_replica(workload) == count_parameters(workload.model).total);
  CHECK(holds(workload.plan, 0, 0));
  CHECK(holds(workload.plan, 0, 3));
  CHECK_FALSE(holds(workload.plan, 1, 3));
}

TEST_CASE("a pipeline for both directions holds the model twice") {
  Workload workload = with_pipeline(shipped_workload("mixtral-8x7b", 8), 4);
  workload.plan.schedule = Schedule::dual_pipe;
  CHECK(parameters_of_replica(workload) == 2 * count_parameters(workload.model).total);
  CHECK(stage_parameters(workload, 0).dense_per_rank ==
        stage_parameters(workload, 3).dense_per_rank);
}

TEST_CASE("stages start where the one before ended") {
  ParallelPlan plan;
  plan.pipeline = 3;
  plan.layers_per_stage = {3, 4, 2};
  CHECK(first_layer(plan, 0) == 0);
  CHECK(first_layer(plan, 1) == 3);
  CHECK(first_layer(plan, 2) == 7);
}
