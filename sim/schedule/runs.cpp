#include "sim/schedule/runs.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <span>
#include <tuple>

namespace moesim {

void CommunicationList::add(const PlacedStage& stage, const Segment& segment) {
  if (segment.kind != OpKind::collective)
    return;
  const CollectiveWork& work = graph_.works.collectives[segment.work];
  for (const std::uint32_t group : stage.groups[index(work.group)])
    add({OpKind::collective, stream_of(work), segment.work, group}, segment.detached);
}

void CommunicationList::add(const PlacedStage& stage, const std::vector<Segment>& segments) {
  for (const Segment& segment : segments)
    add(stage, segment);
}

void CommunicationList::add_transfer(std::uint32_t pair) {
  add({OpKind::transfer, Stream::pipeline, 0, pair}, false);
}

void CommunicationList::add(const Op& op, bool detached) {
  const auto [known, added] = known_.try_emplace({op.kind, op.work, op.location}, found_.size());
  if (added)
    found_.push_back({op, detached});
  else
    found_[known->second].detached |= detached;
}

void RunTable::allow(const std::vector<Communication>& communications,
                     const std::vector<Contention>& contention) {
  INVARIANT(contention.size() == communications.size(), "{} contentions of {} communications",
            contention.size(), communications.size());
  for (std::size_t number = 0; number < communications.size(); ++number)
    if (const Op& op = communications[number].op; op.kind == OpKind::collective)
      contention_[{op.work, op.location}] = contention[number];
}

const std::vector<PassPiece>& RunTable::pieces(const PlacedStage& stage,
                                               const std::vector<Segment>& segments, bool quiet) {
  const auto [known, added] = pieces_.try_emplace({&segments, quiet});
  if (added)
    known->second = split(stage, segments, quiet);
  return known->second;
}

bool RunTable::joins(const PlacedStage& stage, const Segment& segment, bool quiet,
                     std::optional<GroupKind> kind) const {
  if (segment.beside_previous || segment.detached || segment.awaits != 0 || segment.joins_all ||
      segment.after_result || segment.host)
    return false;
  const bool one_device = stage.devices.size() == 1;
  if (segment.kind == OpKind::compute) {
    // Devices may come to a pass at different times: a collective brings them together.
    const ComputeWork& work = graph_.works.computes[segment.work];
    return (one_device || kind) && !work.beside && work.by_expert_rank.empty();
  }
  const GroupKind own = graph_.works.collectives[segment.work].group;
  if (!one_device && kind.value_or(own) != own)
    return false;
  const std::vector<std::uint32_t>& groups = stage.groups[index(own)];
  return std::all_of(groups.begin(), groups.end(), [&](std::uint32_t group) {
    const auto found = contention_.find({segment.work, group});
    return found != contention_.end() &&
           (found->second == Contention::none || (found->second == Contention::detached && quiet));
  });
}

std::vector<PassPiece> RunTable::split(const PlacedStage& stage,
                                       const std::vector<Segment>& segments, bool quiet) {
  std::vector<PassPiece> pieces;
  int last_mark = 0; // of the detached segments of this pass
  std::size_t begin = 0;
  std::optional<GroupKind> kind; // of the groups of the run from `begin` on
  const auto close = [&](std::size_t end) {
    const auto run = std::span(segments).subspan(begin, end - begin);
    if (run.size() > 1 && kind)
      pieces.push_back({begin, add_runs(stage, run, *kind)});
    else
      for (std::size_t place = begin; place < end; ++place)
        pieces.push_back({place});
    begin = end;
    kind.reset();
  };
  for (std::size_t place = 0; place < segments.size(); ++place) {
    const Segment& segment = segments[place];
    // The next segment of a run waits for its last, not for those before that.
    const bool accompanied = place + 1 < segments.size() && segments[place + 1].beside_previous;
    if (accompanied || !joins(stage, segment, quiet, kind)) {
      close(place);
      if (accompanied || !joins(stage, segment, quiet, kind))
        close(place + 1);
    }
    if (begin <= place && segment.kind == OpKind::collective)
      kind = graph_.works.collectives[segment.work].group;
    if (segment.detached) {
      quiet = false;
      last_mark = segment.mark;
    } else if (segment.joins_all || (segment.awaits != 0 && segment.awaits == last_mark)) {
      quiet = true;
    }
  }
  close(segments.size());
  return pieces;
}

std::vector<Op> RunTable::add_runs(const PlacedStage& stage, std::span<const Segment> segments,
                                   GroupKind kind) {
  std::vector<Op> added;
  const std::vector<std::uint32_t>& places = stage.groups[index(kind)];
  for (std::size_t place = 0; place < places.size(); ++place) {
    const std::uint32_t group = places[place];
    std::vector<Op>& run = graph_.runs.emplace_back();
    for (const Segment& segment : segments) {
      Op op{segment.kind, Stream::compute, segment.work, 0, 0, segment.label};
      if (segment.kind == OpKind::collective) {
        const CollectiveWork& work = graph_.works.collectives[segment.work];
        op.stream = stream_of(work);
        op.location = stage.groups[index(work.group)][place];
      } else {
        op.location = static_cast<std::uint32_t>(index(graph_.groups[group].devices.front()));
      }
      run.push_back(op);
    }
    added.push_back({OpKind::run, Stream::compute,
                     static_cast<std::uint32_t>(graph_.runs.size() - 1), group, 0,
                     segments.front().label});
  }
  return added;
}

} // namespace moesim
