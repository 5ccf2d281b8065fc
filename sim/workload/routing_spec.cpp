#include "sim/workload/routing_spec.hpp"

#include <algorithm>

namespace moesim {

double RoutingSpec::kept_share() const {
  return capacity_factor > 0.0 ? std::min(1.0, capacity_factor) : 1.0;
}

} // namespace moesim
