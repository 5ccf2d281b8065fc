#pragma once

#include "sim/base/units.hpp"
#include "sim/workload/collective.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace moesim {

/// The copies of tokens that a rank sends to other domains in a dispatch or combine, where the host
/// posts its messages: the GPU cannot (EFA), or the library leaves it to threads of the host
/// (UCCL-EP).
struct PostedCopies {
  Library library = Library::deepep;
  bool combine = false;   ///< else dispatch
  std::int64_t ranks = 0; ///< of the expert-parallel group
  double copies = 0.0;    ///< of tokens, by one rank
  std::string medium;     ///< of the NICs: "efa", …
  BytesPerSecond nics;    ///< of one GPU, one direction
};

/// A time, and its error as KernelTime's.
struct PostingTime {
  Seconds time;
  double error = 0.0;
  std::string medium; ///< of the NICs that it was measured on
};

/// What a Xeon takes to post such messages inside a training step, beside their transfer. From
/// `calibration/host_proxies.csv` (a time an operation and one a message, by library and NICs) and
/// `calibration/proxy_messages.csv` (tokens a message, by library and ranks).
class HostProxies {
public:
  /// Without its files there is none to ask for. Throws InputError if one is malformed.
  static HostProxies load(const std::filesystem::path& calibration);

  /// By the row of the library whose NICs are nearest in rate, of the same medium if there is one,
  /// and the least of its groups that
  /// holds as many ranks, else the largest. Throws InputError for a library without rows.
  PostingTime time(const PostedCopies& posted) const;

private:
  struct Rates {
    std::string medium;
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
  std::map<std::string, std::map<std::int64_t, MessageTokens>> messages_; ///< and by ranks
};

} // namespace moesim
