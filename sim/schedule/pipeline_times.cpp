#include "sim/schedule/pipeline_times.hpp"

#include <algorithm>
#include <array>

namespace moesim {

namespace {

class Pipeline {
public:
  Pipeline(const ParallelPlan& plan, const PipelineOrders& orders, const PipelineTimes& times)
      : plan_(plan), orders_(orders), times_(times), spans_(orders.stages.size()) {
    for (std::size_t stage = 0; stage < spans_.size(); ++stage)
      spans_[stage].reserve(orders.stages[stage].size());
    for (std::vector<double>& results : results_)
      results.assign(static_cast<std::size_t>(plan.virtual_stage_count() * orders.micro_batches),
                     not_yet);
    for (const auto& turns : orders.exchanges)
      turn_ends_.emplace_back(turns.size(), not_yet);
  }

  std::optional<std::vector<std::vector<PassSpan>>> play() {
    for (bool progress = true; progress;) {
      progress = false;
      for (std::size_t stage = 0; stage < spans_.size(); ++stage)
        while (!done(stage) && step(stage))
          progress = true;
    }
    for (std::size_t stage = 0; stage < spans_.size(); ++stage)
      if (!done(stage))
        return std::nullopt;
    return std::move(spans_);
  }

private:
  static constexpr double not_yet = -1.0;

  /// The end of all exchanges before a turn of a stage; no value while a side has not come.
  std::optional<double> exchanged(std::size_t stage, std::int64_t turn) const {
    double time = 0.0;
    for (const Exchange& exchange : orders_.exchanges[stage][static_cast<std::size_t>(turn)]) {
      const double made = results_[index(exchange.result)][exchange.slot];
      const double free =
          exchange.receiver_turn == 0
              ? 0.0
              : turn_ends_[exchange.receiver][static_cast<std::size_t>(exchange.receiver_turn - 1)];
      if (made == not_yet || free == not_yet)
        return std::nullopt;
      time = std::max(time, std::max(made, free) + send(exchange.copy, exchange.virtual_stage));
    }
    return time;
  }

  /// The transfer between a virtual stage and the next.
  double send(std::int64_t copy, std::int64_t virtual_stage) const {
    return times_.send[static_cast<std::size_t>(copy)][static_cast<std::size_t>(virtual_stage)];
  }

  bool done(std::size_t stage) const {
    return spans_[stage].size() == orders_.stages[stage].size();
  }

  std::int64_t virtual_stage_of(std::size_t stage, const ChunkPass& pass) const {
    return plan_.virtual_stage(static_cast<std::int64_t>(stage), pass.chunk);
  }
  double result(PassResult kind, std::int64_t virtual_stage, const ChunkPass& pass) const {
    return results_[index(kind)][orders_.slot(virtual_stage, pass)];
  }

  /// The arrival of all that a pass needs; no value while a part is missing.
  std::optional<double> ready(std::size_t stage, const ChunkPass& pass) const {
    const std::int64_t own = virtual_stage_of(stage, pass);
    double time = times_.begin[stage][static_cast<std::size_t>(pass.chunk)];
    const auto wait = [&](PassResult kind, std::int64_t virtual_stage, double sending) {
      const double made = result(kind, virtual_stage, pass);
      time = made == not_yet || time == not_yet ? not_yet : std::max(time, made + sending);
    };
    if (pass.pass == Pass::backward_weight)
      wait(PassResult::input, own, 0.0);
    else if (pass.pass != Pass::forward)
      wait(PassResult::forward, own, 0.0);
    else if (own > 0)
      wait(PassResult::forward, own - 1, send(copy_of(plan_, pass), own - 1));
    if ((pass.pass == Pass::backward || pass.pass == Pass::backward_input) &&
        own + 1 < plan_.virtual_stage_count())
      wait(PassResult::input, own + 1, send(copy_of(plan_, pass), own));
    return time == not_yet ? std::nullopt : std::optional(time);
  }
  /// Runs the next pass of a stage, or the next two side by side, if all that they wait for is
  /// there.
  bool step(std::size_t stage) {
    std::vector<PassSpan>& spans = spans_[stage];
    const StageOrder& order = orders_.stages[stage];
    const std::size_t first = spans.size();
    const ChunkPass& pass = order[first];
    const bool paired = first + 1 < order.size() && order[first + 1].beside_previous;
    double free = spans.empty() ? 0.0 : spans.back().finish;
    if (pass.turn && (first == 0 || order[first - 1].turn->number != pass.turn->number)) {
      const std::optional<double> all = exchanged(stage, pass.turn->number);
      if (!all)
        return false;
      free = std::max(free, *all);
    }
    if (!(paired ? run_pair(stage, pass, order[first + 1], free) : run_one(stage, pass, free)))
      return false;
    const std::size_t next = spans.size();
    if (pass.turn && (next == order.size() || order[next].turn->number != pass.turn->number))
      turn_ends_[stage][static_cast<std::size_t>(pass.turn->number)] = spans.back().finish;
    return true;
  }

