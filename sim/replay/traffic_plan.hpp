#pragma once

#include "sim/replay/folding.hpp"

#include <vector>

namespace moesim {

/// A flow of the replay: an amount of work for a route. `bytes` is what arrives; `amount` is that
/// divided by the efficiency of its messages, so that it takes its real time at full capacity.
struct PlannedFlow {
  MachineRoute route;
  double bytes = 0.0;
  double amount = 0.0;
  bool mixed = false; ///< as of a ClassFlow
};

/// A start-up, then flows that run together.
struct TrafficPhase {
  Seconds startup;
  std::vector<PlannedFlow> flows;
};

/// The load that a collective or a transfer puts on the network: phases, one after the other.
struct TrafficPlan {
  Collective algorithm = Collective::all_to_all; ///< the one chosen
  std::vector<TrafficPhase> phases;
  double error = 0.0; ///< of its time, as a share with a confidence of 90 %
};

/// The time of a communication that has its links to itself; exact for one flow a phase, else a
/// bound.
Seconds time_alone(const TrafficPlan& plan, const LinkFolding& folding);
Seconds time_alone(const TrafficPhase& phase, const LinkFolding& folding);

} // namespace moesim
