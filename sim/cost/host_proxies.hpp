#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/collective.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace moesim {

/// Tokens that a rank sends to other domains in a dispatch or combine whose messages the host
/// posts: the GPU cannot (EFA), or the library leaves it to threads of the host (UCCL-EP). A token
/// counts once for each other domain that it goes to.
struct PostedTokens {
  Library library = Library::deepep;
  bool combine = false;     ///< false: a dispatch
  std::int64_t ranks = 0;   ///< ranks of the expert-parallel group
  double tokens = 0.0;      ///< tokens that one rank sends
  std::string interconnect; ///< interconnect of the NICs: "efa", …
  BytesPerSecond nics;      ///< rate of one GPU, one direction
};

/// A time with its relative error at a confidence of 90 %.
struct PostingTime {
  Seconds time;
  double error = 0.0;
  std::string interconnect; ///< interconnect of the measured NICs
};

/// Times that a Xeon takes to post messages inside a training step, beside their transfer. From
/// `calibration/host_proxies.csv` (a time an operation and one a message, by library and NICs) and
/// `calibration/proxy_messages.csv` (tokens a message, by library and ranks).
class HostProxies {
public:
  /// Missing files give no rows. Throws InputError if a file is malformed.
  static HostProxies load(const std::filesystem::path& calibration);

  /// Takes the row of the library whose NICs are nearest in rate, preferably of the same
  /// interconnect, and the smallest group with at least `ranks` ranks, else the largest group.
  /// Throws InputError for a library without rows.
  PostingTime time(const PostedTokens& posted) const;

private:
  struct Rates {
    std::string interconnect;
    double gpu_gbit_per_s = 0.0;
    double operation_us = 0.0;
    double message_us = 0.0;
    double error = 0.0;
  };
  struct MessageTokens {
    double dispatch = 0.0;
    double combine = 0.0;
  };
  void read_rates(const std::filesystem::path& file);
  void read_messages(const std::filesystem::path& file);

  std::filesystem::path folder_;
  std::map<std::string, std::vector<Rates>> rates_;                       ///< by library
  std::map<std::string, std::map<std::int64_t, MessageTokens>> messages_; ///< by library and ranks
};

} // namespace moesim
