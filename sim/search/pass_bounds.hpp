#pragma once

#include "sim/search/stage_times.hpp"

#include <cstdint>
#include <vector>

namespace moesim {

/// Bounds of the steps of a plan, from the times of its passes.
class PassBounds {
public:
  /// `communications`: null for the computes alone.
  PassBounds(Workload workload, const ComputeCost& cost, LoneCommunications* communications);

  /// Another plan of the same shape: its virtual stages, schedule, overlap of batches, layers of
  /// each stage and ZeRO stage may differ, and without communications its pipeline degree.
  void set_plan(const ParallelPlan& plan);
  const Workload& workload() const { return times_.workload(); }

  /// The passes of the busiest stage, with the way of the first micro-batch to it and that of the
  /// last one back: a lower bound that takes less time to find. Passes run one after the other;
  /// where the plan pairs passes, the busiest resource counts.
  Seconds busiest_stage();
  PipelineTimes pipeline();
  /// The end of the passes of a stage and of the data-parallel communication beside them.
  Seconds passes_end(std::int64_t stage, const std::vector<PassSpan>& passes);
  /// The work of a stage after its last pass.
  Seconds end(std::int64_t stage) { return times_.end(stage); }

private:
  std::vector<std::vector<PairTimes>> pairs(std::int64_t stage);
  std::vector<bool> reducing_passes(const std::vector<PassSpan>& passes) const;
  Seconds busiest_resource(std::int64_t stage, const std::vector<PassSpan>& passes,
                           const std::vector<bool>& reducing);
  void add_pass(std::int64_t stage, std::int64_t chunk, Pass pass, double count, WorkTimes& sum);
  std::vector<std::vector<double>> sends();

  StageTimes times_;
  LoneCommunications* communications_;
  DataParallelRule rule_;
};

} // namespace moesim
