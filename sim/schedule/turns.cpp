#include "sim/schedule/turns.hpp"

namespace moesim {

void Turns::add(DeviceId device, const std::optional<Turn>& turn, const std::vector<OpId>& firsts,
                const std::vector<OpId>& lasts) {
  if (turn)
    turns_.try_emplace({device, turn->number}, Ends{firsts, {}}).first->second.lasts = lasts;
}

void Turns::exchange(OpId transfer, DeviceId source, const std::optional<Turn>& made, DeviceId sink,
                     const std::optional<Turn>& fed) {
  if (!made || !fed)
    return;
  if (made->sent_at > made->number + 1)
    waits_for_turn_.push_back({transfer, {source, made->sent_at}});
  waits_for_turn_.push_back({transfer, {sink, fed->received_at}});
  holds_up_.push_back({transfer, {source, made->sent_at}});
  holds_up_.push_back({transfer, {sink, fed->received_at}});
}

void Turns::connect(StepGraph& graph) const {
  for (const auto& [transfer, start] : waits_for_turn_)
    if (const auto before = turns_.find({start.first, start.second - 1}); before != turns_.end())
      for (const OpId op : before->second.lasts)
        graph.add_dependency(op, transfer);
  for (const auto& [transfer, start] : holds_up_)
    if (const auto after = turns_.find(start); after != turns_.end())
      for (const OpId op : after->second.firsts)
        graph.add_dependency(transfer, op);
}

} // namespace moesim
