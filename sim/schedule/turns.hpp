#pragma once

#include "sim/schedule/step_graph.hpp"
#include "sim/workload/pipeline_order.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace moesim {

/// Collects the dependencies of stages that exchange with their neighbours only between turns. A
/// transfer waits until both sides have reached it, and both wait for its end.
class Turns {
public:
  /// Adds a pass of a turn, with its first and last operations. The last ones end the turn unless
  /// another pass of the turn is added. Has no effect without a turn.
  void add(DeviceId device, const std::optional<Turn>& turn, const std::vector<OpId>& firsts,
           const std::vector<OpId>& lasts);
  /// Adds the transfer of a pass's result from `source` to a pass on `sink`. A result that is sent
  /// right after its turn may leave during the gradients of weights that end the turn.
  void exchange(OpId transfer, DeviceId source, const std::optional<Turn>& made, DeviceId sink,
                const std::optional<Turn>& fed);
  /// Adds the dependencies.
  void connect(StepGraph& graph) const;

private:
  struct Ends {
    std::vector<OpId> firsts;
    std::vector<OpId> lasts;
  };
  using TurnStart = std::pair<DeviceId, std::int64_t>; ///< start of a turn: device and number of
                                                       ///< the turn
  std::map<TurnStart, Ends> turns_;
  std::vector<std::pair<OpId, TurnStart>> waits_for_turn_; ///< until the previous turn has ended
  std::vector<std::pair<OpId, TurnStart>> holds_up_;
};

} // namespace moesim
