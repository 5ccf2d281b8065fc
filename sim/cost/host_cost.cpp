#include "sim/cost/host_cost.hpp"

#include "sim/cost/host_slowdown.hpp"

#include <cmath>

namespace moesim {

HostCost::HostCost(const std::filesystem::path& calibration, const NamedRow& host,
                   const ComputeConstants& constants)
    : slowdown_(constants.measured_host_slowdown.value_or(host_slowdown(calibration, host))),
      operator_time_us_(constants.host_operator_time_us),
      launch_time_us_(constants.host_launch_time_us), proxies_(HostProxies::load(calibration)) {}

Seconds HostCost::launch_time(std::int64_t operators, std::int64_t launches) const {
  return microseconds(slowdown_.value * (static_cast<double>(operators) * operator_time_us_.value +
                                         static_cast<double>(launches) * launch_time_us_.value));
}

double HostCost::launch_error(std::int64_t operators, std::int64_t launches) const {
  const Seconds time = launch_time(operators, launches);
  if (time <= Seconds{})
    return 0.0;
  return std::hypot(launch_time(operators, 0) / time * operator_time_us_.error,
                    launch_time(0, launches) / time * launch_time_us_.error, slowdown_.error);
}

PostingTime HostCost::posting_time(const PostedTokens& posted) const {
  PostingTime time = proxies_.time(posted);
  time.time = time.time * slowdown_.value;
  time.error = std::hypot(time.error, slowdown_.error);
  return time;
}

} // namespace moesim
