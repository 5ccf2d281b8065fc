#include "sim/schedule/pipeline_times.hpp"
#include "tests/support/plan_of.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace moesim;

namespace {

StageOrder one_forward_one_backward(std::int64_t stages, std::int64_t stage,
                                    std::int64_t micro_batches) {
  return pipeline_order(plan_of(Schedule::one_forward_one_backward, stages, 1), stage,
                        micro_batches);
}

StageOrder interleaved(std::int64_t stages, std::int64_t chunks, std::int64_t stage,
                       std::int64_t micro_batches) {
  return pipeline_order(plan_of(Schedule::interleaved, stages, chunks), stage, micro_batches);
}

StageOrder zero_bubble(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches) {
  return pipeline_order(plan_of(Schedule::zero_bubble, stages, 1), stage, micro_batches);
}

StageOrder zero_bubble_v(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches) {
  return pipeline_order(plan_of(Schedule::zero_bubble, stages, 2), stage, micro_batches);
}

StageOrder dual_pipe(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches,
                     bool side_by_side) {
  ParallelPlan plan = plan_of(Schedule::dual_pipe, stages, 1);
  plan.overlap_batches = side_by_side;
  return pipeline_order(plan, stage, micro_batches);
}

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

/// Idle time of each stage before the end of the last.
std::vector<double> idle_times(const ParallelPlan& plan, std::int64_t micro_batches,
                               const PassTimes& times) {
  const auto stages = pipeline_times(plan, micro_batches, times);
  REQUIRE(stages);
  std::vector<double> idle(stages->size(), end_of(plan, micro_batches, times));
  for (std::size_t stage = 0; stage < stages->size(); ++stage)
    for (const PassSpan& span : (*stages)[stage])
      if (!span.pass.beside_previous)
        idle[stage] -= span.finish - span.start;
  return idle;
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

// Figure 6 of arXiv 2401.10241 shows the pattern: down the V, up again, then a pass of each kind on
// each chunk in turn.
TEST_CASE("the V passes a micro-batch down the stages and up again") {
  CHECK(text_of(zero_bubble_v(2, 0, 3), true) ==
        "F0.0 F1.0 F2.0 F0.1 I0.1 W0.1 F1.1 I1.1 W1.1 I0.0 W0.0 F2.1 I2.1 W2.1 I1.0 W1.0 I2.0 "
        "W2.0");
  CHECK(text_of(zero_bubble_v(2, 1, 3), true) ==
        "F0.0 F0.1 F1.0 F1.1 I0.1 W0.1 F2.0 I0.0 W0.0 F2.1 I1.1 W1.1 I1.0 I2.1 I2.0 W1.0 W2.1 "
        "W2.0");
  // Without the micro-batches that are not there.
  CHECK(text_of(zero_bubble_v(2, 0, 1), true) == "F0.0 F0.1 I0.1 W0.1 I0.0 W0.0");
}

// Figure 5 of arXiv 2412.19437: 8 devices and 20 micro-batches, of which 10 enter at either end.
// Device 0 starts with 6 forward passes of its own direction, device 3 with one of each in turn.
TEST_CASE("DualPipe feeds micro-batches from both ends") {
  const std::string first = text_of(dual_pipe(8, 0, 20, true), true);
  CHECK(first.substr(0, first.find('&')) ==
        "F0.0 F1.0 F2.0 F3.0 F4.0 F5.0 F6.0 F10.1 I10.1 W10.1 F11.1 I11.1 W11.1 F12.1 I12.1 W12.1 "
        "F13.1 F7.0");
  const std::string fourth = text_of(dual_pipe(8, 3, 20, true), true);
  CHECK(fourth.substr(0, fourth.find('&')) ==
        "F0.0 F10.1 F1.0 F11.1 F2.0 F12.1 F3.0 F13.1 F4.0 B10.1 F14.1");
  // The last mirrors the first.
  const StageOrder order = dual_pipe(8, 0, 20, true);
  const StageOrder mirrored = dual_pipe(8, 7, 20, true);
  REQUIRE(order.size() == mirrored.size());
  for (std::size_t place = 0; place < order.size(); ++place) {
    CHECK(order[place].pass == mirrored[place].pass);
    CHECK(order[place].chunk == 1 - mirrored[place].chunk);
    CHECK(order[place].micro_batch % 10 == mirrored[place].micro_batch % 10);
  }
}

// deepseek-ai/DualPipe, dualpipe.py: where step() posts receipts and sends, each before the next
// turn. Device 0: the last forward pass of its own direction is sent behind the other's, the first
// of a pair received with that; the forward pass behind W is received before W. Device 3, in the
// middle: in warming up what comes next is received a turn early, and the last of either direction
// is sent a turn late.
TEST_CASE("DualPipe receives and sends between turns, some earlier and later than the next") {
  const auto turn_of = [](std::int64_t stage, Pass pass, std::int64_t micro_batch) {
    for (const ChunkPass& found : dual_pipe(8, stage, 20, true))
      if (found.pass == pass && found.micro_batch == micro_batch)
        return found.turn;
    return std::optional<Turn>{};
  };
  CHECK(turn_of(0, Pass::forward, 5) == Turn{5, 5, 6});
  CHECK(turn_of(0, Pass::forward, 6) == Turn{6, 6, 8});
  CHECK(turn_of(0, Pass::forward, 10) == Turn{7, 7, 8});
  CHECK(turn_of(0, Pass::forward, 11) == Turn{10, 9, 11});
  CHECK(turn_of(0, Pass::forward, 7) == Turn{17, 7, 18});
  CHECK(turn_of(3, Pass::forward, 0) == Turn{0, 0, 1});
  CHECK(turn_of(3, Pass::forward, 1) == Turn{2, 1, 3});
  CHECK(turn_of(3, Pass::forward, 13) == Turn{7, 7, 9});
  CHECK(turn_of(3, Pass::forward, 4) == Turn{8, 7, 10});
  CHECK(turn_of(3, Pass::backward, 10) == Turn{9, 9, 10});
  // A pair is one turn.
  CHECK(turn_of(3, Pass::forward, 14) == Turn{10, 10, 11});
  CHECK(turn_of(3, Pass::backward, 0) == Turn{10, 10, 11});
}

TEST_CASE("each backward pass runs beside the forward pass that would follow it") {
  CHECK(text_of(beside_each_other(one_forward_one_backward(1, 0, 3))) == "F0 F1&B0 F2&B1 B2");
  CHECK(text_of(beside_each_other(one_forward_one_backward(1, 0, 1))) == "F0 B0");
  // The last of 2 stages with 2 chunks: 3 passes to warm up instead of 2 before the first pair.
  CHECK(text_of(interleaved(2, 2, 1, 4), true).substr(0, 29) == "F0.0 F1.0 F0.1 B0.1 F1.1 B1.1");
  CHECK(text_of(beside_each_other(interleaved(2, 2, 1, 4)), true) ==
        "F0.0 F1.0 F0.1 F1.1&B0.1 F2.0&B1.1 F3.0&B0.0 F2.1&B1.0 F3.1&B2.1 B3.1 B2.0 B3.0");
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
// backward passes later. If a pair takes the sum of its passes' times, this is the bubble of the
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

// ZB-V: no stage waits between its first pass and its last; stage s begins after s forward passes
// (arXiv 2401.10241, section 6).
TEST_CASE("the V leaves no bubble where all three passes take alike") {
  for (std::int64_t stages = 1; stages <= 16; ++stages)
    for (const std::int64_t micro_batches : {2 * stages - 1, 2 * stages, 4 * stages + 1}) {
      INFO("stages " << stages << " micro-batches " << micro_batches);
      const auto passes =
          pipeline_times(plan_of(Schedule::zero_bubble, stages, 2), micro_batches, PassTimes{});
      REQUIRE(passes);
      for (std::size_t stage = 0; stage < passes->size(); ++stage) {
        CHECK((*passes)[stage].front().start == Approx(static_cast<double>(stage)));
        CHECK((*passes)[stage].back().finish ==
              Approx(static_cast<double>(stage) + static_cast<double>(6 * micro_batches))
                  .epsilon(1e-9));
      }
    }
}

// DualPipe: (p / 2 - 1) (F&B + B - 3 W) (arXiv 2412.19437, table 2), of the stages in the middle
// and where the gradients of inputs take what the forward pass takes and those of weights no more;
// of all stages where pairs save nothing.
TEST_CASE("DualPipe leaves the bubble of its paper") {
  for (std::int64_t stages = 2; stages <= 16; stages += 2)
    for (const std::int64_t micro_batches : {2 * stages, 2 * stages + 2, 4 * stages})
      for (const double weight : {0.6, 0.8, 1.0}) {
        INFO("stages " << stages << " micro-batches " << micro_batches << " weight " << weight);
        ParallelPlan plan = plan_of(Schedule::dual_pipe, stages, 1);
        plan.overlap_batches = true;
        const double before = static_cast<double>(stages) / 2 - 1;
        const PassTimes paired{1.0, 1.0, weight, 2.1};
        const auto middle = static_cast<std::size_t>(stages / 2);
        for (const std::size_t stage : {middle - 1, middle})
          CHECK(idle_times(plan, micro_batches, paired)[stage] ==
                Approx(before * (2.1 + 1.0 + weight - 3 * weight)).epsilon(1e-9).margin(1e-9));
        for (const double idle : idle_times(plan, micro_batches, {1.0, 1.0, weight}))
          CHECK(idle == Approx(before * (2.0 + weight + 1.0 + weight - 3 * weight))
                            .epsilon(1e-9)
                            .margin(1e-9));
      }
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
  for (std::int64_t stages = 2; stages <= 8; stages += 2)
    for (std::int64_t stage = 0; stage < stages; ++stage) {
      // ZB-V keeps of each chunk half of what 1F1B keeps on its first stage; DualPipe as many or
      // one more: of a pair one pass frees layer by layer what the other keeps.
      CHECK(most_kept(zero_bubble_v(stages, stage, 2 * stages), {1, 1}) == 2 * stages);
      const std::int64_t dual = most_kept(dual_pipe(stages, stage, 2 * stages, true), {1, 1});
      CHECK((dual == stages || dual == stages + 1));
    }
  // A pair keeps what one of its passes needs.
  CHECK(most_kept(beside_each_other(one_forward_one_backward(1, 0, 4)), {1}) == 1);
  // Chunks of 3 and 5: the first of 2 stages holds micro-batches 0, 1 in both and 2 in the first.
  CHECK(most_kept(interleaved(2, 2, 0, 4), {3, 5}) == 2 * 3 + 2 * 5 + 3);
}
