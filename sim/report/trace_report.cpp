#include "sim/report/trace_report.hpp"

#include "sim/base/check.hpp"
#include "sim/cost/network_curve.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <tuple>

namespace moesim {

namespace {

using nlohmann::ordered_json;

/// Names of the rows of a device, from the top.
constexpr auto stream_names =
    std::to_array<Named<Stream>>({{Stream::compute, "compute"},
                                  {Stream::expert_parallel, "expert parallel"},
                                  {Stream::tensor_parallel, "tensor parallel"},
                                  {Stream::pipeline, "pipeline"},
                                  {Stream::data_parallel, "data parallel"},
                                  {Stream::host, "host"}});
static_assert(names_each(stream_names));

/// A value for each stream.
template <typename Value> using ByStream = std::array<Value, enumerator_count<Stream>>;

/// One operation on one of its devices.
struct DeviceEvent {
  std::int64_t start_ns = 0;
  std::int64_t finish_ns = 0;
  std::uint32_t op = 0;
  std::uint32_t lane = 0; ///< index of its row among those of its stream
};

/// An arrow from a transfer to the operation on the receiving device that waits for it.
struct Arrow {
  std::uint32_t sink = 0; ///< device
  std::uint32_t target = 0;
  std::uint32_t transfer = 0;

  auto operator<=>(const Arrow&) const = default;
};

std::int64_t nanoseconds(Seconds time) {
  return std::llround(time.value * 1e9);
}

double microseconds_of(std::int64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e3;
}

bool has_run(const OpSpan& span) {
  return span.start >= Seconds{0.0} && span.finish >= span.start;
}

/// Whether an event has a length after rounding, so that an arrow can be attached to it.
bool is_drawn(const OpSpan& span) {
  return has_run(span) && nanoseconds(span.finish) > nanoseconds(span.start);
}

const char* name_of(GroupKind kind) {
  switch (kind) {
  case GroupKind::tensor:
    return "tensor";
  case GroupKind::context:
    return "context";
  case GroupKind::data:
    return "data";
  case GroupKind::expert:
    return "expert";
  case GroupKind::expert_tensor:
    return "expert_tensor";
  case GroupKind::expert_data:
    return "expert_data";
  }
  return "";
}

const char* category_of(OpKind kind) {
  switch (kind) {
  case OpKind::compute:
    return "compute";
  case OpKind::collective:
    return "collective";
  case OpKind::transfer:
    return "transfer";
  case OpKind::run:
    break;
  }
  return "";
}

std::string name_of(const Device& device) {
  return fmt::format("Stage[{}].Rank[{}]", device.stage, index(device.rank));
}

void add_compute(const ComputeWork& work, const Works& works, ordered_json& args) {
  Flops flops;
  Bytes bytes;
  std::size_t kernels = 0;
  for (const std::uint32_t list : work.kernels)
    for (const Kernel& kernel : works.kernel_lists[list]) {
      flops += kernel.flops;
      bytes += kernel.bytes;
      ++kernels;
    }
  args["kind"] = "compute";
  args["kernels"] = kernels;
  args["flops"] = flops.value;
  args["memory_bytes"] = bytes.value;
  if (work.beside)
    args["beside"] = collective_name(works.collectives[*work.beside].kind);
}

void add_collective(const CollectiveWork& work, Collective algorithm, ordered_json& args) {
  args["kind"] = collective_name(work.kind);
  args["algorithm"] = collective_name(algorithm);
  args["group"] = name_of(work.group);
  args["bytes"] = work.bytes.value;
}

/// Sorts events by time and gives each the first free row of its stream. Returns the number of rows
/// of each stream.
ByStream<std::uint32_t> assign_lanes(const StepGraph& graph, std::vector<DeviceEvent>& events) {
  std::sort(events.begin(), events.end(), [](const DeviceEvent& a, const DeviceEvent& b) {
    return std::tie(a.start_ns, a.finish_ns, a.op) < std::tie(b.start_ns, b.finish_ns, b.op);
  });
  ByStream<std::vector<std::int64_t>> free_from_ns;
  for (DeviceEvent& event : events) {
    auto& lanes = free_from_ns[index(graph.ops[event.op].stream)];
    const auto free = std::find_if(lanes.begin(), lanes.end(),
                                   [&](std::int64_t from_ns) { return from_ns <= event.start_ns; });
    event.lane = static_cast<std::uint32_t>(free - lanes.begin());
    if (free == lanes.end())
      lanes.push_back(event.finish_ns);
    else
      *free = event.finish_ns;
  }
  ByStream<std::uint32_t> counts{};
  for (std::size_t stream = 0; stream < stream_names.size(); ++stream)
    counts[stream] = static_cast<std::uint32_t>(free_from_ns[stream].size());
  return counts;
}

/// Writes one trace, device after device.
class TraceWriter {
public:
  TraceWriter(const StepGraph& graph, const Timeline& timeline, std::ostream& out)
      : graph_(graph), timeline_(timeline), out_(out), has_arrow_(graph.ops.size(), false),
        next_row_(graph.devices.size() + 1) {
    INVARIANT(timeline.ops.size() == graph.ops.size(), "{} times of {} operations",
              timeline.ops.size(), graph.ops.size());
    INVARIANT(graph.runs.empty(), "{} runs hide their operations", graph.runs.size());
    INVARIANT(timeline.algorithms.size() == graph.works.collectives.size(),
              "{} algorithms of {} collectives", timeline.algorithms.size(),
              graph.works.collectives.size());
    list_operations();
    find_arrows();
  }

