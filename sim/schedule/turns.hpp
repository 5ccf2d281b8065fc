#pragma once

#include "sim/schedule/step_graph.hpp"
#include "sim/workload/pipeline_order.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace moesim {

/// Collects what waits for what where stages exchange with their neighbours only between turns: a
/// transfer waits until both sides have come to it, and both wait for its end.
class Turns {
public:
  /// A pass of a turn: what starts it and, until another is added, what ends the turn. Nothing
  /// where there are no turns.
  void add(DeviceId device, const std::optional<Turn>& turn, const std::vector<OpId>& firsts,
           const std::vector<OpId>& lasts);
  /// A transfer of what a pass on `source` has made to one on `sink`. What is sent right after its
  /// turn may leave while gradients of weights end that.
  void exchange(OpId transfer, DeviceId source, const std::optional<Turn>& made, DeviceId sink,
                const std::optional<Turn>& fed);
  /// Adds the dependencies.
  void connect(StepGraph& graph) const;

private:
  struct Ends {
    std::vector<OpId> firsts;
    std::vector<OpId> lasts;
  };
  using Place = std::pair<DeviceId, std::int64_t>; ///< before a turn
  std::map<Place, Ends> turns_;
  std::vector<std::pair<OpId, Place>> waits_for_turn_; ///< until the turn before is over
  std::vector<std::pair<OpId, Place>> holds_up_;
};

} // namespace moesim
