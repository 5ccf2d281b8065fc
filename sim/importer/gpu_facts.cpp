#include "sim/importer/imported_topology.hpp"

#include "sim/base/input_error.hpp"
#include "sim/importer/gpu_table.hpp" // calibration/gpus.csv, as the build writes it
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

/// GB/s of one link in one direction.
double link_gbyte_per_s(const std::string& interconnect) {
  return interconnect == "nvlink3" || interconnect == "nvlink4" ? 25 : 50;
}

std::vector<GpuFacts> read_kinds() {
  const CsvTable table = CsvTable::parse(gpu_kinds_table, "calibration/gpus.csv");
  std::vector<GpuFacts> kinds;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto number = [&](const char* column) {
      return table.positive_number(row, table.column(column));
    };
    const std::size_t capability = table.column("compute_capability");
    GpuFacts gpu{.kind = table.text(row, table.column("device")),
                 .scale_up_interconnect = table.text(row, table.column("scale_up")),
                 .scale_up_gbyte_per_s = number("scale_up_gbyte_per_s"),
                 .memory_gib = number("memory_gib"),
                 .bf16_tflops = number("bf16_tflops"),
                 .fp8_tflops = number("fp8_tflops"),
                 .memory_gbyte_per_s = number("memory_gbyte_per_s"),
                 .sms = static_cast<int>(table.integer(row, table.column("sms")))};
    if (gpu.fp8_tflops <= gpu.bf16_tflops)
      gpu.fp8_tflops = 0.0;
    if (gpu.scale_up_interconnect.starts_with("nvlink")) {
      gpu.nvlink_gbyte_per_s = link_gbyte_per_s(gpu.scale_up_interconnect);
      gpu.nvlinks = static_cast<int>(gpu.scale_up_gbyte_per_s / gpu.nvlink_gbyte_per_s);
    }
    if (!table.view(row, capability).empty())
      gpu.compute_capability = static_cast<int>(table.integer(row, capability));
    kinds.push_back(std::move(gpu));
  }
  return kinds;
}

} // namespace

const std::vector<GpuFacts>& known_gpus() {
  static const std::vector<GpuFacts> kinds = read_kinds();
  return kinds;
}

const GpuFacts& gpu_facts(const std::string& kind) {
  std::vector<std::string> names;
  for (const GpuFacts& gpu : known_gpus()) {
    if (bare_name(gpu.kind) == bare_name(kind))
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
