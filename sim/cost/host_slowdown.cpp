#include "sim/cost/host_slowdown.hpp"

#include "sim/cost/ratio_table.hpp"

#include <vector>

namespace moesim {

Uncertain host_slowdown(const std::filesystem::path& calibration, const NamedRow& host) {
  const std::filesystem::path file = calibration / "hosts.csv";
  const std::map<std::string, RatioRow> hosts =
      read_ratios(file, "host", "time_ratio", {{"xeon", {{1.0, 0.0}, {}}}});
  if (const auto found = hosts.find(host.name); found != hosts.end())
    return found->second.ratio;
  std::vector<std::string> known;
  for (const auto& [name, unused] : hosts)
    known.push_back(name);
  fail_unknown("host", host, known, file);
}

} // namespace moesim
