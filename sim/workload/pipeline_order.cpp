#include "sim/workload/pipeline_order.hpp"

#include <algorithm>

namespace moesim {

StageOrder pipeline_order(const ParallelPlan& plan, std::int64_t stage,
                          std::int64_t micro_batches) {
  return plan.schedule.order(plan, stage, micro_batches);
}

StageOrder beside_each_other(StageOrder order) {
  for (std::size_t at = 1; at < order.size(); ++at)
    if (order[at - 1].pass == Pass::backward && order[at].pass == Pass::forward) {
      std::swap(order[at - 1], order[at]);
      order[at].beside_previous = true;
    }
  return order;
}

std::int64_t most_kept(const StageOrder& order, const std::vector<std::int64_t>& kept) {
  std::int64_t now = 0;
  std::int64_t most = 0;
  for (std::size_t at = 0; at < order.size(); ++at) {
    const ChunkPass& pass = order[at];
    const std::int64_t size = kept[static_cast<std::size_t>(pass.chunk)];
    if (pass.pass == Pass::forward)
      now += size;
    else if (pass.pass != Pass::backward_input)
      now -= size;
    const bool paired = at + 1 < order.size() && order[at + 1].beside_previous;
    if (!paired)
      most = std::max(most, now);
  }
  return most;
}

} // namespace moesim
