#include "sim/schedule/paired_passes.hpp"

#include <array>

namespace moesim {

namespace {

/// One of the two passes while they are merged.
struct Lane {
  const std::vector<PlacedSegment>& segments;
  bool backward = false;
  std::int64_t computes = 0; ///< in all
  std::int64_t issued = 0;   ///< computes so far
  std::size_t next = 0;      ///< segment

  Lane(const std::vector<PlacedSegment>& of, bool is_backward)
      : segments(of), backward(is_backward) {
    for (const PlacedSegment& segment : segments)
      computes += segment.kind == OpKind::compute ? 1 : 0;
  }

  bool at_compute() const {
    return next < segments.size() && segments[next].kind == OpKind::compute;
  }
  /// Twice the place of the middle of its next compute, times the computes of `other`: comparable
  /// between the two.
  std::int64_t place(const Lane& other) const { return (2 * issued + 1) * other.computes; }

  /// The communication with experts that is under way when a compute of the other lane is issued.
  std::optional<Collective> under_way(const StepGraph& graph) const {
    for (std::size_t place = next; place > 0 && segments[place - 1].kind != OpKind::compute;
         --place)
      if (const CollectiveWork& work = graph.collectives[segments[place - 1].work];
          work.group == GroupKind::expert)
        return work.kind;
    return std::nullopt;
  }

  void issue_communications(std::vector<PairedSegment>& merged) {
    while (next < segments.size() && segments[next].kind != OpKind::compute)
      merged.push_back({segments[next++], backward});
  }
};

} // namespace

std::vector<PairedSegment> PassPairing::merge(const std::vector<PlacedSegment>& forward,
                                              const std::vector<PlacedSegment>& backward) {
  std::array<Lane, 2> lanes{Lane(backward, true), Lane(forward, false)};
  std::vector<PairedSegment> merged;
  for (Lane& lane : lanes)
    lane.issue_communications(merged);
  while (lanes[0].at_compute() || lanes[1].at_compute()) {
    const bool second =
        !lanes[0].at_compute() ||
        (lanes[1].at_compute() && lanes[1].place(lanes[0]) < lanes[0].place(lanes[1]));
    Lane& lane = lanes[second];
    PlacedSegment segment = lane.segments[lane.next++];
    ++lane.issued;
    if (const auto communication = lanes[!second].under_way(graph_))
      segment.work = beside(segment.work, *communication);
    merged.push_back({segment, lane.backward});
    lane.issue_communications(merged);
  }
  return merged;
}

std::uint32_t PassPairing::beside(std::uint32_t compute, Collective communication) {
  if (graph_.computes[compute].beside)
    return compute;
  const auto [known, added] = beside_.emplace(std::pair(compute, communication),
                                              static_cast<std::uint32_t>(graph_.computes.size()));
  if (added) {
    ComputeWork work = graph_.computes[compute];
    work.beside = communication;
    graph_.computes.push_back(std::move(work));
  }
  return known->second;
}

} // namespace moesim
