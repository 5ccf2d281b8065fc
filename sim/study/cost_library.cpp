#include "sim/study/cost_library.hpp"

#include "sim/schedule/fp8_casts.hpp"

#include <fmt/format.h>

namespace moesim {

const Costs& CostLibrary::of(const TopologySpec& topology, const TrainingSpec& training) {
  const GpuSpec& gpu = topology.gpu;
  const std::string key = fmt::format(
      "{} {} {} {} {} {} {} {} {}", gpu.kind, gpu.sms, topology.node.scale_up_interconnect,
      topology.node.host, gpu.bf16.value, gpu.fp8.value, gpu.fp4.value, gpu.memory_bandwidth.value,
      name_of(precision_names, gemm_precision(training)));
  const auto found = costs_.find(key);
  return found != costs_.end()
             ? found->second
             : costs_.emplace(key, load_costs(calibration_, topology, training)).first->second;
}

} // namespace moesim
