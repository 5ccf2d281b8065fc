#include "sim/replay/player.hpp"

#include "sim/base/check.hpp"
#include "sim/replay/times_after.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace moesim {

namespace {

/// Checks that every operation has run, and none before the end of its predecessors.
void check_order(const StepGraph& graph, std::size_t finished, const Timeline& timeline) {
  INVARIANT(finished == graph.ops.size(), "{} of {} operations ran", finished, graph.ops.size());
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op)
    for (const OpId next : graph.successors(OpId(op)))
      INVARIANT(timeline.ops[index(next)].start >= timeline.ops[op].finish,
                "{} starts at {} before {} ends at {}", graph.name_of(next),
                timeline.ops[index(next)].start.value, graph.name_of(OpId(op)),
                timeline.ops[op].finish.value);
}

} // namespace

Player::Player(const StepGraph& graph, const StepTraffic& traffic,
               const std::vector<double>& durations, const std::vector<RunTimes>& runs,
               std::vector<MachineLink> links)
    : graph_(graph), traffic_(traffic), durations_(durations), runs_(runs),
      links_(std::move(links)), routes_(traffic.reduced_routes(links_)),
      progress_(graph.ops.size()), under_way_(traffic, routes_, links_.size()) {
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op)
    progress_[op].waits_for = graph.predecessor_count(OpId(op));
}

PlayEnd Player::play(Sharing sharing, Seconds limit, Timeline& timeline) {
  sharing_ = sharing;
  limit_ = limit.value;
  if (limit_ < std::numeric_limits<double>::infinity())
    times_after_ = times_after(graph_, traffic_, durations_, runs_);
  timeline_ = &timeline;
  timeline.ops.assign(graph_.ops.size(), {Seconds{-1.0}, Seconds{-1.0}});
  timeline.flows.reserve(traffic_.played_flows());
  for (std::uint32_t op = 0; op < graph_.ops.size(); ++op)
    if (progress_[op].waits_for == 0)
      ready_.push_back(OpId(op));
  start_ready();
  while (!events_.empty() && end_ == PlayEnd::all_ran) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.time;
    handle(event);
    if (machine_ && machine_->flows() > 0)
      run_machine();
  }
  timeline.activities = machine_ ? machine_->activities() : 0;
  if (end_ != PlayEnd::all_ran)
    return end_;
  check_order(graph_, finished_, timeline);
  for (const OpSpan& span : timeline.ops)
    timeline.end = std::max(timeline.end, span.finish);
  return end_;
}

void Player::start_ready() {
  while (!ready_.empty() && end_ == PlayEnd::all_ran) {
    const OpId op = ready_.back();
    ready_.pop_back();
    start(op);
  }
}

void Player::start(OpId op) {
  OpSpan& span = timeline_->ops[index(op)];
  INVARIANT(span.start < Seconds{0.0}, "{} starts twice", graph_.name_of(op));
  const double time = progress_[index(op)].earliest;
  span.start = Seconds{time};
  switch (const Op& started = graph_.ops[index(op)]; started.kind) {
  case OpKind::compute:
    finish(op, time + durations_[index(op)]);
    break;
  case OpKind::run:
    finish(op, end_of_run(runs_[started.work], time));
    break;
  case OpKind::collective:
  case OpKind::transfer:
    begin_phase(op, time);
    break;
  }
}

const StepPhase& Player::phase_of(OpId op) const {
  return traffic_.phases(op)[progress_[index(op)].phase];
}

void Player::begin_phase(OpId op, double time) {
  events_.push({time + phase_of(op).startup.value, static_cast<std::uint32_t>(index(op)),
                progress_[index(op)].generation, true});
}

void Player::handle(const Event& event) {
  const OpId op{event.op};
  if (event.generation != progress_[event.op].generation || end_ != PlayEnd::all_ran)
    return; // outdated: the flows continue in the machine
  if (event.begins)
    begin_flows(op);
  else
    finish_phase(op);
  start_ready();
}

