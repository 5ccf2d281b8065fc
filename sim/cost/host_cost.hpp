#pragma once

#include "sim/cost/compute_constants.hpp"
#include "sim/cost/host_proxies.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace moesim {

/// How long the processors of a node take to feed its GPUs in a training step.
class HostCost {
public:
  /// `host` is a row of `calibration/hosts.csv`. Throws InputError for one that is not, and for a
  /// malformed table.
  HostCost(const std::filesystem::path& calibration, const std::string& host,
           const ComputeConstants& constants);

  /// For calls of the framework, and for kernels that these launch beyond one each.
  Seconds launch_time(std::int64_t operators, std::int64_t launches) const;
  /// The error of that time, as KernelTime's; 0 of no time.
  double launch_error(std::int64_t operators, std::int64_t launches) const;

  /// What a dispatch or combine takes beside its transfer, where the host posts its messages.
  PostingTime posting_time(const PostedCopies& posted) const;

private:
  Uncertain slowdown_; ///< over the host of the constants
  Uncertain operator_time_us_;
  Uncertain launch_time_us_;
  HostProxies proxies_;
};

} // namespace moesim