  bool run_one(std::size_t stage, const ChunkPass& pass, double free) {
    const std::optional<double> arrived = ready(stage, pass);
    if (!arrived)
      return false;
    const double start = std::max(free, *arrived);
    const double finish =
        start + times_.alone[stage][static_cast<std::size_t>(pass.chunk)][pass.pass];
    spans_[stage].push_back({pass, start, finish, finish});
    set_result(stage, pass, finish);
    return true;
  }

  bool run_pair(std::size_t stage, const ChunkPass& forward, const ChunkPass& backward,
                double free) {
    const std::optional<double> forward_ready = ready(stage, forward);
    const std::optional<double> backward_ready = ready(stage, backward);
    if (!forward_ready || !backward_ready)
      return false;
    const PairTimes& pair = times_.pair[stage][static_cast<std::size_t>(forward.chunk)]
                                       [static_cast<std::size_t>(backward.chunk)];
    const double forward_start = std::max(free, *forward_ready);
    const double backward_start = std::max(free, *backward_ready);
    const double start = std::min(forward_start, backward_start);
    const double finish = std::max(pair.both.at(forward_start, backward_start), start + pair.least);
    const double forward_made = pair.forward.at(forward_start, backward_start);
    const double backward_made = pair.backward.at(forward_start, backward_start);
    spans_[stage].push_back({forward, start, finish, forward_made});
    spans_[stage].push_back({backward, start, finish, backward_made});
    set_result(stage, forward, forward_made);
    set_result(stage, backward, backward_made);
    return true;
  }

  void set_result(std::size_t stage, const ChunkPass& pass, double time) {
    results_[index(result_of(pass.pass))][orders_.slot(virtual_stage_of(stage, pass), pass)] = time;
  }

  const ParallelPlan& plan_;
  const PipelineOrders& orders_;
  const PipelineTimes& times_;
  std::vector<std::vector<PassSpan>> spans_;
  /// By PassResult, then by virtual stage and micro-batch.
  std::array<std::vector<double>, enumerator_count<PassResult>> results_;
  std::vector<std::vector<double>> turn_ends_; ///< by stage and turn
};

} // namespace

double PairEvent::at(double forward, double backward) const {
  double time = 0.0;
  if (after_forward)
    time = forward + *after_forward;
  if (after_backward)
    time = std::max(time, backward + *after_backward);
  return time;
}

PipelineTimes equal_stages(const ParallelPlan& plan, const PassTimes& times) {
  const double backward = times.input + times.weight;
  const double pair = times.pair.value_or(times.forward + backward);
  const PairTimes side_by_side{{pair, {}}, {{}, pair}, {pair, pair}, pair};
  PerPass<double> alone;
  alone[Pass::forward] = times.forward;
  alone[Pass::backward] = backward;
  alone[Pass::backward_input] = times.input;
  alone[Pass::backward_weight] = times.weight;
  const auto stages = static_cast<std::size_t>(plan.pipeline);
  const auto chunks = static_cast<std::size_t>(plan.chunks());
  return {std::vector(stages, std::vector(chunks, alone)),
          std::vector(stages, std::vector(chunks, 0.0)),
          std::vector(stages, std::vector(chunks, std::vector(chunks, side_by_side))),
          std::vector(static_cast<std::size_t>(plan.holders()),
                      std::vector(static_cast<std::size_t>(plan.virtual_stage_count()), 0.0))};
}

std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, const PipelineOrders& orders, const PipelineTimes& times) {
  return Pipeline(plan, orders, times).play();
}

std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times) {
  return pipeline_times(plan, PipelineOrders(plan, micro_batches), equal_stages(plan, times));
}

} // namespace moesim
