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

RoutingSpec RoutingSpec::uneven() const {
  RoutingSpec routing = *this;
  routing.load = LoadKind::dirichlet;
  routing.dirichlet_concentration = uneven_concentration.value();
  routing.drawn_layers = 8; // a full draw of 1,024 GPUs took 9 s, and this one 1 s
  return routing;
}

double RoutingSpec::kept_share() const {
  return capacity_factor > 0.0 ? std::min(1.0, capacity_factor) : 1.0;
}

} // namespace moesim
