#include "sim/metrics/step_metrics.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

namespace moesim {

namespace {

/// The kinds of work of a device.
enum class State : std::uint8_t {
  optimizer,
  compute,
  expert_parallel,
  tensor_parallel,
  data_parallel,
  host
};

/// Precedence of the states: time with several active states counts for the first of this list.
constexpr std::array precedence = {State::optimizer,       State::compute,
                                   State::expert_parallel, State::tensor_parallel,
                                   State::data_parallel,   State::host};
static_assert(precedence.size() == enumerator_count<State>);

/// Whether a compute is the optimizer's.
bool is_optimizer(const Works& works, const ComputeWork& work) {
  return !work.kernels.empty() &&
         works.kernel_lists[work.kernels.front()].front().part == KernelPart::optimizer;
}

State state_of(const StepGraph& graph, const Op& op) {
  switch (op.stream) {
  case Stream::expert_parallel:
    return State::expert_parallel;
  case Stream::tensor_parallel:
    return State::tensor_parallel;
  case Stream::data_parallel:
    return State::data_parallel;
  case Stream::host:
    return State::host;
  case Stream::compute:
  case Stream::pipeline:
    break;
  }
  return is_optimizer(graph.works, graph.works.computes[op.work]) ? State::optimizer
                                                                  : State::compute;
}

/// The start (+1) or the end (−1) of an operation on the measured device.
struct Edge {
  double time = 0.0;
  State state = State::compute;
  int change = 0;
};

struct DeviceLoad {
  double computing = 0.0;
  double working = 0.0; ///< computing, or in a collective
};

/// Calls `visit` with an operation of the graph and its span, or with each of a run and its span.
template <typename Visit>
void for_each_part(const StepGraph& graph, const Timeline& timeline, std::size_t number,
                   const Visit& visit) {
  const Op& op = graph.ops[number];
  const OpSpan& span = timeline.ops[number];
  if (op.kind != OpKind::run) {
    visit(op, span);
    return;
  }
  const RunTimes& times = timeline.runs[op.work];
  const std::vector<Op>& run = graph.runs[op.work];
  Seconds start = span.start;
  std::uint32_t next = 0;
  for (std::size_t part = 0; part < run.size(); ++part) {
    Seconds finish = start;
    for (; next < times.ends[part]; ++next)
      finish += times.parts[next];
    visit(run[part], OpSpan{start, finish});
    start = finish;
  }
}

std::vector<DeviceLoad> device_loads(const StepGraph& graph, const Timeline& timeline) {
  std::vector<DeviceLoad> loads(graph.devices.size());
  for (std::size_t number = 0; number < graph.ops.size(); ++number) {
    if (graph.ops[number].kind == OpKind::transfer || graph.ops[number].stream == Stream::host)
      continue;
    for_each_part(graph, timeline, number, [&](const Op& op, const OpSpan& span) {
      const double time = (span.finish - span.start).value;
      graph.for_each_device(graph.ops[number], [&](DeviceId device) {
        loads[index(device)].working += time;
        if (op.kind == OpKind::compute)
          loads[index(device)].computing += time;
      });
    });
  }
  return loads;
}

/// The device that works longest; of those that differ by rounding, the first.
std::size_t critical_device(const std::vector<DeviceLoad>& loads) {
  constexpr double rounding = 1e-9;
  std::size_t critical = 0;
  for (std::size_t device = 1; device < loads.size(); ++device)
    if (loads[device].working > loads[critical].working * (1.0 + rounding))
      critical = device;
  return critical;
}

bool runs_on(const StepGraph& graph, const Op& op, std::size_t device) {
  if (op.stream == Stream::pipeline)
    return false;
  bool found = false;
  graph.for_each_device(op, [&](DeviceId busy) { found |= index(busy) == device; });
  return found;
}

Seconds& part_of(Waterfall& waterfall, State state) {
  switch (state) {
  case State::optimizer:
    return waterfall.optimizer;
  case State::compute:
    return waterfall.compute;
  case State::expert_parallel:
    return waterfall.ep_exposed;
  case State::tensor_parallel:
    return waterfall.tp_exposed;
  case State::data_parallel:
    return waterfall.dp_exposed;
  case State::host:
    break;
  }
  return waterfall.other;
}

Waterfall sweep(std::vector<Edge> edges, Seconds step_time, bool pipelined) {
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return std::tie(a.time, a.change) < std::tie(b.time, b.change);
  });
  Waterfall waterfall;
  std::array<int, enumerator_count<State>> active{};
  double now = 0.0;
  for (const Edge& edge : edges) {
    const Seconds passed{edge.time - now};
    const auto* first = std::find_if(precedence.begin(), precedence.end(),
                                     [&](State state) { return active[index(state)] > 0; });
    if (first == precedence.end())
      waterfall.pp_bubble += passed;
    else
      part_of(waterfall, *first) += passed;
    active[index(edge.state)] += edge.change;
    now = edge.time;
  }
  // In a pipeline the time after a stage's last operation is the bubble of the drain.
  (pipelined ? waterfall.pp_bubble : waterfall.other) += Seconds{step_time.value - now};
  return waterfall;
}

