#include "sim/schedule/pipeline_order.hpp"

#include "sim/base/check.hpp"

#include <algorithm>

namespace moesim {

StageOrder pipeline_order(const ParallelPlan& plan, std::int64_t stage,
                          std::int64_t micro_batches) {
  switch (plan.schedule) {
  case Schedule::one_forward_one_backward: {
    StageOrder order = one_forward_one_backward(plan.pipeline, stage, micro_batches);
    return plan.overlap_batches ? beside_each_other(std::move(order)) : order;
  }
  case Schedule::interleaved: {
    StageOrder order = interleaved(plan.pipeline, plan.virtual_stages, stage, micro_batches);
    return plan.overlap_batches ? beside_each_other(std::move(order)) : order;
  }
  case Schedule::zero_bubble:
    return plan.virtual_stages == 2 ? zero_bubble_v(plan.pipeline, stage, micro_batches)
                                    : zero_bubble(plan.pipeline, stage, micro_batches);
  case Schedule::dual_pipe:
    break;
  }
  return dual_pipe(plan.pipeline, stage, micro_batches, plan.overlap_batches);
}

bool has_pass(Schedule schedule, Pass pass) {
  switch (pass) {
  case Pass::forward:
    break;
  case Pass::backward:
    return schedule != Schedule::zero_bubble;
  case Pass::backward_input:
  case Pass::backward_weight:
    return schedule == Schedule::zero_bubble || schedule == Schedule::dual_pipe;
  }
  return true;
}

StageOrder one_forward_one_backward(std::int64_t stages, std::int64_t stage,
                                    std::int64_t micro_batches) {
  const std::int64_t warm_up = std::min(stages - 1 - stage, micro_batches);
  StageOrder order;
  order.reserve(static_cast<std::size_t>(2 * micro_batches));
  for (std::int64_t forward = 0; forward < warm_up; ++forward)
    order.push_back({Pass::forward, forward});
  for (std::int64_t backward = 0; backward < micro_batches; ++backward) {
    if (backward + warm_up < micro_batches)
      order.push_back({Pass::forward, backward + warm_up});
    order.push_back({Pass::backward, backward});
  }
  return order;
}

StageOrder interleaved(std::int64_t stages, std::int64_t chunks, std::int64_t stage,
                       std::int64_t micro_batches) {
  INVARIANT(micro_batches % stages == 0, "{} micro-batches, {} stages", micro_batches, stages);
  const std::int64_t passes = micro_batches * chunks;
  const std::int64_t warm_up = std::min(passes, 2 * (stages - 1 - stage) + (chunks - 1) * stages);
  const auto pass_at = [&](std::int64_t number, bool backward) {
    const std::int64_t chunk = number / stages % chunks;
    return ChunkPass{backward ? Pass::backward : Pass::forward,
                     number / (stages * chunks) * stages + number % stages,
                     backward ? chunks - 1 - chunk : chunk};
  };
  StageOrder order;
  order.reserve(static_cast<std::size_t>(2 * passes));
  for (std::int64_t forward = 0; forward < warm_up; ++forward)
    order.push_back(pass_at(forward, false));
  for (std::int64_t backward = 0; backward < passes; ++backward) {
    if (backward + warm_up < passes)
      order.push_back(pass_at(backward + warm_up, false));
    order.push_back(pass_at(backward, true));
  }
  return order;
}

StageOrder zero_bubble(std::int64_t stages, std::int64_t stage, std::int64_t micro_batches) {
  StageOrder order;
  order.reserve(static_cast<std::size_t>(3 * micro_batches));
  std::int64_t forward = 0;
  std::int64_t weight = 0;
  while (forward < std::min(stages - 1 - stage, micro_batches))
    order.push_back({Pass::forward, forward++});
  for (std::int64_t input = 0; input < micro_batches; ++input) {
    if (forward < micro_batches)
      order.push_back({Pass::forward, forward++});
    order.push_back({Pass::backward_input, input});
    if (forward == micro_batches || forward - weight >= stages)
      order.push_back({Pass::backward_weight, weight++});
  }
  while (weight < micro_batches)
    order.push_back({Pass::backward_weight, weight++});
  return order;
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
