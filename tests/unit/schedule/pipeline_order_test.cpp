#include "sim/schedule/pipeline_order.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

using namespace moesim;

namespace {

/// "F0 F1 B0 …".
std::string text_of(const std::vector<ChunkPass>& order) {
  std::string text;
  for (const ChunkPass& pass : order)
    text += (text.empty() ? "" : " ") + std::string(pass.backward ? "B" : "F") +
            std::to_string(pass.micro_batch);
  return text;
}

/// Lets every stage work through its order as inputs arrive; true if all come to their end.
bool all_finish(std::int64_t stages, std::int64_t micro_batches) {
  std::vector<std::vector<ChunkPass>> orders;
  for (std::int64_t stage = 0; stage < stages; ++stage)
    orders.push_back(one_forward_one_backward(stages, stage, micro_batches));
  std::vector<std::size_t> next(orders.size(), 0);
  std::set<std::pair<std::int64_t, std::pair<bool, std::int64_t>>> done;
  for (bool progress = true; progress;) {
    progress = false;
    for (std::int64_t stage = 0; stage < stages; ++stage) {
      std::size_t& place = next[static_cast<std::size_t>(stage)];
      const auto& order = orders[static_cast<std::size_t>(stage)];
      if (place == order.size())
        continue;
      const ChunkPass pass = order[place];
      const std::int64_t from = pass.backward ? stage + 1 : stage - 1;
      const bool fed =
          from < 0 || from == stages || done.contains({from, {pass.backward, pass.micro_batch}});
      const bool kept = !pass.backward || done.contains({stage, {false, pass.micro_batch}});
      if (!fed || !kept)
        continue;
      done.insert({stage, {pass.backward, pass.micro_batch}});
      ++place;
      progress = true;
    }
  }
  return done.size() == static_cast<std::size_t>(2 * stages * micro_batches);
}

std::int64_t most_in_flight(const std::vector<ChunkPass>& order) {
  std::int64_t now = 0;
  std::int64_t most = 0;
  for (const ChunkPass& pass : order) {
    now += pass.backward ? -1 : 1;
    most = std::max(most, now);
  }
  return most;
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

TEST_CASE("every pass runs once, no stage waits for ever, and the count in flight is kept") {
  for (std::int64_t stages = 1; stages <= 8; ++stages)
    for (std::int64_t micro_batches = 1; micro_batches <= 16; ++micro_batches) {
      INFO("stages " << stages << " micro-batches " << micro_batches);
      CHECK(all_finish(stages, micro_batches));
      for (std::int64_t stage = 0; stage < stages; ++stage) {
        const auto order = one_forward_one_backward(stages, stage, micro_batches);
        std::set<std::pair<bool, std::int64_t>> passes;
        for (const ChunkPass& pass : order)
          passes.insert({pass.backward, pass.micro_batch});
        CHECK(order.size() == static_cast<std::size_t>(2 * micro_batches));
        CHECK(passes.size() == order.size());
        CHECK(most_in_flight(order) == micro_batches_in_flight(stages, stage, micro_batches));
      }
    }
}
