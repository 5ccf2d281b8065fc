#include "sim/replay/single_operations.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

namespace {

/// Makes the single operations of one replay.
class RunSplitter {
public:
  RunSplitter(const StepGraph& graph, const Timeline& timeline, StepTraffic& traffic)
      : graph_(graph), traffic_(traffic), runs_(timeline.runs), made_{{}, timeline} {
    made_.graph.works = graph.works;
    made_.graph.devices = graph.devices;
    made_.graph.groups = graph.groups;
    made_.graph.pairs = graph.pairs;
    made_.timeline.ops.clear();
    made_.timeline.runs.clear();
    made_.timeline.flows.clear();
    for (const OpSpan& span : timeline.ops)
      add(graph.ops[ends_.size()], span);
    add_dependencies();
    for (const FlowSpan& flow : timeline.flows)
      made_.timeline.flows.push_back(
          {ends_[index(flow.op)].first.front(), flow.load, flow.start, flow.finish});
    std::stable_sort(
        made_.timeline.flows.begin(), made_.timeline.flows.end(),
        [](const FlowSpan& one, const FlowSpan& other) { return one.start < other.start; });
  }

  SingleOperations take() { return std::move(made_); }

private:
  /// The operations that a run begins and ends with; for any other operation itself.
  struct Ends {
    std::vector<OpId> first;
    std::vector<OpId> last;
  };

  void add(const Op& op, const OpSpan& span) {
    if (op.kind == OpKind::run) {
      ends_.push_back(add_run(op, span));
      return;
    }
    const OpId single = add_single(op, span);
    ends_.push_back({{single}, {single}});
  }

  OpId add_single(const Op& op, const OpSpan& span) {
    made_.timeline.ops.push_back(span);
    return made_.graph.add_op(op);
  }

  Ends add_run(const Op& run, const OpSpan& span) {
    const RunTimes& times = runs_[run.work];
    Ends ends;
    Seconds now = span.start;
    std::size_t part = 0;
    for (std::size_t place = 0; place < times.ends.size(); ++place) {
      Op op = graph_.runs[run.work][place];
      op.micro_batch = run.micro_batch;
      const Seconds start = now;
      const std::size_t first_part = part;
      for (; part < times.ends[place]; ++part)
        now += times.parts[part];
      std::vector<OpId> added;
      if (op.kind == OpKind::compute)
        for (const DeviceId device : graph_.groups[run.location].devices) {
          op.location = static_cast<std::uint32_t>(index(device));
          added.push_back(add_single(op, {start, now}));
        }
      else
        added.push_back(add_single(op, {start, now}));
      if (op.kind == OpKind::collective)
        add_flows(op, added.front(), start, {times.parts.data() + first_part, part - first_part});
      follow(ends.last, added);
      if (place == 0)
        ends.first = added;
      ends.last = std::move(added);
    }
    return ends;
  }

  /// `parts`: a start-up and a time of flows for each phase of the collective.
  void add_flows(const Op& op, OpId single, Seconds start, std::span<const Seconds> parts) {
    Seconds now = start;
    for (const StepPhase& phase : traffic_.plan(graph_, op)) {
      now += parts[0];
      for (std::uint32_t flow = phase.first_flow; flow < phase.first_flow + phase.flow_count;
           ++flow)
        made_.timeline.flows.push_back(
            {single, flow, now, now + traffic_.flows()[flow].lone.duration});
      now += parts[1];
      parts = parts.subspan(2);
    }
  }

  /// Makes operations of a run wait for those before them: a compute for that of its own device.
  void follow(const std::vector<OpId>& before, const std::vector<OpId>& after) {
    const std::size_t pairs = before.empty() ? 0 : std::max(before.size(), after.size());
    for (std::size_t pair = 0; pair < pairs; ++pair)
      made_.graph.add_dependency(before[before.size() == 1 ? 0 : pair],
                                 after[after.size() == 1 ? 0 : pair]);
  }
  void add_dependencies() {
    for (std::uint32_t op = 0; op < graph_.ops.size(); ++op)
      for (const OpId next : graph_.successors(OpId(op)))
        for (const OpId before : ends_[op].last)
          for (const OpId after : ends_[index(next)].first)
            made_.graph.add_dependency(before, after);
    made_.graph.seal();
  }

  const StepGraph& graph_;
  StepTraffic& traffic_;
  const std::vector<RunTimes>& runs_;
  SingleOperations made_;
  std::vector<Ends> ends_; ///< by OpId of the replay
};

} // namespace

SingleOperations single_operations(const StepGraph& graph, const Timeline& timeline,
                                   StepTraffic& traffic) {
  return RunSplitter(graph, timeline, traffic).take();
}

} // namespace moesim
