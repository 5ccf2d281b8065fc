#pragma once

#include <cstdint>
#include <string>

namespace moesim::microbench {

/// One GPU, as the CUDA runtime describes it.
struct Device {
  int ordinal = 0;
  std::string name; ///< as the driver reports it
  int multiprocessors = 0;
  int compute_major = 0;
  int compute_minor = 0;
  std::int64_t l2_bytes = 0;
  std::int64_t memory_bytes = 0;
};

} // namespace moesim::microbench
