#pragma once

#include "sim/cost/compute_cost.hpp"

/// How computes slow down beside a communication on the same GPU. Times are over those alone.
namespace moesim {

/// SMs that the kernels of a communication hold.
double held_sms(const ComputeConstants& constants, const std::string& interconnect,
                Collective communication);

/// ComputeCost::slowdown_beside.
double slowdown_of_sms(const ComputeConstants& constants, const DevicePeaks& peaks,
                       Collective communication);

/// Slow-down of a compute on the SMs that are left of `all` when `held` are not.
double slowdown_of_sms(const ComputeConstants& constants, double held, double all);

/// ComputeCost::bandwidth_slowdown_beside.
double slowdown_of_bandwidth(const ComputeConstants& constants, const DevicePeaks& peaks,
                             BytesPerSecond taken, double streaming);

} // namespace moesim