void find_bottleneck(const Timeline& timeline, const std::vector<DeviceLoad>& loads,
                     const StepGraph& graph, const Topology& topology, StepMetrics& metrics) {
  const auto consider = [&](const std::string& name, double use) {
    if (use > metrics.bottleneck_use) {
      metrics.bottleneck_use = use;
      metrics.bottleneck = name;
    }
  };
  for (std::size_t device = 0; device < loads.size(); ++device)
    consider(topology.name_of(graph.devices[device].rank),
             loads[device].computing / timeline.end.value);
  for (const LinkUse& link : timeline.links)
    consider(link.name, link.bytes / link.capacity.value / timeline.end.value);
}

void add_expert_parallel(const CollectiveWork& work, Seconds time, StepMetrics& metrics) {
  metrics.ep_total += time;
  if (work.group == GroupKind::expert)
    (work.role == Role::combine ? metrics.combine : metrics.dispatch) += time;
}

/// The share of StepMetrics::ep_scale_out.
double scale_out_share(const StepGraph& graph, const Timeline& timeline) {
  std::vector<double> runs(timeline.loads.size(), 0.0);
  for (const FlowSpan& flow : timeline.flows)
    if (graph.ops[index(flow.op)].stream == Stream::expert_parallel)
      runs[flow.load] += 1.0;
  std::vector<double> bytes(timeline.links.size(), 0.0);
  for (std::size_t flow = 0; flow < runs.size(); ++flow)
    if (runs[flow] > 0.0)
      for (const LinkLoad& load : timeline.loads[flow])
        bytes[load.link] += runs[flow] * load.bytes;
  double inside = 0.0;
  double between = 0.0;
  for (std::size_t link = 0; link < bytes.size(); ++link) {
    double& longest = is_scale_up(timeline.links[link].kind) ? inside : between;
    longest = std::max(longest, bytes[link] / timeline.links[link].capacity.value);
  }
  return between > 0.0 ? between / (inside + between) : 0.0;
}

