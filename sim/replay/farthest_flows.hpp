#pragma once

#include "sim/replay/traffic_model.hpp"

#include <cstddef>
#include <map>
#include <tuple>

namespace moesim {

/// The farthest flows of the phases of collectives, each found once: they depend on positions
/// alone.
class FarthestFlows {
public:
  /// Objects that the context names must outlive this object.
  explicit FarthestFlows(const TrafficContext& context) : context_(context) {}

  /// The position in its group of the sender of the farthest flow, and the latency of the path.
  struct Farthest {
    std::size_t position = 0;
    Seconds path;
  };
  /// The farthest flow of a phase of `work` between all ranks of `group`. Of equal ones, a flow of
  /// `device` has precedence.
  const Farthest& of(const CollectiveFlows& group, std::size_t phase, const CollectiveWork& work,
                     DeviceId device);

private:
  TrafficContext context_;
  /// By collective, kind of group, phase and device; stages of equal structure share those of the
  /// first.
  std::map<std::tuple<Collective, GroupKind, std::size_t, std::size_t>, Farthest> known_;
};

} // namespace moesim
