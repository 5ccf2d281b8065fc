#include "sim/schedule/pipeline_times.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace moesim;

namespace {

/// "F0 F1 B0 …"; passes side by side are joined by "&"; the chunk behind a point where there are
/// several; I and W are the gradients of inputs and of weights.
std::string text_of(const StageOrder& order, bool chunks = false) {
  std::string text;
  for (const ChunkPass& pass : order)
    text += (text.empty()           ? ""
             : pass.beside_previous ? "&"
                                    : " ") +
            std::string(1, "FBIW"[static_cast<int>(pass.pass)]) + std::to_string(pass.micro_batch) +
            (chunks ? "." + std::to_string(pass.chunk) : "");
  return text;
}

ParallelPlan plan_of(Schedule schedule, std::int64_t stages, std::int64_t chunks) {
  ParallelPlan plan;
  plan.gpus = stages;
  plan.pipeline = stages;
  plan.virtual_stages = chunks;
  plan.schedule = schedule;
  return plan;
}

double end_of(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times) {
  const auto stages = pipeline_times(plan, micro_batches, times);
  REQUIRE(stages);
  double end = 0.0;
  for (const std::vector<PassSpan>& spans : *stages)
    end = std::max(end, spans.back().finish);
  return end;
}

/// The time of the pipeline beyond the work of one stage.
double bubble(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times) {
  const double work = static_cast<double>(micro_batches * plan.virtual_stages) *
                      (times.forward + times.input + times.weight);
  return end_of(plan, micro_batches, times) - work;
}

std::int64_t most_in_flight(const StageOrder& order) {
  return most_kept(order, {1});
}

/// Every pass of every micro-batch through every chunk once.
bool is_complete(const StageOrder& order, std::int64_t chunks, std::int64_t micro_batches,
                 bool split) {
  std::set<std::tuple<Pass, std::int64_t, std::int64_t>> passes;
  for (const ChunkPass& pass : order)
    passes.insert({pass.pass, pass.chunk, pass.micro_batch});
  const auto count = static_cast<std::size_t>((split ? 3 : 2) * chunks * micro_batches);
  return order.size() == count && passes.size() == count;
}

} // namespace

// Figure 4 (top) of Narayanan et al., arXiv 2104.04473, cut to 6 micro-batches.
TEST_CASE("four stages and six micro-batches run one forward, one backward") {
  CHECK(text_of(one_forward_one_backward(4, 0, 6)) == "F0 F1 F2 F3 B0 F4 B1 F5 B2 B3 B4 B5");
  CHECK(text_of(one_forward_one_backward(4, 1, 6)) == "F0 F1 F2 B0 F3 B1 F4 B2 F5 B3 B4 B5");
  CHECK(text_of(one_forward_one_backward(4, 2, 6)) == "F0 F1 B0 F2 B1 F3 B2 F4 B3 F5 B4 B5");
  CHECK(text_of(one_forward_one_backward(4, 3, 6)) == "F0 B0 F1 B1 F2 B2 F3 B3 F4 B4 F5 B5");
}

TEST_CASE("fewer micro-batches than stages all run forward first") {
  CHECK(text_of(one_forward_one_backward(4, 0, 2)) == "F0 F1 B0 B1");
  CHECK(text_of(one_forward_one_backward(4, 3, 2)) == "F0 B0 F1 B1");
}

// Figure 4 (bottom) there: the first stage of 4 with 2 chunks and 8 micro-batches warms up with 10
// passes, the last with 4.
TEST_CASE("interleaved stages pass groups of micro-batches from chunk to chunk") {
  CHECK(text_of(interleaved(4, 2, 0, 4), true) ==
        "F0.0 F1.0 F2.0 F3.0 F0.1 F1.1 F2.1 F3.1 B0.1 B1.1 B2.1 B3.1 B0.0 B1.0 B2.0 B3.0");
  CHECK(text_of(interleaved(4, 2, 3, 4), true) ==
        "F0.0 F1.0 F2.0 F3.0 F0.1 B0.1 F1.1 B1.1 F2.1 B2.1 F3.1 B3.1 B0.0 B1.0 B2.0 B3.0");
  const std::string first = text_of(interleaved(4, 2, 0, 8), true);
  CHECK(first.substr(0, first.find('B')) ==
        "F0.0 F1.0 F2.0 F3.0 F0.1 F1.1 F2.1 F3.1 F4.0 F5.0 F6.0 ");
}

