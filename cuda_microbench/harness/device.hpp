#pragma once

#include "cuda_microbench/core/device.hpp"

#include <optional>
#include <string>
#include <vector>

namespace moesim::microbench {

/// The device's clocks now, from its management library (NVML).
struct Clocks {
  unsigned sm_mhz = 0;
  unsigned sm_max_mhz = 0;
  unsigned memory_mhz = 0;
  unsigned memory_max_mhz = 0;
  double power_limit_watts = 0.0;
  unsigned long long throttle_reasons = 0; ///< bits, named by throttle_names

  /// The SM clock is below 90 % of its maximum because of power or heat.
  bool is_throttled() const;
  /// The reasons why the clocks are not higher, separated by spaces; "none" without one.
  std::string throttle_names() const;
};

/// The clocks of the device, or nothing where the machine has no NVML or NVML does not know it.
std::optional<Clocks> read_clocks(int ordinal);

/// Where measurements of the device come from, one line an entry, each `Key: text`: this program,
/// GPU, driver, toolkit with its libraries, clocks, and the date (UTC).
std::vector<std::string> provenance(const Device& device);

} // namespace moesim::microbench
