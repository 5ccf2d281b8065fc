#include "sim/cost/costs.hpp"

namespace moesim {

Costs load_costs(const std::filesystem::path& calibration, const TopologySpec& topology) {
  const GpuSpec& gpu = topology.gpu;
  return {
      ComputeCost::load(calibration, {gpu.kind, gpu.bf16, gpu.fp8, gpu.memory_bandwidth, gpu.sms,
                                      topology.node.scale_up_medium, topology.node.host}),
      NetworkCost::load(calibration)};
}

} // namespace moesim