  void write() {
    out_ << "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [";
    for (std::uint32_t device = 0; device < graph_.devices.size(); ++device)
      write_device(device);
    out_ << "\n]}\n";
  }

private:
  /// Sorts the operations that ran by device.
  void list_operations() {
    const auto for_each = [this](auto visit) {
      for (std::uint32_t op = 0; op < graph_.ops.size(); ++op)
        if (has_run(timeline_.ops[op]))
          for (const DeviceId device : graph_.devices_of(graph_.ops[op]))
            visit(index(device), op);
    };
    first_.assign(graph_.devices.size() + 1, 0);
    for_each([this](std::size_t device, std::uint32_t) { ++first_[device + 1]; });
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
    listed_.resize(first_.back());
    std::vector<std::size_t> next = first_;
    for_each([&](std::size_t device, std::uint32_t op) { listed_[next[device]++] = op; });
  }

  void find_arrows() {
    for (std::uint32_t op = 0; op < graph_.ops.size(); ++op) {
      if (graph_.ops[op].kind != OpKind::transfer || !is_drawn(timeline_.ops[op]))
        continue;
      const DeviceId sink = graph_.pairs[graph_.ops[op].location].sink;
      const OpId* first = nullptr;
      for (const OpId& next : graph_.successors(OpId(op)))
        if (is_drawn(timeline_.ops[index(next)]) && runs_on(next, sink) &&
            (!first || timeline_.ops[index(next)].start < timeline_.ops[index(*first)].start))
          first = &next;
      if (!first)
        continue;
      has_arrow_[op] = true;
      arrows_.push_back(
          {static_cast<std::uint32_t>(index(sink)), static_cast<std::uint32_t>(index(*first)), op});
    }
    std::sort(arrows_.begin(), arrows_.end());
  }

  bool runs_on(OpId op, DeviceId device) const {
    const std::vector<DeviceId> devices = graph_.devices_of(graph_.ops[index(op)]);
    return std::find(devices.begin(), devices.end(), device) != devices.end();
  }

  void write_device(std::uint32_t device) {
    std::vector<DeviceEvent> events;
    for (std::size_t i = first_[device]; i < first_[device + 1]; ++i) {
      const OpSpan& span = timeline_.ops[listed_[i]];
      events.push_back({nanoseconds(span.start), nanoseconds(span.finish), listed_[i], 0});
    }
    if (events.empty())
      return;
    const auto lanes = assign_lanes(graph_, events);
    name_rows(device, lanes);
    ByStream<std::size_t> first_row{};
    for (std::size_t stream = 0; stream < stream_names.size(); ++stream) {
      first_row[stream] = next_row_;
      next_row_ += lanes[stream];
    }
    for (const DeviceEvent& event : events) {
      const auto stream = index(graph_.ops[event.op].stream);
      write_event(device, event, first_row[stream] + event.lane);
    }
  }