/// The cause of the most time; empty without any.
std::string longest_of(const std::map<std::string, Seconds>& causes) {
  const auto longest =
      std::max_element(causes.begin(), causes.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return longest == causes.end() ? "" : longest->first;
}

void add_error_bar(const ErrorBar& errors, StepMetrics& metrics) {
  const Waterfall& waterfall = metrics.waterfall;
  const Seconds half_width = errors.half_width({{Stream::expert_parallel, waterfall.ep_exposed},
                                                {Stream::tensor_parallel, waterfall.tp_exposed},
                                                {Stream::data_parallel, waterfall.dp_exposed}},
                                               waterfall.other);
  // Bubbles are the work of other devices, so they scale with this device's work.
  const Seconds working = metrics.step_time - waterfall.pp_bubble;
  if (working > Seconds{})
    metrics.error_bar = half_width * (metrics.step_time / working);
  metrics.extrapolated_costs = errors.extrapolated();
}

/// Adds the kernels of the critical device's computes. `busy` is the time of each compute.
void add_kernels(const StepGraph& graph, const ComputeTimes& times, std::size_t expert_rank,
                 const std::vector<Seconds>& busy, ErrorBar& errors, StepMetrics& metrics) {
  // Time of each list of kernels, in multiples of its time alone. A slow GPU, or communication
  // beside it, lengthens a compute.
  std::vector<double> runs(graph.works.kernel_lists.size(), 0.0);
  for (std::size_t number = 0; number < busy.size(); ++number) {
    const ComputeWork& work = graph.works.computes[number];
    if (busy[number] <= Seconds{} || work.kernels.empty())
      continue;
    ComputeWork alone = work;
    alone.beside.reset();
    const double lengthened = busy[number] / times.of(alone, {}, expert_rank);
    for (const std::uint32_t list : work.kernels_of(expert_rank))
      runs[list] += lengthened;
  }
  for (std::uint32_t list = 0; list < runs.size(); ++list) {
    if (runs[list] <= 0.0)
      continue;
    const KernelList& kernels = graph.works.kernel_lists[list];
    const ComputeTimes::ListTime& list_time = times.of_list(list);
    for (std::size_t kernel = 0; kernel < kernels.size(); ++kernel) {
      const KernelTime& time = list_time.kernels[kernel];
      errors.add_kernel(kernels[kernel], time, runs[list]);
      metrics.parts[index(kernels[kernel].part)] += time.time * runs[list];
      if (time.basis != CostBasis::measured)
        metrics.extrapolated += time.time * runs[list];
    }
  }
}

/// Names the measurements of other GPU kinds or interconnects that the critical device's computes
/// used.
void add_stand_ins(const StepGraph& graph, const ErrorBar& errors, const ComputeCost& cost,
                   const std::string& interconnect, StepMetrics& metrics) {
  metrics.stand_ins.assign(errors.stand_ins().begin(), errors.stand_ins().end());
  const bool beside = std::any_of(graph.works.computes.begin(), graph.works.computes.end(),
                                  [](const ComputeWork& work) { return work.beside.has_value(); });
  if (beside && cost.sms_interconnect() != interconnect)
    metrics.stand_ins.push_back("SMs of communication on " + interconnect + ": those on " +
                                cost.sms_interconnect());
}

} // namespace

Seconds Waterfall::total() const {
  return optimizer + compute + ep_exposed + tp_exposed + dp_exposed + pp_bubble + other;
}

StepMetrics measure_step(const StepGraph& graph, const Timeline& timeline, const Topology& topology,
                         const ComputeTimes& times) {
  const std::vector<DeviceLoad> loads = device_loads(graph, timeline);
  const std::size_t critical = critical_device(loads);
  StepMetrics metrics;
  metrics.step_time = timeline.end;
  std::vector<Edge> edges;
  std::vector<Seconds> busy(graph.works.computes.size());
  ErrorBar errors(times.cost());
  std::map<std::string, Seconds> ep_limits; // all-to-all time by its cause
  for (std::size_t number = 0; number < graph.ops.size(); ++number) {
    if (!runs_on(graph, graph.ops[number], critical))
      continue;
    for_each_part(graph, timeline, number, [&](const Op& op, const OpSpan& span) {
      const Seconds time = span.finish - span.start;
      const State state = state_of(graph, op);
      edges.push_back({span.start.value, state, +1});
      edges.push_back({span.finish.value, state, -1});
      if (state == State::expert_parallel) {
        add_expert_parallel(graph.works.collectives[op.work], time, metrics);
        ep_limits[timeline.limits[op.work]] += time;
      }
      if (state == State::host)
        errors.add_host(graph.works.computes[op.work].host);
      else if (op.kind == OpKind::compute)
        busy[op.work] += time;
      else if (op.kind == OpKind::collective)
        errors.add_collective(op.stream, time, timeline.errors[op.work]);
    });
  }
  metrics.waterfall = sweep(std::move(edges), timeline.end, graph.devices.back().stage > 0);
  metrics.ep_limit = longest_of(ep_limits);
  if (metrics.waterfall.ep_exposed > Seconds{})
    metrics.ep_scale_out = metrics.waterfall.ep_exposed * scale_out_share(graph, timeline);
  add_kernels(graph, times, static_cast<std::size_t>(graph.devices[critical].expert_rank), busy,
              errors, metrics);
  add_error_bar(errors, metrics);
  add_stand_ins(graph, errors, times.cost(), topology.spec().node.scale_up_interconnect, metrics);
  find_bottleneck(timeline, loads, graph, topology, metrics);
  INVARIANT(std::abs(metrics.waterfall.total() / metrics.step_time - 1.0) < 1e-9,
            "waterfall {} step {}", metrics.waterfall.total().value, metrics.step_time.value);
  return metrics;
}

} // namespace moesim
