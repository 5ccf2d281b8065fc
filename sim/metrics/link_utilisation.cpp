#include "sim/metrics/link_utilisation.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <map>

namespace moesim {

namespace {

/// The equal parts of a step.
struct Bins {
  Seconds length;
  std::size_t count = 0;

  std::size_t of(Seconds time) const {
    return std::min(count - 1, static_cast<std::size_t>(time / length));
  }
  Seconds begin(std::size_t bin) const { return length * static_cast<double>(bin); }
};

/// Calls `visit(bin, share)` for each bin that a flow touches, with its share of the flow's time.
template <typename Visit>
void spread_evenly(const FlowSpan& flow, const Bins& bins, const Visit& visit) {
  const std::size_t first = bins.of(flow.start);
  const std::size_t last = bins.of(flow.finish);
  if (first == last)
    return visit(first, 1.0);
  for (std::size_t bin = first; bin <= last; ++bin) {
    const Seconds from = bin == first ? flow.start : bins.begin(bin);
    const Seconds to = bin == last ? flow.finish : bins.begin(bin + 1);
    visit(bin, std::max(Seconds{}, to - from) / (flow.finish - flow.start));
  }
}

/// The use of one class of links in one bin.
LinkUtilisation measure(const Timeline& timeline, const std::vector<std::size_t>& links,
                        const std::vector<std::vector<double>>& bytes, const Bins& bins,
                        std::size_t bin) {
  LinkUtilisation row;
  row.time = bins.begin(bin);
  double sum = 0.0;
  for (const std::size_t link : links) {
    const double percent =
        100.0 * bytes[link][bin] / (timeline.links[link].capacity.value * bins.length.value);
    sum += percent;
    if (percent > row.max_percent) {
      row.max_percent = percent;
      row.busiest_link = timeline.links[link].name;
    }
  }
  row.mean_percent = sum / static_cast<double>(links.size());
  return row;
}

} // namespace

std::vector<std::vector<double>> link_bytes(const Timeline& timeline, std::size_t bins) {
  INVARIANT(bins > 0 && timeline.end > Seconds{}, "bins {} end {}", bins, timeline.end.value);
  const Bins parts{timeline.end / static_cast<double>(bins), bins};
  std::vector<std::vector<double>> bytes(timeline.links.size(), std::vector<double>(bins, 0.0));
  for (const FlowSpan& flow : timeline.flows)
    spread_evenly(flow, parts, [&](std::size_t bin, double share) {
      for (const LinkLoad& load : timeline.loads[flow.load])
        bytes[load.link][bin] += load.bytes * share;
    });
  return bytes;
}

std::vector<LinkUtilisation> link_utilisation(const Timeline& timeline, std::size_t bins) {
  const std::vector<std::vector<double>> bytes = link_bytes(timeline, bins);
  const Bins parts{timeline.end / static_cast<double>(bins), bins};
  std::map<LinkKind, std::vector<std::size_t>> classes;
  for (std::size_t link = 0; link < timeline.links.size(); ++link)
    classes[timeline.links[link].kind].push_back(link);
  std::vector<LinkUtilisation> rows;
  for (const auto& [kind, links] : classes)
    for (std::size_t bin = 0; bin < bins; ++bin) {
      rows.push_back(measure(timeline, links, bytes, parts, bin));
      rows.back().link_class = row_of(kind).title;
    }
  return rows;
}

} // namespace moesim
