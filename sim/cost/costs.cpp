#include "sim/cost/costs.hpp"

#include <vector>

namespace moesim {

namespace {

/// The precisions of a training's GEMMs. The router and the head stay in bf16. A device may lack
/// GEMMs of one scale a tensor and then takes those of scaled blocks. NVFP4 scales the tables of
/// fp8.
std::vector<Precision> precisions_of(const TrainingSpec& training) {
  std::vector<Precision> precisions = {Precision::bf16};
  if (is_quantised(training.precision))
    precisions.push_back(Precision::fp8);
  if (is_quantised(training.precision) && training.fp8_recipe == Fp8Recipe::per_tensor)
    precisions.push_back(Precision::fp8_per_tensor);
  return precisions;
}

} // namespace

Costs load_costs(const std::filesystem::path& calibration, const TopologySpec& topology,
                 const TrainingSpec& training) {
  const GpuSpec& gpu = topology.gpu;
  return {ComputeCost::load(calibration,
                            {gpu.kind, gpu.bf16, gpu.fp8, gpu.memory_bandwidth, gpu.sms,
                             topology.node.scale_up_interconnect, topology.node.host,
                             gpu.kind_place, topology.node.host_place, gpu.fp4},
                            precisions_of(training)),
          NetworkCost::load(calibration), StepIntervals::read(calibration)};
}

} // namespace moesim