// Figure 2 (top) of Qi et al., arXiv 2401.10241: the last stage delays its weight gradients by as
// many micro-batches as there are stages before it.
TEST_CASE("zero bubble delays the gradients of weights into the drain") {
  CHECK(text_of(zero_bubble(4, 3, 6)) == "F0 I0 F1 I1 F2 I2 F3 I3 W0 F4 I4 W1 F5 I5 W2 W3 W4 W5");
  CHECK(text_of(zero_bubble(4, 0, 6)) == "F0 F1 F2 F3 I0 W0 F4 I1 W1 F5 I2 W2 I3 W3 I4 W4 I5 W5");
}

TEST_CASE("each backward pass runs beside the forward pass that would follow it") {
  CHECK(text_of(beside_each_other(one_forward_one_backward(1, 0, 3))) == "F0 F1&B0 F2&B1 B2");
  CHECK(text_of(beside_each_other(one_forward_one_backward(1, 0, 1))) == "F0 B0");
  // Of the last of 2 stages with 2 chunks: 3 passes to warm up instead of 2 before the first pair.
  CHECK(text_of(interleaved(2, 2, 1, 4), true).substr(0, 29) == "F0.0 F1.0 F0.1 B0.1 F1.1 B1.1");
  CHECK(text_of(beside_each_other(interleaved(2, 2, 1, 4)), true) ==
        "F0.0 F1.0 F0.1 F1.1&B0.1 F2.0&B1.1 F3.0&B0.0 F2.1&B1.0 F3.1&B2.1 B3.1 B2.0 B3.0");
}

TEST_CASE("every pass runs once and no stage waits for ever, under every schedule") {
  for (std::int64_t stages = 1; stages <= 16; ++stages)
    for (std::int64_t micro_batches = 1; micro_batches <= 64; ++micro_batches) {
      INFO("stages " << stages << " micro-batches " << micro_batches);
      for (const Schedule schedule : {Schedule::one_forward_one_backward, Schedule::zero_bubble}) {
        const ParallelPlan plan = plan_of(schedule, stages, 1);
        REQUIRE(pipeline_times(plan, micro_batches, {}));
        for (std::int64_t stage = 0; stage < stages; ++stage)
          REQUIRE(is_complete(pipeline_order(plan, stage, micro_batches), 1, micro_batches,
                              schedule == Schedule::zero_bubble));
      }
      for (std::int64_t chunks = 2; chunks <= 4 && stages > 1 && micro_batches % stages == 0;
           ++chunks) {
        const ParallelPlan plan = plan_of(Schedule::interleaved, stages, chunks);
        ParallelPlan paired = plan;
        paired.overlap_batches = true;
        for (const ParallelPlan& variant : {plan, paired}) {
          REQUIRE(pipeline_times(variant, micro_batches, {}));
          for (std::int64_t stage = 0; stage < stages; ++stage)
            REQUIRE(is_complete(pipeline_order(variant, stage, micro_batches), chunks,
                                micro_batches, false));
        }
      }
    }
}

// Bubbles of p equal stages: 1F1B (p - 1) (F + B), interleaved the same with F and B of a chunk
// (arXiv 2104.04473, sections 2.2 and 2.3), ZB-H1 (p - 1) (F + B - W) (arXiv 2401.10241, table 2).
TEST_CASE("bubbles of equal stages are those of the papers") {
  const PassTimes times{1.0, 1.2, 0.8};
  for (std::int64_t stages = 2; stages <= 16; ++stages)
    for (const std::int64_t groups : {1, 2, 4}) {
      const std::int64_t micro_batches = groups * stages;
      const auto before = static_cast<double>(stages - 1);
      INFO("stages " << stages << " micro-batches " << micro_batches);
      CHECK(bubble(plan_of(Schedule::one_forward_one_backward, stages, 1), micro_batches, times) ==
            Approx(before * 3.0).epsilon(1e-9));
      CHECK(bubble(plan_of(Schedule::zero_bubble, stages, 1), micro_batches, times) ==
            Approx(before * (1.0 + 1.2 - 0.8)).epsilon(1e-9));
      for (const std::int64_t chunks : {2, 4})
        CHECK(bubble(plan_of(Schedule::interleaved, stages, chunks), micro_batches, times) ==
              Approx(before * 3.0).epsilon(1e-9));
    }
}

