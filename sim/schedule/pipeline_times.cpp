#include "sim/schedule/pipeline_times.hpp"

#include <algorithm>
#include <array>

namespace moesim {

namespace {

/// The results of passes, by kind: what other passes wait for.
enum class PassResult : std::uint8_t { forward, input, weight };

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

/// A transfer between turns: it starts once its result is there and the receiver has come to the
/// turn before which it gets it, and both sides wait for its end.
struct Exchange {
  PassResult result = PassResult::forward;
  std::size_t slot = 0; ///< of the result
  std::size_t receiver = 0;
  std::int64_t receiver_turn = 0;
  double send = 0.0;
};

class Pipeline {
public:
  Pipeline(const ParallelPlan& plan, std::int64_t micro_batches, const PipelineTimes& times)
      : plan_(plan), micro_batches_(micro_batches), times_(times),
        spans_(static_cast<std::size_t>(plan.pipeline)),
        exchanges_(static_cast<std::size_t>(plan.pipeline)),
        turn_ends_(static_cast<std::size_t>(plan.pipeline)) {
    for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
      orders_.push_back(pipeline_order(plan, stage, micro_batches));
      spans_[static_cast<std::size_t>(stage)].reserve(orders_.back().size());
    }
    for (std::vector<double>& results : results_)
      results.assign(static_cast<std::size_t>(plan.virtual_stage_count() * micro_batches), not_yet);
    find_exchanges();
  }

  std::optional<std::vector<std::vector<PassSpan>>> play() {
    for (bool progress = true; progress;) {
      progress = false;
      for (std::size_t stage = 0; stage < orders_.size(); ++stage)
        while (!done(stage) && step(stage))
          progress = true;
    }
    for (std::size_t stage = 0; stage < orders_.size(); ++stage)
      if (!done(stage))
        return std::nullopt;
    return std::move(spans_);
  }

private:
  static constexpr double not_yet = -1.0;

  /// Collects the exchanges that a stage waits for before each of its turns.
  void find_exchanges() {
    if (orders_.front().empty() || !orders_.front().front().turn)
      return;
    struct BeforeTurn {
      std::size_t stage = 0;
      std::int64_t turn = 0;
    };
    std::array<std::vector<BeforeTurn>, enumerator_count<PassResult>> sent;
    for (std::vector<BeforeTurn>& of : sent)
      of.resize(results_.front().size());
    for (std::size_t stage = 0; stage < orders_.size(); ++stage) {
      const auto turns = static_cast<std::size_t>(orders_[stage].back().turn->number) + 2;
      exchanges_[stage].resize(turns);
      turn_ends_[stage].assign(turns, not_yet);
      for (const ChunkPass& pass : orders_[stage])
        sent[index(result_of(pass.pass))][slot(virtual_stage_of(stage, pass), pass)] = {
            stage, pass.turn->sent_at};
    }
    for (std::size_t stage = 0; stage < orders_.size(); ++stage)
      for (const ChunkPass& pass : orders_[stage]) {
        const std::int64_t own = virtual_stage_of(stage, pass);
        const bool forward = pass.pass == Pass::forward;
        const std::int64_t from = forward ? own - 1 : own + 1;
        if (pass.pass == Pass::backward_weight || from < 0 || from >= plan_.virtual_stage_count())
          continue;
        const PassResult kind = forward ? PassResult::forward : PassResult::input;
        const BeforeTurn& sender = sent[index(kind)][slot(from, pass)];
        if (sender.stage == stage)
          continue;
        const Exchange exchange{kind, slot(from, pass), stage, pass.turn->received_at,
                                send_of(pass, std::min(own, from))};
        exchanges_[stage][static_cast<std::size_t>(pass.turn->received_at)].push_back(exchange);
        std::vector<std::vector<Exchange>>& of_sender = exchanges_[sender.stage];
        of_sender[std::min(static_cast<std::size_t>(sender.turn), of_sender.size() - 1)].push_back(
            exchange);
      }
  }

  /// The end of all exchanges before a turn of a stage; no value while a side has not come.
  std::optional<double> exchanged(std::size_t stage, std::int64_t turn) const {
    double time = 0.0;
    for (const Exchange& exchange : exchanges_[stage][static_cast<std::size_t>(turn)]) {
      const double made = results_[index(exchange.result)][exchange.slot];
      const double free =
          exchange.receiver_turn == 0
              ? 0.0
              : turn_ends_[exchange.receiver][static_cast<std::size_t>(exchange.receiver_turn - 1)];
      if (made == not_yet || free == not_yet)
        return std::nullopt;
      time = std::max(time, std::max(made, free) + exchange.send);
    }
    return time;
  }

  /// The transfer between a virtual stage and the next. Under DualPipe the chunk of a pass tells
  /// from which end its micro-batch comes.
  double send_of(const ChunkPass& pass, std::int64_t virtual_stage) const {
    return times_.send[plan_.holders() > 1 ? static_cast<std::size_t>(pass.chunk) : 0]
                      [static_cast<std::size_t>(virtual_stage)];
  }

