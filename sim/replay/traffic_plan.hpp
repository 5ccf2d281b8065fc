#pragma once

#include "sim/replay/folding.hpp"
#include "sim/replay/link_sums.hpp"

#include <array>
#include <string>
#include <vector>

namespace moesim {

/// A flow of the replay over a route. `bytes` arrive; `amount` is `bytes` divided by the efficiency
/// of the messages, so that the flow takes its real time at full capacity.
struct PlannedFlow {
  MachineRoute route;
  double bytes = 0.0;
  double amount = 0.0;
  bool mixed = false; ///< ClassFlow::mixed
};

/// A start-up time, then flows that run together.
struct TrafficPhase {
  Seconds startup;
  std::vector<PlannedFlow> flows;
};

/// The load of a collective or a transfer on the network: phases, one after the other.
struct TrafficPlan {
  Collective algorithm = Collective::all_to_all; ///< the chosen algorithm
  std::vector<TrafficPhase> phases;
  double error = 0.0;              ///< relative error of its time, at a confidence of 90 %
  std::array<bool, 2> by_kernel{}; ///< TrafficNotes::by_kernel
};

/// The flow that stands for a link's load, over this link alone. A flow of the mean amount has
/// weight 1.
PlannedFlow flow_of_load(const BusyLink& load, double mean_amount, LinkFolding& folding);
/// The same over `stage_link`, for as long as the load takes on its own link.
PlannedFlow flow_of_stage_load(RankId member, const BusyLink& load, double mean_amount,
                               LinkFolding& folding);

/// The cause of most of a communication's time, alone on its links: a class of links by its title,
/// "the kernel's own rate", or "start-up" with waits for ranks and the host's posts.
std::string limit_of(const TrafficPlan& plan, const LinkFolding& folding);

/// The time of a communication alone on its links; exact for one flow a phase, else a bound.
Seconds time_alone(const TrafficPlan& plan, const LinkFolding& folding);
Seconds time_alone(const TrafficPhase& phase, const LinkFolding& folding);

} // namespace moesim
