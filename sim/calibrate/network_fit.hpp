#pragma once

#include "sim/calibrate/measurement.hpp"
#include "sim/cost/network_curve.hpp"

#include <map>
#include <vector>

namespace moesim {

/// Fits the costs of each interconnect and collective to the measurements with `fit` set. Curves
/// are in the order of interconnects, then collectives.
///
/// Start-up. A table's start-up is the median time of its rows of at most 16 KiB; if its tier is
/// the network, less the start-up inside the domain. A table without such rows is not used. Base
/// and per_peer, neither negative, follow by least squares of the relative error of base + per_peer
/// × peers. A curve without such rows keeps the start-up that is known. A curve whose tables all
/// have the same number of peers takes its slope from all tables of its interconnect together.
///
/// Share. A row is used if at least 15 % of its time remains after the start-up. The logarithm of
/// bytes / (capacity × remaining time) is fitted by a chain of straight lines over the logarithm of
/// the message, with knots at the powers of 4, less small_group_loss / members if the groups differ
/// in size: linear least squares, weighted by the remaining share of the time, with a small penalty
/// on bends (0.001) and slopes (0.000001), which fills gaps. Shares are cut at 1, and so that a
/// larger message takes no less time.
///
/// Limit. If a dispatch or combine was measured on links of several speeds, the curve is that of
/// the slowest. The limit is the median rate of the others from 16 MiB up, if it is less than the
/// curve's.
///
/// Error. The 90 % error of a curve is over all rows, held-out rows included.
///
/// Curves of `known` without measurements are unchanged. Throws InputError if there is nothing to
/// fit.
std::vector<NetworkCurve> fit_network(const std::vector<Measurement>& measurements,
                                      const std::vector<NetworkCurve>& known);

/// Curves in the order of interconnects, then collectives.
std::vector<NetworkCurve> in_table_order(const std::map<CurveName, NetworkCurve>& curves);

} // namespace moesim
