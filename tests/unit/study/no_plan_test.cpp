#include "sim/study/no_plan.hpp"

#include "tests/support/calibration.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

/// The text for a search on H100 among plans of Mixtral-8x7B with these settings.
std::string text_of_search(std::vector<std::string> settings) {
  settings.emplace_back("parallel.search=best");
  for (const char* fixed : {"parallel.context=1", "parallel.virtual_stages=1",
                            "parallel.expert_tensor=1", "communication.overlap=none"})
    settings.emplace_back(fixed);
  const Scenario scenario = read_scenario(
      std::string(MOESIM_SOURCE_DIR) + "/workloads/mixtral-8x7b/scenario.toml", settings);
  const Costs costs = load_costs(calibration_folder, scenario.topology, scenario.workload.training);
  const PlanSearch search = search_plans(
      {scenario.workload, *scenario.search, scenario.topology, scenario.fidelity}, costs, 1);
  REQUIRE(search.best.empty());
  return no_plan_text(search, scenario);
}

} // namespace

TEST_CASE("a batch that no plan divides has its reason, and the nearest batch that works") {
  // 16 replicas of one GPU and micro-batches of 1: 96 and 112 are multiples of 16; 100 is nearer to
  // 96. 10 GPUs divide 100 sequences, but expert 1 alone.
  const std::string text =
      text_of_search({"cluster.gpus=16", "training.global_batch=100", "parallel.tensor=1",
                      "parallel.pipeline=1", "parallel.expert=8", "training.micro_batch=1"});
  CHECK_THAT(text, Contains("divides 16 GPUs, a global batch of 100 sequences, 32 layers and 8 "
                            "experts"));
  CHECK_THAT(text, Contains("training.global_batch = 96"));
  CHECK_THAT(text, Contains("parallel.tensor = 4"));
}

TEST_CASE("a degree that divides nothing has the nearest that does") {
  const std::string text =
      text_of_search({"cluster.gpus=16", "training.global_batch=64", "parallel.tensor=1",
                      "parallel.pipeline=1", "parallel.expert=7", "training.micro_batch=1"});
  CHECK_THAT(text, Contains("one change is enough: parallel.expert = 8"));
}

TEST_CASE("a model that no plan fits has what is missing, and the GPUs that are enough") {
  const std::string text =
      text_of_search({"cluster.gpus=8", "training.global_batch=64", "parallel.tensor=1",
                      "parallel.pipeline=1", "parallel.recompute=none", "training.micro_batch=1",
                      "parallel.zero_stage=3", "parallel.schedule=1f1b"});
  CHECK_THAT(text, Contains("none of "));
  CHECK_THAT(text, Contains(" GiB are missing: parallel.tensor=1"));
  // 16 GPUs are too few, and 24 do not divide 64 sequences.
  CHECK_THAT(text, Contains("one change is enough: cluster.gpus = 32"));
}

TEST_CASE("keys that a search may not choose are named beside the reason") {
  const std::string text = text_of_search({"cluster.gpus=16", "training.global_batch=64",
                                           "parallel.pipeline=5", "parallel.tensor=[1,2]"});
  CHECK_THAT(text,
             Contains("parallel.tensor = 1 or 2, parallel.context = 1, parallel.pipeline = 5"));
}

// Experts of 3 x 4,096 x 400,000 parameters: 8 of them in 32 layers are 1.3e12, 2.5 TB in bf16 on a
// rank with all of them, and a GPU has 80 GB.
TEST_CASE("a model too large for the whole cluster says so") {
  const std::string text =
      text_of_search({"cluster.gpus=8", "training.global_batch=64", "parallel.tensor=1",
                      "parallel.pipeline=1", "parallel.expert=1", "parallel.zero_stage=1",
                      "model.expert_hidden=400000", "parallel.recompute=full"});
  CHECK_THAT(text,
             Contains("no single change is enough, of a fixed key, of the GPUs (up to 16384)"));
}