// The last stage binds: it waits for p - 1 forward passes of one chunk, warms up with w = (v - 1) p
// + 1, runs the other v m - w in pairs, drains w backward passes, and the first stage ends p - 1
// backward passes later. Where a pair takes what its passes take apart, that is the bubble of the
// interleaved schedule.
TEST_CASE("pairs shorten the steady state of the interleaved schedule") {
  const PassTimes times{1.0, 1.2, 0.8, 2.3};
  const PassTimes apart{1.0, 1.2, 0.8};
  for (std::int64_t stages = 2; stages <= 16; ++stages)
    for (const std::int64_t chunks : {2, 4})
      for (const std::int64_t groups : {1, 2, 4}) {
        INFO("stages " << stages << " chunks " << chunks << " groups " << groups);
        ParallelPlan plan = plan_of(Schedule::interleaved, stages, chunks);
        plan.overlap_batches = true;
        const std::int64_t passes = groups * stages * chunks;
        const std::int64_t warm_up = std::min(passes, (chunks - 1) * stages + 1);
        CHECK(end_of(plan, groups * stages, times) ==
              Approx(static_cast<double>(stages - 1 + warm_up) * 3.0 +
                     static_cast<double>(passes - warm_up) * 2.3)
                  .epsilon(1e-9));
        CHECK(bubble(plan, groups * stages, apart) ==
              Approx(static_cast<double>(stages - 1) * 3.0).epsilon(1e-9));
      }
  // One stage: a forward pass, m - 1 pairs, a backward pass.
  ParallelPlan plan = plan_of(Schedule::one_forward_one_backward, 1, 1);
  plan.overlap_batches = true;
  CHECK(end_of(plan, 5, times) == Approx(1.0 + 4 * 2.3 + 2.0));
}

TEST_CASE("a stage keeps as many micro-batches as its schedule says") {
  for (std::int64_t stages = 1; stages <= 8; ++stages)
    for (std::int64_t micro_batches = stages; micro_batches <= 16; ++micro_batches)
      for (std::int64_t stage = 0; stage < stages; ++stage) {
        INFO("stages " << stages << " micro-batches " << micro_batches << " stage " << stage);
        CHECK(most_in_flight(one_forward_one_backward(stages, stage, micro_batches)) ==
              stages - stage);
        // ZB-H1 keeps on every stage what 1F1B keeps on its first.
        CHECK(most_in_flight(zero_bubble(stages, stage, micro_batches)) == stages);
      }
  // A pair keeps what both of its passes need.
  CHECK(most_in_flight(beside_each_other(one_forward_one_backward(1, 0, 4))) == 2);
  // Chunks of 3 and 5: the first of 2 stages holds micro-batches 0, 1 in both and 2 in the first.
  CHECK(most_kept(interleaved(2, 2, 0, 4), {3, 5}) == 2 * 3 + 2 * 5 + 3);
}

// F0 in column 0, F1 beside B0 in columns 1 to 3, B1 in 4 and 5.
TEST_CASE("passes side by side are drawn as one") {
  ParallelPlan plan = plan_of(Schedule::one_forward_one_backward, 1, 1);
  plan.overlap_batches = true;
  CHECK(draw_pipeline(plan, 2) == "stage 0  F0 F1&B0--- B1---\n");
}

// By hand, columns of three letters: stage 1 has F0 in column 1, B0 in 2 and 3, F1 in 4, B1 in 5
// and 6; so stage 0 has B0 in 4 and 5, and B1 in 7 and 8.
TEST_CASE("a pipeline is drawn with a line for each stage") {
  CHECK(draw_pipeline(plan_of(Schedule::one_forward_one_backward, 2, 1), 2) ==
        "stage 0  F0 F1       B0---    B1---\n"
        "stage 1     F0 B0--- F1 B1---\n");
  const std::string cut = draw_pipeline(plan_of(Schedule::interleaved, 2, 2), 8);
  CHECK(cut.find("F0a F1a F0b") != std::string::npos);
  CHECK(cut.find("(4 of 8 micro-batches)") != std::string::npos);
}
