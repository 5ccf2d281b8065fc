#include "sim/replay/times_after.hpp"

#include <algorithm>

namespace moesim {

double end_of_run(const RunTimes& run, double start) {
  double time = start;
  for (const Seconds part : run.parts)
    time += part.value;
  return time;
}

std::vector<double> times_after(const StepGraph& graph, const StepTraffic& traffic,
                                const std::vector<double>& durations,
                                const std::vector<RunTimes>& runs) {
  const auto alone = [&](OpId op) {
    const Op& timed = graph.ops[index(op)];
    double time = 0.0;
    switch (timed.kind) {
    case OpKind::compute:
      return durations[index(op)];
    case OpKind::run:
      return end_of_run(runs[timed.work], 0.0);
    case OpKind::collective:
    case OpKind::transfer:
      for (const StepPhase& phase : traffic.phases(op))
        time += phase.startup.value + phase.lone.value;
      break;
    }
    return time;
  };
  std::vector<OpId> order; // each operation behind its predecessors
  std::vector<std::uint32_t> waits_for(graph.ops.size());
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op) {
    waits_for[op] = graph.predecessor_count(OpId(op));
    if (waits_for[op] == 0)
      order.push_back(OpId(op));
  }
  for (std::size_t next = 0; next < order.size(); ++next)
    for (const OpId after : graph.successors(order[next]))
      if (--waits_for[index(after)] == 0)
        order.push_back(after);
  std::vector<double> times(graph.ops.size(), 0.0);
  for (auto op = order.rbegin(); op != order.rend(); ++op)
    for (const OpId after : graph.successors(*op))
      times[index(*op)] = std::max(times[index(*op)], alone(after) + times[index(after)]);
  return times;
}

} // namespace moesim
