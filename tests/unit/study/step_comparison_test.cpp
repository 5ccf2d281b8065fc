#include "sim/study/step_comparison.hpp"

#include "tests/support/calibration.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

const std::string mixtral = std::string(MOESIM_SOURCE_DIR) + "/workloads/mixtral-8x7b/";

/// A step whose waterfall is 10 ms of computes and 5 ms of the six other parts.
StepResult step_of_15_ms() {
  StepResult step;
  step.attention_ms = 3.0;
  step.router_ms = 0.5;
  step.permute_ms = 0.25;
  step.expert_ms = 4.0;
  step.shared_expert_ms = 0.0;
  step.dense_ms = 1.0;
  step.head_ms = 0.75;
  step.compute_ms = 10.0; // 0.5 ms above the sum of its seven parts, 9.5 ms
  step.ep_exposed_ms = 2.0;
  step.pp_bubble_ms = 1.0;
  step.tp_exposed_ms = 0.5;
  step.dp_exposed_ms = 0.25;
  step.optimizer_ms = 0.75;
  step.other_ms = 0.5;
  step.step_time_ms = 15.0;
  return step;
}

} // namespace

TEST_CASE("the parts of two steps add up to the difference of their times") {
  const StepResult a = step_of_15_ms();
  StepResult b = a;
  b.expert_ms += 2.0;
  b.compute_ms += 3.0; // 1 ms of it beside communication: 0.5 + 1 = 1.5 ms
  b.ep_exposed_ms -= 1.5;
  b.step_time_ms += 1.5;
  std::map<std::string, PartDifference> parts;
  double sum = 0.0;
  for (const PartDifference& part : part_differences(a, b)) {
    parts[part.part] = part;
    sum += part.difference_ms();
  }
  CHECK(parts.size() == 14);
  CHECK(sum == Approx(1.5).margin(1e-9)); // 2 + 1 - 1.5
  CHECK(parts["expert"].difference_ms() == Approx(2.0));
  CHECK(parts["beside_communication"].a_ms == Approx(0.5));
  CHECK(parts["beside_communication"].b_ms == Approx(1.5));
  CHECK(parts["ep_exposed"].difference_ms() == Approx(-1.5));
  CHECK(parts["attention"].difference_ms() == Approx(0.0).margin(1e-12));
}

TEST_CASE("two steps are compared with the inputs that they do not share") {
  const std::vector<std::string> small = {
      "model.layers=4",        "cluster.gpus=32",         "training.global_batch=64",
      "parallel.tensor=1",     "parallel.context=1",      "parallel.virtual_stages=1",
      "parallel.zero_stage=1", "parallel.recompute=none", "communication.dispatcher=alltoall"};
  const StepComparison same = compare_steps(mixtral + "scenario.toml", mixtral + "scenario.toml",
                                            small, calibration_folder);
  CHECK(same.inputs.empty());
  CHECK(same.a.step_time_ms == same.b.step_time_ms);
  // A search answers under the plan that it finds: its keys stand in place of the search's.
  const StepComparison searched = compare_steps(
      mixtral + "scenario.toml", mixtral + "best-plan.toml", small, calibration_folder);
  CHECK(searched.b.step_time_ms <= searched.a.step_time_ms);
  std::map<std::string, InputDifference> inputs;
  for (const InputDifference& input : searched.inputs)
    inputs[input.key] = input;
  CHECK(inputs.at("parallel.search") == InputDifference{"parallel.search", "", "best"});
  CHECK(inputs.at("parallel.pipeline") == InputDifference{"parallel.pipeline", "4", "1"});
  CHECK(!inputs.contains("parallel.tensor"));
  // Not written in the other file, but true by default.
  CHECK(!inputs.contains("parallel.sequence_parallel"));
}

TEST_CASE("a step that cannot run is not compared") {
  CHECK_THROWS_WITH(compare_steps(mixtral + "scenario.toml", mixtral + "scenario.toml",
                                  {"training.micro_batch=16"}, calibration_folder),
                    Contains("its step cannot run: out-of-memory"));
}
