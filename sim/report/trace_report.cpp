#include "sim/report/trace_report.hpp"

#include <fmt/format.h>

#include <array>

namespace moesim {

namespace {

constexpr std::array<const char*, stream_count> stream_names = {
    "compute", "expert parallel", "tensor parallel", "pipeline", "data parallel"};

} // namespace

void write_trace(const StepGraph& graph, const Timeline& timeline, std::ostream& out) {
  out << "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
  for (std::size_t device = 0; device < graph.devices.size(); ++device) {
    out << fmt::format(
        R"({{"ph": "M", "name": "process_name", "pid": {}, "args": {{"name": "Stage[{}].Rank[{}]"}}}},)"
        "\n",
        device, graph.devices[device].stage, index(graph.devices[device].rank));
    for (std::size_t stream = 0; stream < stream_count; ++stream)
      out << fmt::format(
          R"({{"ph": "M", "name": "thread_name", "pid": {}, "tid": {}, "args": {{"name": "{}"}}}},)"
          "\n",
          device, stream, stream_names[stream]);
  }
  const char* separator = "";
  for (std::uint32_t number = 0; number < graph.ops.size(); ++number) {
    const Op& op = graph.ops[number];
    const OpSpan& span = timeline.ops[number];
    for (const DeviceId device : graph.devices_of(op)) {
      out << separator
          << fmt::format(
                 R"({{"ph": "X", "name": "{}", "pid": {}, "tid": {}, "ts": {:.3f}, "dur": {:.3f}}})",
                 graph.name_of(OpId(number)), index(device), static_cast<int>(op.stream),
                 span.start.value * 1e6, (span.finish - span.start).value * 1e6);
      separator = ",\n";
    }
  }
  out << "\n]}\n";
}

} // namespace moesim
