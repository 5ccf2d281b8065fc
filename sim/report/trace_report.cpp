#include "sim/report/trace_report.hpp"

#include <fmt/format.h>

#include <array>

namespace moesim {

namespace {

constexpr std::array<const char*, stream_count> stream_names = {
    "compute", "expert parallel", "tensor parallel", "pipeline", "data parallel", "host"};

/// The name of a process (a device) or of one of its threads (a stream).
std::string name_event(const char* kind, std::size_t device, std::size_t stream,
                       const std::string& name) {
  return fmt::format(R"({{"ph": "M", "name": "{}", "pid": {}, "tid": {}, )"
                     R"("args": {{"name": "{}"}}}},)"
                     "\n",
                     kind, device, stream, name);
}

} // namespace

void write_trace(const StepGraph& graph, const Timeline& timeline, std::ostream& out) {
  out << "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
  for (std::size_t device = 0; device < graph.devices.size(); ++device) {
    const Device& what = graph.devices[device];
    out << name_event("process_name", device, 0,
                      fmt::format("Stage[{}].Rank[{}]", what.stage, index(what.rank)));
    for (std::size_t stream = 0; stream < stream_count; ++stream)
      out << name_event("thread_name", device, stream, stream_names[stream]);
  }
  const char* separator = "";
  for (std::uint32_t number = 0; number < graph.ops.size(); ++number) {
    const Op& op = graph.ops[number];
    const OpSpan& span = timeline.ops[number];
    for (const DeviceId device : graph.devices_of(op)) {
      out << separator
          << fmt::format(R"({{"ph": "X", "name": "{}", "pid": {}, "tid": {}, )"
                         R"("ts": {:.3f}, "dur": {:.3f}}})",
                         graph.name_of(OpId(number)), index(device), static_cast<int>(op.stream),
                         span.start.value * 1e6, (span.finish - span.start).value * 1e6);
      separator = ",\n";
    }
  }
  out << "\n]}\n";
}

} // namespace moesim
