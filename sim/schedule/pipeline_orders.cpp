#include "sim/schedule/pipeline_orders.hpp"

#include <algorithm>
#include <array>

namespace moesim {

PassResult result_of(Pass pass) {
  switch (pass) {
  case Pass::forward:
    return PassResult::forward;
  case Pass::backward_weight:
    return PassResult::weight;
  case Pass::backward:
  case Pass::backward_input:
    break;
  }
  return PassResult::input;
}

namespace {

/// The turn of a stage before which a result is sent.
struct Sender {
  std::size_t stage = 0;
  std::int64_t turn = 0;
};

/// By kind and slot of a result.
using Senders = std::array<std::vector<Sender>, enumerator_count<PassResult>>;

Senders senders(const PipelineOrders& orders, const ParallelPlan& plan) {
  Senders sent;
  for (std::vector<Sender>& of : sent)
    of.resize(static_cast<std::size_t>(plan.virtual_stage_count() * orders.micro_batches));
  for (std::size_t stage = 0; stage < orders.stages.size(); ++stage)
    for (const ChunkPass& pass : orders.stages[stage]) {
      const std::int64_t own = plan.virtual_stage(static_cast<std::int64_t>(stage), pass.chunk);
      sent[index(result_of(pass.pass))][orders.slot(own, pass)] = {stage, pass.turn->sent_at};
    }
  return sent;
}

void find_exchanges(PipelineOrders& orders, const ParallelPlan& plan) {
  const Senders sent = senders(orders, plan);
  for (const StageOrder& order : orders.stages)
    orders.exchanges.emplace_back(static_cast<std::size_t>(order.back().turn->number) + 2);
  for (std::size_t stage = 0; stage < orders.stages.size(); ++stage)
    for (const ChunkPass& pass : orders.stages[stage]) {
      const std::int64_t own = plan.virtual_stage(static_cast<std::int64_t>(stage), pass.chunk);
      const bool forward = pass.pass == Pass::forward;
      const std::int64_t from = forward ? own - 1 : own + 1;
      if (pass.pass == Pass::backward_weight || from < 0 || from >= plan.virtual_stage_count())
        continue;
      const PassResult kind = forward ? PassResult::forward : PassResult::input;
      const Sender& sender = sent[index(kind)][orders.slot(from, pass)];
      if (sender.stage == stage)
        continue;
      const Exchange exchange{kind,
                              orders.slot(from, pass),
                              stage,
                              pass.turn->received_at,
                              copy_of(plan, pass),
                              std::min(own, from)};
      orders.exchanges[stage][static_cast<std::size_t>(pass.turn->received_at)].push_back(exchange);
      std::vector<std::vector<Exchange>>& of_sender = orders.exchanges[sender.stage];
      of_sender[std::min(static_cast<std::size_t>(sender.turn), of_sender.size() - 1)].push_back(
          exchange);
    }
}

} // namespace

PipelineOrders::PipelineOrders(const ParallelPlan& plan, std::int64_t count)
    : micro_batches(count) {
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage)
    stages.push_back(pipeline_order(plan, stage, count));
  if (!stages.front().empty() && stages.front().front().turn)
    find_exchanges(*this, plan);
}

const PipelineOrders& PipelineOrderTable::of(const ParallelPlan& plan, std::int64_t micro_batches) {
  const Key key{plan.schedule.name, plan.pipeline, plan.virtual_stages, plan.overlap_batches,
                micro_batches};
  auto known = orders_.find(key);
  if (known == orders_.end())
    known = orders_.emplace(key, PipelineOrders(plan, micro_batches)).first;
  return known->second;
}

} // namespace moesim
