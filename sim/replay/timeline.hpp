#pragma once

#include "sim/base/units.hpp"
#include "sim/platform/topology.hpp"
#include "sim/workload/collective.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// When an operation ran.
struct OpSpan {
  Seconds start;
  Seconds finish;
};

/// What a link carried in the whole step.
struct LinkUse {
  std::string name;
  LinkKind kind = LinkKind::scale_up_egress;
  double bytes = 0.0;      ///< on the real link, all that share it counted
  BytesPerSecond capacity; ///< of the real link
};

/// The result of a replay: plain data.
struct Timeline {
  std::vector<OpSpan> ops; ///< by OpId
  Seconds end;             ///< the step time
  std::vector<LinkUse> links;
  std::vector<Collective> algorithms; ///< that each collective of the graph took, by its number
  std::uint64_t activities = 0;       ///< that SimGrid simulated
};

} // namespace moesim
