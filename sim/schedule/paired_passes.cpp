#include "sim/schedule/paired_passes.hpp"

#include <array>

namespace moesim {

namespace {

/// The state of one of two passes during their merge.
struct PassLane {
  std::vector<Segment> segments;
  std::vector<bool> starts_turn; ///< by index of the segment
  bool backward = false;
  std::int64_t turns = 0; ///< total number of turns
  std::int64_t taken = 0; ///< turns so far
  std::size_t next = 0;   ///< index of the next segment

  PassLane(std::vector<Segment> of, bool is_backward, const Works& works)
      : segments(std::move(of)), backward(is_backward) {
    bool ended = true; // the turn before
    for (const Segment& segment : segments) {
      const bool starts = is_compute(segment) && (ended || segment.after_result);
      starts_turn.push_back(starts);
      turns += starts ? 1 : 0;
      ended = (ended && !starts) || is_with_experts(segment, works);
    }
  }

  /// Whether a segment is a compute that may start a turn. Computes beside their own pass's
  /// communication and the host's launches do not.
  static bool is_compute(const Segment& segment) {
    return segment.kind == OpKind::compute && !segment.beside_previous && !segment.host;
  }
  static bool is_with_experts(const Segment& segment, const Works& works) {
    return segment.kind == OpKind::collective &&
           works.collectives[segment.work].group == GroupKind::expert;
  }

  bool has_turn() const { return next < segments.size(); }
  /// Position of the middle of the next turn in its lane, scaled by twice the turns of both lanes,
  /// so that two lanes compare.
  std::int64_t position(const PassLane& other) const { return (2 * taken + 1) * other.turns; }

  /// The communication with experts that is under way when the next turn of either lane starts.
  std::optional<std::uint32_t> under_way(const Works& works) const {
    for (std::size_t place = next; place > 0 && !starts_turn[place - 1]; --place)
      if (is_with_experts(segments[place - 1], works))
        return segments[place - 1].work;
    return std::nullopt;
  }
};

} // namespace

std::vector<PairedSegment> PassPairing::merge(const std::vector<Segment>& forward,
                                              const std::vector<Segment>& backward) {
  std::array<PassLane, 2> lanes{PassLane(paired(backward), true, table_.works()),
                                PassLane(paired(forward), false, table_.works())};
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
    while (lane.has_turn() && !lane.starts_turn[lane.next])
      issue(lane, other);
  };
  for (const std::size_t lane : {0, 1})
    issue_what_follows(lanes[lane], lanes[1 - lane]);
  while (lanes[0].has_turn() || lanes[1].has_turn()) {
    const bool second =
        !lanes[0].has_turn() ||
        (lanes[1].has_turn() && lanes[1].position(lanes[0]) < lanes[0].position(lanes[1]));
    issue(lanes[second], lanes[!second]);
    ++lanes[second].taken;
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
