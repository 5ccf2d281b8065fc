#include "sim/cost/sustained_throughput.hpp"

#include "sim/cost/ratio_table.hpp"

namespace moesim {

Uncertain sustained_throughput(const std::filesystem::path& calibration, const std::string& kind,
                               const Uncertain& otherwise) {
  const std::map<std::string, RatioRow> devices =
      read_ratios(calibration / "sustained_throughput.csv", "device", "ratio");
  for (const auto& [device, row] : devices)
    if (row.ratio.value > 1.0)
      throw InputError(row.where, "ratio: long runs are never faster", "1 at most");
  const auto found = devices.find(kind);
  return found == devices.end() ? otherwise : found->second.ratio;
}

} // namespace moesim
