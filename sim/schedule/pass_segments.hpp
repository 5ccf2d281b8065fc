#pragma once

#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/gradients.hpp"

#include <vector>

namespace moesim {

/// The position of a pass in the step, as far as its work depends on it.
enum class PassPosition : std::uint8_t {
  regular,
  /// The first forward pass of a chunk, which gathers its weights, or the last backward pass, which
  /// reduces its gradients. Only if data-parallel communication overlaps compute.
  edge
};

/// The work of one rank for one micro-batch in one chunk, pass by pass. With full recompute the
/// forward pass of each layer runs again before its backward pass, with selective recompute the
/// chosen modules.
class ChunkPasses {
public:
  /// The passes of a virtual stage. All arguments must outlive this object.
  ChunkPasses(const Workload& workload, std::int64_t virtual_stage, const LoadChoice& choice,
              WorkTable& table, BlockTable& blocks, GradientTable& gradients);

  std::vector<Segment> forward(PassPosition position);
  /// A backward pass; `delayed`: gradients of weights run beside the communication that follows the
  /// gradients of their inputs, as in DualPipe beside a forward pass (DeepSeek-V3, arXiv
  /// 2412.19437, figure 4).
  std::vector<Segment> backward(Gradients computed, PassPosition position, bool delayed = false);
  const std::vector<BlockUse>& uses() const { return uses_; }

private:
  std::size_t first_of_last_layer() const;
  std::size_t end_of_first_layer() const;

  DataParallelRule rule_;
  WorkTable& table_;
  BlockTable& blocks_;
  GradientTable& gradients_;
  DataParallelWork communication_;
  std::vector<BlockUse> uses_;
};

} // namespace moesim
