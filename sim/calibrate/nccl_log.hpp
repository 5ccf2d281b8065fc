#pragma once

#include "sim/calibrate/measurement.hpp"
#include "sim/platform/topology_spec.hpp"

#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The out-of-place columns of a table of nccl-tests.
struct NcclLog {
  struct Row {
    double size = 0.0; ///< bytes
    Seconds time;
    double algorithm_bandwidth = 0.0; ///< GB/s, as printed
    double bus_bandwidth = 0.0;
    int line = 0;
  };
  std::string name; ///< name of the file, without folder and extension
  Collective collective = Collective::all_to_all;
  std::int64_t ranks = 0;
  std::int64_t hosts = 0; ///< 0 if the log does not list its devices
  std::string gpu;        ///< model of the first device; empty if the log does not list its devices
  std::vector<Row> rows;  ///< sizes above 0
};

/// Reads the output of all_reduce_perf and its like, in all layouts since 2.0: with and without
/// reduction operation and root, an error count or column, N/A; behind prefixes of mpirun and srun;
/// NCCL's own lines between. The collective is `given`, or the one that the log or the file's name
/// states, or that adds values up with the printed ratio of bandwidths. The number of ranks comes
/// from the list of devices, or from the ratio of bus to algorithm bandwidth. Throws InputError,
/// with the line, for a cut row, wrong results, a failed run, a bandwidth that is not size over
/// time, or a log without rows, collective or ranks.
NcclLog parse_nccl_log(const std::string& text, const std::string& name,
                       std::optional<Collective> given);

/// The links of the ranks of a node: NICs are shared evenly by its GPUs, and carry no more than
/// their PCIe slots.
RankLinks links_of(const NodeSpec& node);

/// Scale-up domains of a log's ranks: its hosts, where a domain is a node; else, and for a log
/// without hosts, as few as hold the ranks.
std::int64_t domains_of(const NcclLog& log, const NodeSpec& node);

/// The rows as measurements that enter the fit. `links` gives the links, which the log does not
/// state. An all-reduce counts as one of rings unless `in_switch` is true. Throws InputError if the
/// hosts are not known, or there are several and `links` has no network.
std::vector<Measurement> log_measurements(const NcclLog& log, const RankLinks& links,
                                          bool in_switch);

} // namespace moesim
