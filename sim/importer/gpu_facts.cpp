#include "sim/importer/imported_topology.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

// Figures of the topology files in `topologies/`, which state the sources. NVLink rates are those
// of one link in one direction: 25 GB/s (generations 3 and 4), 50 GB/s (5).
const std::vector<GpuFacts>& known_gpus() {
  static const std::vector<GpuFacts> gpus = {
      {"a100-sxm", "nvlink3", 80.0, 312, 0, 2039, 108, 12, 25, 80},
      {"h100-sxm", "nvlink4", 79.6, 989.4, 1978.9, 3350, 132, 18, 25, 90},
      {"h800-sxm", "nvlink4", 79.6, 989.4, 1978.9, 3350, 132, 8, 25, 90},
      {"h200-sxm", "nvlink4", 140.4, 989.4, 1978.9, 4800, 132, 18, 25, 90},
      {"b200-sxm", "nvlink5", 179.1, 2250, 4500, 8000, 148, 18, 50, 100},
      {"b300-sxm", "nvlink5", 268.6, 2250, 4500, 8000, 148, 18, 50, 103},
      {"gb200", "nvlink5", 185.0, 2500, 5000, 8000, 152, 18, 50, 100},
      {"gb300", "nvlink5", 277.5, 2500, 5000, 8000, 152, 18, 50, 103},
      {"l40s", "pcie", 45.0, 362.05, 733, 864, 142, 0, 0, 89},
  };
  return gpus;
}

const GpuFacts& gpu_facts(const std::string& kind) {
  std::vector<std::string> names;
  for (const GpuFacts& gpu : known_gpus()) {
    if (gpu.kind == kind)
      return gpu;
    names.push_back(gpu.kind);
  }
  throw InputError({"--gpu", 1, 1, kind},
                   fmt::format("\"{}\" is not one of {}", kind, fmt::join(names, ", ")),
                   suggest_name(kind, names));
}

ImportedValue host_beside(const GpuFacts& facts) {
  const bool grace = facts.kind == "gb200" || facts.kind == "gb300";
  return {"host", grace ? "\"grace\"" : "\"xeon\"", ValueOrigin::assumed,
          fmt::format("usual beside {}; calibration/hosts.csv has others", facts.kind)};
}

ImportedTable gpu_table(const GpuFacts& facts, ValueOrigin kind_origin, const std::string& note) {
  const auto datasheet = [](const char* key, double value) {
    return ImportedValue{key, fmt::format("{}", value), ValueOrigin::assumed, "datasheet"};
  };
  ImportedTable table{"gpu", {{"kind", fmt::format("\"{}\"", facts.kind), kind_origin, note}}};
  table.values.push_back(datasheet("memory_gib", facts.memory_gib));
  table.values.push_back(datasheet("bf16_tflops", facts.bf16_tflops));
  if (facts.fp8_tflops > 0)
    table.values.push_back(datasheet("fp8_tflops", facts.fp8_tflops));
  table.values.push_back(datasheet("memory_gbyte_per_s", facts.memory_gbyte_per_s));
  table.values.push_back(datasheet("sms", facts.sms));
  return table;
}

} // namespace moesim
