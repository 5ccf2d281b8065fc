#pragma once

#include "sim/cost/compute_cost.hpp"

/// How computes slow down beside a communication on the same GPU. Times are over those alone.
namespace moesim {

/// ComputeCost::slowdown_beside.
double slowdown_of_sms(const ComputeConstants& constants, const DevicePeaks& peaks,
                       Collective communication);

/// ComputeCost::bandwidth_slowdown_beside.
double slowdown_of_bandwidth(const ComputeConstants& constants, const DevicePeaks& peaks,
                             BytesPerSecond taken, double streaming);

} // namespace moesim