  /// Names the process of a device and its rows, in the order in which viewers show them.
  void name_rows(std::uint32_t device, const ByStream<std::uint32_t>& lanes) {
    const std::size_t process = process_of(device);
    const auto describe = [&](const char* what, std::size_t row, ordered_json args) {
      write_line({{"ph", "M"}, {"name", what}, {"pid", process}, {"tid", row}, {"args", args}});
    };
    std::size_t row = next_row_;
    describe("process_name", row, {{"name", name_of(graph_.devices[device])}});
    describe("process_sort_index", row, {{"sort_index", device}});
    for (const auto& [stream, title] : stream_names)
      for (std::uint32_t lane = 0; lane < lanes[index(stream)]; ++lane, ++row) {
        const std::string name = lane == 0 ? title : fmt::format("{} {}", title, lane + 1);
        describe("thread_name", row, {{"name", name}});
        describe("thread_sort_index", row, {{"sort_index", row}});
      }
  }

  void write_event(std::uint32_t device, const DeviceEvent& event, std::size_t row) {
    const Op& op = graph_.ops[event.op];
    write_line({{"ph", "X"},
                {"name", graph_.name_of(OpId(event.op))},
                {"cat", category_of(op.kind)},
                {"pid", process_of(device)},
                {"tid", row},
                {"ts", microseconds_of(event.start_ns)},
                {"dur", microseconds_of(event.finish_ns - event.start_ns)},
                {"args", args_of(op)}});
    // Both ends of an arrow are at the start of their event, and so within it.
    if (has_arrow_[event.op])
      write_line(arrow_end("s", event.op, device, row, event.start_ns));
    const Arrow first{device, event.op, 0};
    for (auto arrow = std::lower_bound(arrows_.begin(), arrows_.end(), first);
         arrow != arrows_.end() && arrow->sink == device && arrow->target == event.op; ++arrow) {
      ordered_json end = arrow_end("f", arrow->transfer, device, row, event.start_ns);
      end["bp"] = "e";
      write_line(end);
    }
  }

  ordered_json arrow_end(const char* phase, std::uint32_t transfer, std::uint32_t device,
                         std::size_t row, std::int64_t time_ns) const {
    return {{"ph", phase},
            {"name", "transfer"},
            {"cat", "pipeline"},
            {"id", transfer},
            {"pid", process_of(device)},
            {"tid", row},
            {"ts", microseconds_of(time_ns)}};
  }

  ordered_json args_of(const Op& op) const {
    ordered_json args{{"micro_batch", op.micro_batch}};
    switch (op.kind) {
    case OpKind::compute:
      add_compute(graph_.works.computes[op.work], graph_.works, args);
      break;
    case OpKind::collective:
      add_collective(graph_.works.collectives[op.work], timeline_.algorithms[op.work], args);
      break;
    case OpKind::transfer:
      args["kind"] = collective_name(Collective::point_to_point);
      args["bytes"] = graph_.works.transfers[op.work].bytes.value;
      args["to"] = name_of(graph_.devices[index(graph_.pairs[op.location].sink)]);
      break;
    case OpKind::run:
      break;
    }
    return args;
  }

  void write_line(const ordered_json& event) {
    constexpr int on_one_line = -1;
    out_ << separator_
         << event.dump(on_one_line, ' ', false, ordered_json::error_handler_t::replace);
    separator_ = ",\n";
  }

  /// Processes count from 1, and rows on from the last process: viewers take process 0 for the idle
  /// one, and a row with its process's number for the main one, which they show first.
  static std::size_t process_of(std::uint32_t device) { return device + std::size_t{1}; }

  const StepGraph& graph_;
  const Timeline& timeline_;
  std::ostream& out_;
  const char* separator_ = "\n";
  std::vector<std::size_t> first_;    ///< index in `listed_` of each device's first operation
  std::vector<std::uint32_t> listed_; ///< operations that ran, by device
  std::vector<Arrow> arrows_;         ///< sorted
  std::vector<bool> has_arrow_;       ///< by transfer
  std::size_t next_row_;
};

} // namespace

void write_trace(const StepGraph& graph, const Timeline& timeline, std::ostream& out) {
  TraceWriter(graph, timeline, out).write();
}

} // namespace moesim
