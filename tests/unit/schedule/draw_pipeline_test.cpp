#include "sim/schedule/draw_pipeline.hpp"
#include "tests/support/plan_of.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>

using namespace moesim;

namespace {

std::size_t widest_line(const std::string& text) {
  std::istringstream stream(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(stream, line);)
    widest = std::max(widest, line.size());
  return widest;
}

} // namespace

// F0 in column 0, F1 beside B0 in columns 1 to 3, B1 in 4 and 5.
TEST_CASE("passes side by side are drawn as one") {
  ParallelPlan plan = plan_of(Schedule::one_forward_one_backward, 1, 1);
  plan.overlap_batches = true;
  CHECK(draw_pipeline(plan, 2) == "stage 0  F0 F1&B0--- B1---\n"
                                  "F forward, B backward, & side by side; then micro-batch.\n"
                                  "Passes of a kind are drawn alike long.\n");
}

// By hand, columns of three letters: stage 1 has F0 in column 1, B0 in 2 and 3, F1 in 4, B1 in 5
// and 6; so stage 0 has B0 in 4 and 5, and B1 in 7 and 8.
TEST_CASE("a pipeline is drawn with a line for each stage") {
  CHECK(draw_pipeline(plan_of(Schedule::one_forward_one_backward, 2, 1), 2) ==
        "stage 0  F0 F1       B0---    B1---\n"
        "stage 1     F0 B0--- F1 B1---\n"
        "F forward, B backward; then micro-batch.\n"
        "Passes of a kind are drawn alike long.\n");
}

// One stage, which has nothing to wait for: the gradients of weights follow those of inputs.
TEST_CASE("the halves of a backward pass are drawn apart") {
  CHECK(draw_pipeline(plan_of(Schedule::zero_bubble, 1, 1), 2) ==
        "stage 0  F0 I0 W0 F1 I1 W1\n"
        "F forward, I gradients of inputs, W gradients of weights; then micro-batch.\n"
        "Passes of a kind are drawn alike long.\n");
}

TEST_CASE("a pipeline is cut to some micro-batches and to 120 columns") {
  const std::string some = draw_pipeline(plan_of(Schedule::interleaved, 2, 2), 8);
  CHECK(some.find("F0a F1a F0b") != std::string::npos);
  CHECK(some.find("; then micro-batch and chunk.\n") != std::string::npos);
  CHECK(some.find(" 4 of 8 micro-batches are drawn.\n") != std::string::npos);
  // Every sign of the legend at once.
  ParallelPlan dual = plan_of(Schedule::dual_pipe, 8, 1);
  dual.overlap_batches = true;
  CHECK(widest_line(draw_pipeline(dual, 64)) == 120);
  for (const auto& [schedule, chunks] :
       std::vector<std::pair<Schedule, std::int64_t>>{{Schedule::one_forward_one_backward, 1},
                                                      {Schedule::interleaved, 3},
                                                      {Schedule::zero_bubble, 1},
                                                      {Schedule::zero_bubble, 2},
                                                      {Schedule::dual_pipe, 1}}) {
    const std::string wide = draw_pipeline(plan_of(schedule, 16, chunks), 64);
    CHECK(widest_line(wide) == 120);
    CHECK(wide.find(" ...\n") != std::string::npos);
    CHECK(wide.find(" 32 of 64 micro-batches are drawn. Lines are cut at 120 columns.\n") !=
          std::string::npos);
  }
}

// The V goes down the stages and up again: the second chunk of stage 0 is the last.
TEST_CASE("what stages hold is listed") {
  ModelSpec model;
  model.mtp_layers = 1;
  ParallelPlan plan = plan_of(Schedule::one_forward_one_backward, 2, 1);
  plan.layers_per_stage = {3, 1};
  CHECK(list_stages(plan, model) ==
        "stage 0  embedding, layers 0 to 2\n"
        "stage 1  layer 3, head, multi-token prediction 0 with its head\n");
  plan = plan_of(Schedule::zero_bubble, 2, 2);
  plan.layers_per_stage = {0, 2, 3, 0};
  model.mtp_layers = 0;
  CHECK(list_stages(plan, model) == "stage 0  a: embedding; b: head\n"
                                    "stage 1  a: layers 0 to 1; b: layers 2 to 4\n");
}
