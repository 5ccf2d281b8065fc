#include "sim/study/axis_caps.hpp"

#include "sim/platform/link_kind.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace moesim {

namespace {

constexpr const char* nic_key = "cluster.nic_gbit_per_s";

/// A key of a bandwidth, and the levels of the links that it sets or that need it.
struct Bandwidth {
  const char* key;
  const char* name;
  std::vector<LinkLevel> levels;
};

const std::vector<Bandwidth>& bandwidths() {
  static const std::vector<Bandwidth> all = {
      {nic_key, "NICs", {LinkLevel::nic, LinkLevel::network}},
      {"cluster.scale_up_gbyte_per_s",
       "scale-up links",
       {LinkLevel::scale_up_gpu, LinkLevel::scale_up_switch}},
      {"cluster.pcie_gbyte_per_s", "PCIe", {LinkLevel::pcie}}};
  return all;
}

/// Bandwidth of the PCIe links between a NIC and its GPUs.
BytesPerSecond pcie_of_nic(const TopologySpec& spec) {
  const double links = spec.node.nics_on_switch()
                           ? 1.0
                           : static_cast<double>(std::max<std::int64_t>(1, spec.gpus_per_nic()));
  return spec.node.pcie * links;
}

/// The least capacity of PCIe below that of NICs, of the points that have such NICs.
std::vector<std::string> pcie_notes(const SweepPlan& plan) {
  std::set<double> caps;
  for (const SweepPoint& point : plan.points) {
    if (!point.scenario || point.scenario->topology.fabric.kind == FabricKind::none)
      continue;
    const BytesPerSecond cap = pcie_of_nic(point.scenario->topology);
    if (point.scenario->topology.node.nic > cap)
      caps.insert(cap.value);
  }
  std::vector<std::string> notes;
  for (const double cap : caps)
    notes.push_back(fmt::format("{} above {:g}: capped by PCIe, {:g} GB/s for each NIC.", nic_key,
                                cap * 8e-9, cap * 1e-9));
  return notes;
}

bool is_own(const Bandwidth& bandwidth, const std::string& cause) {
  return std::any_of(link_kind_rows.begin(), link_kind_rows.end(), [&](const LinkKindRow& row) {
    return cause == row.title && std::find(bandwidth.levels.begin(), bandwidth.levels.end(),
                                           row.level) != bandwidth.levels.end();
  });
}

/// "the kernel's own rate (at 3 of 4 points), …", the most frequent first.
std::string list_of(const std::map<std::string, std::size_t>& counts) {
  std::vector<std::pair<std::string, std::size_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::size_t points = 0;
  for (const auto& [cause, count] : sorted)
    points += count;
  std::string list;
  for (const auto& [cause, count] : sorted)
    list +=
        fmt::format("{}{} (at {} of {} points)", list.empty() ? "" : ", ", cause, count, points);
  return list;
}

/// The note on a bandwidth: the least value from which on its links limit no point.
std::vector<std::string> limit_notes(const Bandwidth& bandwidth, const ReportTable& results) {
  if (!results.has(bandwidth.key))
    return {};
  const TableReader reader(results);
  std::map<double, std::map<std::string, std::size_t>> causes; // by value, points of each cause
  double last_own = 0.0;
  for (std::size_t row = 0; row < reader.size(); ++row) {
    const auto value = reader.number(row, bandwidth.key);
    const std::string& cause = reader.text(row, "ep_limited_by");
    if (!value || !reader.is_ok(row) || cause.empty())
      continue;
    ++causes[*value][cause];
    if (is_own(bandwidth, cause))
      last_own = std::max(last_own, *value);
  }
  const auto from = causes.upper_bound(last_own);
  std::map<std::string, std::size_t> counts;
  for (auto at = from; at != causes.end(); ++at)
    for (const auto& [cause, count] : at->second)
      counts[cause] += count;
  if (counts.empty())
    return {};
  return {fmt::format("{} from {:g} on: not the {} limit the all-to-alls of experts but {}.",
                      bandwidth.key, from->first, bandwidth.name, list_of(counts))};
}

} // namespace

std::vector<std::string> cap_notes(const SweepPlan& plan, const ReportTable& results) {
  std::vector<std::string> notes;
  if (results.has(nic_key))
    notes = pcie_notes(plan);
  for (const Bandwidth& bandwidth : bandwidths())
    for (std::string& note : limit_notes(bandwidth, results))
      notes.push_back(std::move(note));
  return notes;
}

} // namespace moesim
