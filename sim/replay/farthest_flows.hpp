#pragma once

#include "sim/replay/traffic_model.hpp"

#include <cstddef>
#include <map>
#include <tuple>

namespace moesim {

/// The farthest flows of the phases of collectives, each found once: they depend on places alone.
class FarthestFlows {
public:
  /// Objects that the context names must outlive this one.
  explicit FarthestFlows(const TrafficContext& context) : context_(context) {}

  /// Position of the sender of a group's farthest flow, and its path.
  struct Farthest {
    std::size_t position = 0;
    Seconds path;
  };
  /// The farthest flow of a phase between all ranks of `group`, which does `work`; that of `device`
  /// if one of its flows is as far as any.
  const Farthest& of(const CollectiveFlows& group, std::size_t phase, const CollectiveWork& work,
                     DeviceId device);

private:
  TrafficContext context_;
  /// By collective, groups, phase and device: of all stages that are copies, that of the first.
  std::map<std::tuple<Collective, GroupKind, std::size_t, std::size_t>, Farthest> known_;
};

} // namespace moesim
