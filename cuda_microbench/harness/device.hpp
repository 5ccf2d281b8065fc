#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moesim::microbench {

/// One GPU, as the CUDA runtime describes it.
struct Device {
  int ordinal = 0;
  std::string name;
  int multiprocessors = 0;
  int compute_major = 0;
  int compute_minor = 0;
  std::int64_t l2_bytes = 0;
  std::int64_t memory_bytes = 0;

  /// The device's folder in calibration/: "NVIDIA H200" is in "h200-sxm".
  std::string slug() const;
};

/// What the device's management library (NVML) says of its clocks now.
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

/// The device of that number. Throws std::runtime_error if there is none.
Device read_device(int ordinal);

/// The clocks of the device, or nothing where the machine has no NVML or NVML does not know it.
std::optional<Clocks> read_clocks(int ordinal);

/// Where measurements of the device come from, one line an entry, each `Key: text`: this program,
/// GPU, driver, toolkit with its libraries, clocks, and the date (UTC).
std::vector<std::string> provenance(const Device& device);

} // namespace moesim::microbench
