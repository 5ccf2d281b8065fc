#pragma once

#include "sim/calibrate/measurement.hpp"
#include "sim/cost/network_curve.hpp"

#include <filesystem>
#include <set>
#include <vector>

/// NCCL between the GPUs of a user, from the folder `measured` of a device. Only rows of equal
/// shares are measurements of links. Readers throw InputError for a malformed table; a missing file
/// has no rows.
namespace moesim {

/// The all-to-alls between the GPUs of one node, from `all_to_all.csv`. Throws InputError, too, if
/// `links` does not name their interconnect.
std::vector<Measurement> read_exchanges(const std::filesystem::path& device_folder,
                                        const RankLinks& links);

/// `collectives.csv`: the GPUs of a node are taken for one scale-up domain. Throws InputError, too,
/// if `links` does not name the interconnect, or for rows of several nodes the network.
std::vector<Measurement> read_collectives(const std::filesystem::path& device_folder,
                                          const RankLinks& links);

/// Scales the collectives of each interconnect of `exchanges` by the median ratio of measured to
/// predicted time over its rows of 1 MB and more, except the curves in `measured`.
std::vector<NetworkCurve> stretch_interconnect(const std::vector<Measurement>& exchanges,
                                               const std::vector<NetworkCurve>& known,
                                               const std::set<CurveName>& measured);

/// Slows the algorithms of an all-reduce that `rows` did not measure, so that none is faster than
/// the measured one was: NCCL chose what it measured, and a prediction takes the fastest. Rows of
/// other collectives count for nothing.
std::vector<NetworkCurve> slow_other_all_reduces(const std::vector<Measurement>& rows,
                                                 const std::vector<NetworkCurve>& known);

/// Scales the curve of each dispatch and combine by the median ratio of measured to predicted time
/// over its rows, as one run has one size or two. A curve that is not known is its stand-in's,
/// scaled.
std::vector<NetworkCurve> stretch_token_exchanges(const std::vector<Measurement>& rows,
                                                  const std::vector<NetworkCurve>& known);

} // namespace moesim
