#pragma once

#include "sim/cost/compute_constants.hpp"
#include "sim/cost/host_proxies.hpp"
#include "sim/cost/named_row.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace moesim {

/// Times that the processors of a node take to launch kernels and to post messages in a training
/// step.
class HostCost {
public:
  /// `host` names a row of `calibration/hosts.csv`; a host that was measured beside the GPU takes
  /// its place. Throws InputError for an unknown host and for a
  /// malformed table.
  HostCost(const std::filesystem::path& calibration, const NamedRow& host,
           const ComputeConstants& constants);

  /// Time of `operators` calls of the framework and `launches` further kernels, beyond one kernel a
  /// call.
  Seconds launch_time(std::int64_t operators, std::int64_t launches) const;
  /// Relative error of launch_time at a confidence of 90 %; 0 if the time is 0.
  double launch_error(std::int64_t operators, std::int64_t launches) const;

  /// Time that the host takes to post the messages of a dispatch or combine, beside the transfer.
  PostingTime posting_time(const PostedTokens& posted) const;

private:
  Uncertain slowdown_; ///< time of this host over that of the host of the constants
  Uncertain operator_time_us_;
  Uncertain launch_time_us_;
  HostProxies proxies_;
};

} // namespace moesim
