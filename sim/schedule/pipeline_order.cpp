#include "sim/schedule/pipeline_order.hpp"

#include <algorithm>

namespace moesim {

std::vector<ChunkPass> one_forward_one_backward(std::int64_t stages, std::int64_t stage,
                                                std::int64_t micro_batches) {
  const std::int64_t warm_up = std::min(stages - 1 - stage, micro_batches);
  std::vector<ChunkPass> order;
  order.reserve(static_cast<std::size_t>(2 * micro_batches));
  for (std::int64_t forward = 0; forward < warm_up; ++forward)
    order.push_back({false, forward});
  for (std::int64_t backward = 0; backward < micro_batches; ++backward) {
    if (backward + warm_up < micro_batches)
      order.push_back({false, backward + warm_up});
    order.push_back({true, backward});
  }
  return order;
}

std::int64_t micro_batches_in_flight(std::int64_t stages, std::int64_t stage,
                                     std::int64_t micro_batches) {
  return std::min(stages - stage, micro_batches);
}

} // namespace moesim
