#include "sim/cost/host_slowdown.hpp"

#include "sim/cost/ratio_table.hpp"

#include <fmt/format.h>

#include <vector>

namespace moesim {

Uncertain host_slowdown(const std::filesystem::path& calibration, const std::string& host) {
  const std::filesystem::path file = calibration / "hosts.csv";
  const std::map<std::string, RatioRow> hosts =
      read_ratios(file, "host", "time_ratio", {{"xeon", {{1.0, 0.0}, {}}}});
  if (const auto found = hosts.find(host); found != hosts.end())
    return found->second.ratio;
  std::vector<std::string> known;
  for (const auto& [name, unused] : hosts)
    known.push_back(name);
  throw InputError({.file = file.string(), .source_line = ""},
                   fmt::format("host: \"{}\" is not one of {}", host, fmt::join(known, ", ")),
                   suggest_name(host, known));
}

} // namespace moesim
