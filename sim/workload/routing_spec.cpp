#include "sim/workload/routing_spec.hpp"

#include <algorithm>

namespace moesim {

bool RoutingSpec::differs_by_source() const {
  return load == LoadKind::trace && trace->rows == LoadTrace::Rows::sequences;
}

bool RoutingSpec::rows_differ_by_micro_batch() const {
  return load == LoadKind::trace && trace->rows != LoadTrace::Rows::whole;
}

bool RoutingSpec::differs_by_micro_batch() const {
  return sampled || rows_differ_by_micro_batch();
}

double RoutingSpec::kept_share() const {
  return capacity_factor > 0.0 ? std::min(1.0, capacity_factor) : 1.0;
}

} // namespace moesim
