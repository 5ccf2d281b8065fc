#pragma once

#include "sim/calibrate/measurement.hpp"
#include "sim/cost/network_curve.hpp"

#include <vector>

namespace moesim {

/// Fits the costs of each medium and collective to the measurements that say `fit`; in the order of
/// media and collectives.
///
/// Start-up. A table's is the median time of its rows of at most 16 KiB, less the start-up inside
/// the domain where its tier is the network; a table without such rows takes no part. Then least
/// squares of the relative error of base + per_peer × peers, neither negative. A curve whose tables
/// have all as many peers takes its slope from all tables of its medium together.
///
/// Share. A row is used where at least 15 % of its time remains after the start-up. The logarithm
/// of bytes / (capacity × remaining time) is fitted by a chain of straight lines over the logarithm
/// of the message, with knots at the powers of 4, less small_group_loss / members where the groups
/// differ in size: linear least squares, weighted by the remaining share of the time, with a small
/// penalty on bends (0.001) and slopes (0.000001), which fills gaps. Shares are cut at 1, and so
/// that a larger message takes no less time.
///
/// Limit. Where a dispatch or combine was measured on links of several speeds, the curve is that of
/// the slowest, and the limit the median of what the others reach from 16 MiB up, if that is less.
///
/// The 90 % error of a curve is over all rows, those held out included.
///
/// The curves of `known` that no measurement is of stay as they are. Throws InputError if nothing
/// is to be fitted.
std::vector<NetworkCurve> fit_network(const std::vector<Measurement>& measurements,
                                      const std::vector<NetworkCurve>& known);

} // namespace moesim
