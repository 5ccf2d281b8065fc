#pragma once

#include "sim/calibrate/measurement.hpp"
#include "sim/platform/topology_spec.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// The best times of one run of DeepEP's `tests/test_intranode.py` or `tests/test_internode.py`.
struct DeepEpLog {
  struct Best {
    Collective collective = Collective::dispatch;
    double token_bytes = 0.0; ///< bytes of one token, with the scales of fp8
    Seconds time;             ///< of the kernel that transmits; 0 if only bandwidths are printed
    double nvlink = 0.0;      ///< GB/s of the tokens that a rank receives, as printed
    double rdma = 0.0;        ///< GB/s of the tokens that a rank sends to nodes; 0 inside a node
    int line = 0;
  };
  std::string name; ///< name of the file, without folder and extension
  std::string file;
  std::int64_t tokens = 0; ///< of a rank
  std::int64_t hidden = 0;
  std::int64_t experts_per_token = 0;
  std::int64_t groups_per_token = 1; ///< nodes that a token may use
  std::vector<Best> best;
};

/// Whether a text holds a result of DeepEP's tests.
bool is_deepep_log(const std::string& text);

/// Reads the lines `[config] ...` and `[tuning] Best ...` of all editions of DeepEP's tests of
/// normal kernels, behind prefixes of mpirun and srun. Throws InputError, with the line, for a
/// result before its configuration, or a line of another form; without a line of results.
DeepEpLog parse_deepep_log(const std::string& text, const std::string& file);

/// The best times as measurements on `domains` nodes of a cluster. The tests route 256 experts,
/// which they do not print, with random scores, one group of experts a node. The tier of each is
/// the one that `costs` predicts to take longer.
///
/// Throws InputError if a run between nodes has `domains` = 0, or if its bytes on NVLink and RDMA
/// are not those of so many nodes.
std::vector<Measurement> deepep_measurements(const DeepEpLog& log, const NodeSpec& node,
                                             std::int64_t domains, const NetworkCost& costs);

} // namespace moesim
