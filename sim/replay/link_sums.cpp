#include "sim/replay/link_sums.hpp"

#include <array>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace moesim {

namespace {

/// Index of the first term of each link, and of one link past the last, in terms sorted by link.
std::vector<std::size_t> first_terms(std::size_t links, const std::vector<LinkTerm>& terms) {
  std::vector<std::size_t> first(links + 1, 0);
  for (const LinkTerm& term : terms)
    ++first[index(term.link) + 1];
  for (std::size_t link = 0; link < links; ++link)
    first[link + 1] += first[link];
  return first;
}

} // namespace

LinkSums::LinkSums(const Topology& topology, const std::vector<LinkTerm>& terms) {
  using Row = std::vector<std::pair<std::uint32_t, double>>;
  const std::vector<std::size_t> first = first_terms(topology.links(), terms);
  std::vector<std::size_t> next = first;
  Row by_link(terms.size());
  for (const LinkTerm& term : terms)
    by_link[next[index(term.link)]++] = {term.flow, term.share};
  Rows rows;
  std::map<Row, std::uint32_t> known;
  std::set<std::tuple<std::uint32_t, LinkKind, double>> classes;
  for (std::uint32_t number = 0; number < topology.links(); ++number) {
    const auto begin = by_link.begin() + static_cast<std::ptrdiff_t>(first[number]);
    const auto end = by_link.begin() + static_cast<std::ptrdiff_t>(first[number + 1]);
    if (begin == end)
      continue;
    const auto [row, added] =
        known.emplace(Row(begin, end), static_cast<std::uint32_t>(rows.ends.size()));
    if (added) {
      for (const auto& [flow, share] : row->first) {
        rows.flows.push_back(flow);
        rows.shares.push_back(share);
      }
      rows.ends.push_back(static_cast<std::uint32_t>(rows.flows.size()));
    }
    const Link& link = topology.link(LinkId(number));
    if (classes.emplace(row->second, link.kind, link.capacity.value).second)
      classes_.push_back({LinkId(number), link.kind, link.capacity, row->second});
  }
  rows_ = std::make_shared<const Rows>(std::move(rows));
}

double LinkSums::Rows::sum(std::size_t row, const std::vector<double>& carried) const {
  double sum = 0.0;
  for (std::size_t term = row == 0 ? 0 : ends[row - 1]; term < ends[row]; ++term)
    sum += carried[flows[term]] * shares[term];
  return sum;
}

bool LinkSums::share_rows(const LinkSums& other) {
  if (*rows_ != *other.rows_)
    return false;
  rows_ = other.rows_;
  return true;
}

std::vector<BusyLink> LinkSums::busiest(const std::vector<double>& bytes,
                                        const std::vector<double>& amounts) const {
  std::vector<double> sums;
  sums.reserve(rows_->ends.size());
  for (std::size_t row = 0; row < rows_->ends.size(); ++row)
    sums.push_back(rows_->sum(row, amounts));
  const auto time = [&](const LinkClass& links) { return sums[links.row] / links.capacity.value; };
  std::array<const LinkClass*, enumerator_count<LinkKind>> worst{};
  for (const LinkClass& links : classes_) {
    const LinkClass*& most = worst[index(links.kind)];
    if (sums[links.row] > 0.0 && (most == nullptr || time(links) > time(*most)))
      most = &links;
  }
  std::vector<BusyLink> loads;
  for (const LinkClass* links : worst)
    if (links != nullptr)
      loads.push_back({links->link, rows_->sum(links->row, bytes), sums[links->row]});
  return loads;
}

} // namespace moesim
