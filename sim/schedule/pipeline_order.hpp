#pragma once

#include <cstdint>
#include <vector>

namespace moesim {

/// One pass of one micro-batch through a stage.
struct ChunkPass {
  bool backward = false;
  std::int64_t micro_batch = 0;

  bool operator==(const ChunkPass&) const = default;
};

/// The order in which stage `stage` of `stages` works through its micro-batches under 1F1B:
/// min(stages − 1 − stage, micro_batches) forward passes to warm up, then one forward and one
/// backward in turn, then the backward passes that remain (Narayanan et al., arXiv 2104.04473,
/// section 2.2; non-interleaved).
std::vector<ChunkPass> one_forward_one_backward(std::int64_t stages, std::int64_t stage,
                                                std::int64_t micro_batches);

/// The most micro-batches whose activations a stage holds at one time under that order.
std::int64_t micro_batches_in_flight(std::int64_t stages, std::int64_t stage,
                                     std::int64_t micro_batches);

} // namespace moesim