  bool done(std::size_t stage) const { return spans_[stage].size() == orders_[stage].size(); }

  std::int64_t virtual_stage_of(std::size_t stage, const ChunkPass& pass) const {
    return plan_.virtual_stage(static_cast<std::int64_t>(stage), pass.chunk);
  }
  std::size_t slot(std::int64_t virtual_stage, const ChunkPass& pass) const {
    return static_cast<std::size_t>(virtual_stage * micro_batches_ + pass.micro_batch);
  }
  double result(PassResult kind, std::int64_t virtual_stage, const ChunkPass& pass) const {
    return results_[index(kind)][slot(virtual_stage, pass)];
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
      wait(PassResult::forward, own - 1, send_of(pass, own - 1));
    if ((pass.pass == Pass::backward || pass.pass == Pass::backward_input) &&
        own + 1 < plan_.virtual_stage_count())
      wait(PassResult::input, own + 1, send_of(pass, own));
    return time == not_yet ? std::nullopt : std::optional(time);
  }
  /// Runs the next pass of a stage, or the next two side by side, if all that they wait for is
  /// there.
  bool step(std::size_t stage) {
    std::vector<PassSpan>& spans = spans_[stage];
    const StageOrder& order = orders_[stage];
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
    const double finish = start + times_of(stage, pass).alone[pass.pass];
    spans_[stage].push_back({pass, start, finish});
    set_result(stage, pass, finish);
    return true;
  }

  bool run_pair(std::size_t stage, const ChunkPass& forward, const ChunkPass& backward,
                double free) {
    const std::optional<double> forward_ready = ready(stage, forward);
    const std::optional<double> backward_ready = ready(stage, backward);
    if (!forward_ready || !backward_ready)
      return false;
    const ChunkTimes& forward_times = times_of(stage, forward);
    const ChunkTimes& backward_times = times_of(stage, backward);
    const double start = std::max(free, std::min(*forward_ready, *backward_ready));
    const double side_by_side = times_.pair[stage][static_cast<std::size_t>(forward.chunk)]
                                           [static_cast<std::size_t>(backward.chunk)];
    const double forward_made = std::max(free, *forward_ready) + forward_times.paired_forward;
    const double backward_made = std::max(free, *backward_ready) + backward_times.paired_backward;
    const double finish = std::max({start + side_by_side, forward_made, backward_made});
    spans_[stage].push_back({forward, start, finish});
    spans_[stage].push_back({backward, start, finish});
    set_result(stage, forward, forward_made);
    set_result(stage, backward, backward_made);
    return true;
  }

  const ChunkTimes& times_of(std::size_t stage, const ChunkPass& pass) const {
    return times_.chunks[stage][static_cast<std::size_t>(pass.chunk)];
  }
  void set_result(std::size_t stage, const ChunkPass& pass, double time) {
    results_[index(result_of(pass.pass))][slot(virtual_stage_of(stage, pass), pass)] = time;
  }

  const ParallelPlan& plan_;
  std::int64_t micro_batches_;
  const PipelineTimes& times_;
  std::vector<StageOrder> orders_;
  std::vector<std::vector<PassSpan>> spans_;
  /// By PassResult, then by virtual stage and micro-batch.
  std::array<std::vector<double>, enumerator_count<PassResult>> results_;
  std::vector<std::vector<std::vector<Exchange>>> exchanges_; ///< by stage and turn
  std::vector<std::vector<double>> turn_ends_;                ///< by stage and turn
};

} // namespace

PipelineTimes equal_stages(const ParallelPlan& plan, const PassTimes& times) {
  const double backward = times.input + times.weight;
  const double pair = times.pair.value_or(times.forward + backward);
  ChunkTimes chunk{.alone = {}, .paired_forward = pair, .paired_backward = pair};
  chunk.alone[Pass::forward] = times.forward;
  chunk.alone[Pass::backward] = backward;
  chunk.alone[Pass::backward_input] = times.input;
  chunk.alone[Pass::backward_weight] = times.weight;
  const auto stages = static_cast<std::size_t>(plan.pipeline);
  const auto chunks = static_cast<std::size_t>(plan.chunks());
  return {std::vector(stages, std::vector(chunks, chunk)),
          std::vector(stages, std::vector(chunks, 0.0)),
          std::vector(stages, std::vector(chunks, std::vector(chunks, pair))),
          std::vector(static_cast<std::size_t>(plan.holders()),
                      std::vector(static_cast<std::size_t>(plan.virtual_stage_count()), 0.0))};
}

std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, std::int64_t micro_batches, const PipelineTimes& times) {
  return Pipeline(plan, micro_batches, times).play();
}

std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times) {
  return pipeline_times(plan, micro_batches, equal_stages(plan, times));
}

} // namespace moesim