void Player::begin_flows(OpId op) {
  Progress& progress = progress_[index(op)];
  const StepPhase& phase = phase_of(op);
  const std::vector<OpId>& met = under_way_.find_met(phase, now_, *timeline_);
  progress.shared = false;
  progress.first_span = under_way_.begin(op, phase, now_, met.empty(), *timeline_);
  if (met.empty()) {
    events_.push({now_ + phase.lone.value, static_cast<std::uint32_t>(index(op)),
                  progress.generation, false});
    return;
  }
  if (sharing_ == Sharing::refused) {
    end_ = PlayEnd::flows_met;
    return;
  }
  start_machine();
  for (const OpId other : met)
    share(other);
  share(op);
}

/// Hands the flows of an operation, or their remaining amounts, to the machine.
void Player::share(OpId op) {
  Progress& progress = progress_[index(op)];
  if (progress.shared)
    return;
  progress.shared = true;
  ++progress.generation;
  const StepPhase& phase = phase_of(op);
  for (std::uint32_t flow = 0; flow < phase.flow_count; ++flow) {
    const std::uint32_t span = progress.first_span + flow;
    FlowSpan& shared = timeline_->flows[span];
    const StepFlow& step = traffic_.flows()[shared.load];
    double amount = step.planned.amount;
    if (shared.finish.value < not_known) {
      const double left = shared.finish.value - now_;
      if (left <= same_moment_s)
        continue; // the flow has ended
      amount = std::min(amount, left * step.lone.rate.value);
      shared.finish = Seconds{not_known};
    }
    machine_->start_flow(shared.load, amount, span);
    ++progress.unfinished;
  }
}

void Player::start_machine() {
  if (!machine_) {
    machine_ = Machine::make(links_);
    for (const MachineRoute& route : routes_)
      machine_->add_route(route);
  }
  if (machine_->flows() == 0)
    machine_offset_ = now_ - machine_->now().value;
}

void Player::run_machine() {
  set_alarm();
  machine_->run({[this](std::uint32_t span) { end_flow(span); },
                 [this] {
                   now_ = events_.top().time;
                   handle_until_now();
                 }});
}

/// Handles the events up to now, and sets the alarm for the next one while the machine has flows.
void Player::handle_until_now() {
  start_ready();
  while (!events_.empty() && events_.top().time <= now_ && end_ == PlayEnd::all_ran) {
    const Event event = events_.top();
    events_.pop();
    handle(event);
  }
  set_alarm();
}

void Player::set_alarm() {
  if (machine_->flows() == 0 || events_.empty() || end_ != PlayEnd::all_ran)
    machine_->cancel_alarm();
  else
    machine_->set_alarm(
        Seconds{std::max(0.0, events_.top().time - machine_offset_ - machine_->now().value)});
}

void Player::end_flow(std::uint32_t span) {
  now_ = std::max(now_, machine_offset_ + machine_->now().value);
  FlowSpan& flow = timeline_->flows[span];
  flow.finish = Seconds{now_};
  Progress& progress = progress_[index(flow.op)];
  INVARIANT(progress.unfinished > 0, "{} ends more often than it starts", graph_.name_of(flow.op));
  if (--progress.unfinished == 0)
    finish_phase(flow.op);
  handle_until_now();
}

void Player::finish_phase(OpId op) {
  Progress& progress = progress_[index(op)];
  ++progress.generation;
  if (++progress.phase < traffic_.phases(op).size())
    begin_phase(op, now_);
  else
    finish(op, now_);
}

void Player::finish(OpId op, double time) {
  OpSpan& span = timeline_->ops[index(op)];
  INVARIANT(span.finish < Seconds{0.0}, "{} ends twice", graph_.name_of(op));
  span.finish = Seconds{time};
  ++finished_;
  if (!times_after_.empty() && time + times_after_[index(op)] > limit_)
    end_ = PlayEnd::late;
  for (const OpId next : graph_.successors(op)) {
    Progress& progress = progress_[index(next)];
    INVARIANT(progress.waits_for > 0, "{} has started before {}", graph_.name_of(next),
              graph_.name_of(op));
    progress.earliest = std::max(progress.earliest, time);
    if (--progress.waits_for == 0)
      ready_.push_back(next);
  }
}

} // namespace moesim
