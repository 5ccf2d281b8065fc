#include "sim/workload/pipeline_order.hpp"

#include <algorithm>

namespace moesim {

StageOrder pipeline_order(const ParallelPlan& plan, std::int64_t stage,
                          std::int64_t micro_batches) {
  return plan.schedule.order(plan, stage, micro_batches);
}

StageOrder beside_each_other(StageOrder order) {
  for (std::size_t place = 1; place < order.size(); ++place)
    if (order[place - 1].pass == Pass::backward && order[place].pass == Pass::forward) {
      std::swap(order[place - 1], order[place]);
      order[place].beside_previous = true;
    }
  return order;
}

std::int64_t most_kept(const StageOrder& order, const std::vector<std::int64_t>& kept) {
  std::int64_t now = 0;
  std::int64_t most = 0;
  for (std::size_t place = 0; place < order.size(); ++place) {
    const ChunkPass& pass = order[place];
    const std::int64_t size = kept[static_cast<std::size_t>(pass.chunk)];
    if (pass.pass == Pass::forward)
      now += size;
    else if (pass.pass != Pass::backward_input)
      now -= size;
    const bool paired = place + 1 < order.size() && order[place + 1].beside_previous;
    if (!paired)
      most = std::max(most, now);
  }
  return most;
}

} // namespace moesim
