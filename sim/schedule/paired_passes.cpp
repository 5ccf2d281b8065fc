#include "sim/schedule/paired_passes.hpp"

#include <array>

namespace moesim {

namespace {

/// The state of one of two passes during their merge.
struct PassLane {
  std::vector<Segment> segments;
  bool backward = false;
  std::int64_t computes = 0; ///< total number of computes
  std::int64_t issued = 0;   ///< computes so far
  std::size_t next = 0;      ///< index of the next segment

  PassLane(std::vector<Segment> of, bool is_backward)
      : segments(std::move(of)), backward(is_backward) {
    for (const Segment& segment : segments)
      computes += is_turn(segment) ? 1 : 0;
  }

  /// Whether a segment is a compute that takes a turn between the lanes. Computes beside their own
  /// pass's communication and the host's launches take none.
  static bool is_turn(const Segment& segment) {
    return segment.kind == OpKind::compute && !segment.beside_previous && !segment.host;
  }

  bool has_turn() const { return next < segments.size(); }
  /// Position of the middle of the next compute in its lane, scaled by twice the computes of both
  /// lanes, so that two lanes compare.
  std::int64_t position(const PassLane& other) const { return (2 * issued + 1) * other.computes; }

  /// The communication with experts that is under way when the next compute of either lane is
  /// issued.
  std::optional<std::uint32_t> under_way(const Works& works) const {
    for (std::size_t place = next; place > 0 && !is_turn(segments[place - 1]); --place)
      if (const Segment& segment = segments[place - 1]; segment.kind != OpKind::compute)
        if (works.collectives[segment.work].group == GroupKind::expert)
          return segment.work;
    return std::nullopt;
  }
};

} // namespace

std::vector<PairedSegment> PassPairing::merge(const std::vector<Segment>& forward,
                                              const std::vector<Segment>& backward) {
  std::array<PassLane, 2> lanes{PassLane(paired(backward), true), PassLane(paired(forward), false)};
  std::vector<PairedSegment> merged;
  const auto issue = [&](PassLane& lane, const PassLane& other) {
    Segment segment = lane.segments[lane.next];
    if (segment.kind == OpKind::compute && !segment.host) {
      auto communication = other.under_way(table_.works());
      if (!communication && segment.beside_previous)
        communication = lane.under_way(table_.works());
      if (communication)
        segment.work = beside(segment.work, *communication);
    }
    ++lane.next;
    merged.push_back({segment, lane.backward});
  };
  const auto issue_what_follows = [&](PassLane& lane, const PassLane& other) {
    while (lane.next < lane.segments.size() && !PassLane::is_turn(lane.segments[lane.next]))
      issue(lane, other);
  };
  for (const std::size_t lane : {0, 1})
    issue_what_follows(lanes[lane], lanes[1 - lane]);
  while (lanes[0].has_turn() || lanes[1].has_turn()) {
    const bool second =
        !lanes[0].has_turn() ||
        (lanes[1].has_turn() && lanes[1].position(lanes[0]) < lanes[0].position(lanes[1]));
    issue(lanes[second], lanes[!second]);
    ++lanes[second].issued;
    issue_what_follows(lanes[second], lanes[!second]);
  }
  return merged;
}

std::vector<Segment> PassPairing::paired(const std::vector<Segment>& segments) {
  std::vector<Segment> found = segments;
  for (Segment& segment : found) {
    if (segment.kind != OpKind::collective ||
        table_.works().collectives[segment.work].group != GroupKind::expert)
      continue;
    CollectiveWork work = table_.works().collectives[segment.work];
    work.beside_compute = true;
    segment.work = table_.add(work);
  }
  return found;
}

std::uint32_t PassPairing::beside(std::uint32_t compute, std::uint32_t communication) {
  ComputeWork work = table_.works().computes[compute];
  if (!work.beside)
    work.beside = communication;
  return table_.add(std::move(work));
}

} // namespace moesim
