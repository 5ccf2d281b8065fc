#include "sim/study/imbalance.hpp"

#include "sim/replay/step_layout.hpp"
#include "sim/routing/load_statistics.hpp"
#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/kernel_gradients.hpp"
#include "sim/schedule/stage_parameters.hpp"

#include <algorithm>

namespace moesim {

namespace {

/// The time of the experts' forward and backward pass with `tokens` tokens on a rank; the forward
/// pass counts twice if it is recomputed.
Seconds expert_time(const Workload& workload, const ExpertLoad& load, std::int64_t tokens,
                    const ComputeCost& cost) {
  ExpertLoad one = load;
  one.ranks = {tokens};
  const std::vector<Kernel> forward = expert_kernels(
      workload, sizes_of_layer(workload, std::make_shared<const ExpertLoad>(std::move(one)), 0));
  const ParallelPlan& plan = workload.plan;
  const bool repeated = plan.recompute == Recompute::full || plan.recomputes(RecomputeModule::moe);
  Seconds sum;
  for (const Kernel& kernel : forward)
    sum += (repeated ? 2.0 : 1.0) * cost.time(kernel).time;
  for (const Kernel& kernel :
       gradient_kernels(forward, Gradients::all, workload.training.gradient_bytes()))
    sum += cost.time(kernel).time;
  return sum;
}

/// The wait of one layer, summed over all micro-batches.
Seconds straggler_time_of_layer(const Workload& workload, const ExpertLoads& loads,
                                std::int64_t layer, const ComputeCost& cost) {
  const double repeats = static_cast<double>(workload.plan.micro_batches(workload.training)) /
                         static_cast<double>(loads.micro_batches());
  Seconds sum;
  for (std::int64_t micro_batch = 0; micro_batch < loads.micro_batches(); ++micro_batch) {
    const auto load = loads.at(layer, micro_batch);
    const Seconds busiest = expert_time(workload, *load, load->rank_tokens(std::nullopt), cost);
    sum += repeats * (busiest - expert_time(workload, *load, load->sent, cost));
  }
  return sum;
}

} // namespace

void fill_routing(const Workload& workload, const ExpertLoads& loads, StepResult& result) {
  LoadStatistics worst;
  double rank_max_over_mean = 1.0;
  double kept = 0.0;
  double all = 0.0;
  for (std::size_t layer = 0; layer < workload.model.layers.size(); ++layer)
    for (std::int64_t micro_batch = 0;
         workload.model.layers[layer].moe && micro_batch < loads.micro_batches(); ++micro_batch) {
      const auto load = loads.at(static_cast<std::int64_t>(layer), micro_batch);
      kept += load ? load->kept_share : workload.routing.kept_share();
      all += 1.0;
      if (!load)
        continue;
      const LoadStatistics found = load_statistics(load->wanted);
      worst.max_over_mean = std::max(worst.max_over_mean, found.max_over_mean);
      worst.gini = std::max(worst.gini, found.gini);
      worst.coefficient_of_variation =
          std::max(worst.coefficient_of_variation, found.coefficient_of_variation);
      rank_max_over_mean = std::max(rank_max_over_mean, load_statistics(load->ranks).max_over_mean);
    }
  result.load_max_over_mean = worst.max_over_mean;
  result.load_gini = worst.gini;
  result.load_coefficient_of_variation = worst.coefficient_of_variation;
  result.rank_load_max_over_mean = rank_max_over_mean;
  result.dropped_tokens_percent = all > 0.0 ? 100.0 * (1.0 - kept / all) : 0.0;
}

Seconds straggler_time(const Workload& workload, const ExpertLoads& loads,
                       const ComputeCost& cost) {
  Seconds longest;
  for (std::int64_t stage = 0; stage < workload.plan.pipeline; ++stage) {
    Seconds sum;
    for (std::int64_t chunk = 0; chunk < workload.plan.chunks(); ++chunk) {
      const std::int64_t part = workload.plan.virtual_stage(stage, chunk);
      const std::int64_t first = first_layer(workload.plan, part);
      const std::int64_t count = workload.plan.layers_per_stage[static_cast<std::size_t>(part)];
      for (std::int64_t layer = first; layer < first + count; ++layer)
        if (workload.model.layers[static_cast<std::size_t>(layer)].moe)
          sum += straggler_time_of_layer(workload, loads, layer, cost);
    }
    // Under DualPipe each of two stages has half of the micro-batches of a chunk.
    longest = std::max(longest, sum / static_cast<double>(workload.plan.holders()));
  }
  return longest;
}

void fill_imbalance(const Scenario& scenario, const ExpertLoads& loads, const Topology& topology,
                    const Costs& costs, StepResult& result) {
  const Workload& workload = scenario.workload;
  result.straggler_ms = 0.0;
  result.imbalance_ms = 0.0;
  result.imbalance_gemm_ms = 0.0;
  result.imbalance_all_to_all_ms = 0.0;
  if (!workload.model.is_moe() || workload.routing.even())
    return;
  const auto step_time_ms = [&](Unevenness unevenness) {
    const ExpertLoads compared(workload, unevenness);
    const StepReplay replay = replay_step(workload, topology, scenario.fidelity, costs, compared);
    return replay.metrics.step_time.value * 1e3;
  };
  // An approximate replay is compared with one of its kind: their errors are alike.
  const bool approximate =
      step_layout(workload, topology, scenario.fidelity, loads, true).approximate;
  const double even = step_time_ms(approximate ? Unevenness::none_apart : Unevenness::none);
  result.straggler_ms = straggler_time(workload, loads, costs.compute).value * 1e3;
  result.imbalance_ms = result.step_time_ms - even;
  result.imbalance_gemm_ms = step_time_ms(Unevenness::computes) - even;
  result.imbalance_all_to_all_ms = result.imbalance_ms - result.imbalance_gemm_ms;
}

} // namespace moesim
