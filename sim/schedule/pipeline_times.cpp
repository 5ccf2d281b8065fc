#include "sim/schedule/pipeline_times.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace moesim {

namespace {

enum class ResultKind { forward, input, weight };
/// The result of a pass: kind, virtual stage, micro-batch.
using Made = std::tuple<ResultKind, std::int64_t, std::int64_t>;

class Pipeline {
public:
  Pipeline(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times)
      : plan_(plan), times_(times), spans_(static_cast<std::size_t>(plan.pipeline)) {
    for (std::int64_t stage = 0; stage < plan.pipeline; ++stage)
      orders_.push_back(pipeline_order(plan, stage, micro_batches));
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
    return spans_;
  }

private:
  /// The start of a turn: stage and number of the turn.
  using TurnStart = std::pair<std::size_t, std::int64_t>;

  /// Finds the exchanges: both sides of each wait for the other.
  void find_exchanges() {
    std::map<Made, TurnStart> sent; // by the result that is sent
    for (std::size_t stage = 0; stage < orders_.size(); ++stage)
      for (const ChunkPass& pass : orders_[stage])
        if (pass.turn)
          sent[made_by(pass, virtual_stage_of(stage, pass))] = {stage, pass.turn->sent_at};
    if (sent.empty())
      return;
    for (std::size_t stage = 0; stage < orders_.size(); ++stage)
      for (const ChunkPass& pass : orders_[stage])
        for (const Made& made : needed(pass, virtual_stage_of(stage, pass)))
          if (const auto found = sent.find(made);
              found != sent.end() && found->second.first != stage) {
            const TurnStart here{stage, pass.turn->received_at};
            meets_[here].push_back(found->second);
            meets_[found->second].push_back(here);
          }
  }

  /// The time when a stage, and all stages that it exchanges with before a turn, have ended their
  /// previous turns. Nothing while one has not.
  std::optional<double> meeting(const TurnStart& start) const {
    double time = 0.0;
    const auto others = meets_.find(start);
    if (others == meets_.end())
      return time;
    for (const auto& [stage, turn] : others->second) {
      if (turn == 0)
        continue;
      const auto end = turn_ends_.find({stage, turn - 1});
      if (end == turn_ends_.end())
        return std::nullopt;
      time = std::max(time, end->second);
    }
    return time;
  }

  bool done(std::size_t stage) const { return spans_[stage].size() == orders_[stage].size(); }

  std::vector<Made> needed(const ChunkPass& pass, std::int64_t own) const {
    if (pass.pass == Pass::backward_weight)
      return {{ResultKind::input, own, pass.micro_batch}};
    std::vector<Made> before;
    if (pass.pass == Pass::forward) {
      if (own > 0)
        before.push_back({ResultKind::forward, own - 1, pass.micro_batch});
      return before;
    }
    before.push_back({ResultKind::forward, own, pass.micro_batch});
    if (own + 1 < plan_.virtual_stage_count())
      before.push_back({ResultKind::input, own + 1, pass.micro_batch});
    return before;
  }

  std::int64_t virtual_stage_of(std::size_t stage, const ChunkPass& pass) const {
    return plan_.virtual_stage(static_cast<std::int64_t>(stage), pass.chunk);
  }

  /// Runs the next pass of a stage, or the next two side by side, if their inputs are ready.
  bool step(std::size_t stage) {
    std::vector<PassSpan>& spans = spans_[stage];
    const StageOrder& order = orders_[stage];
    const std::size_t first = spans.size();
    const bool paired = first + 1 < order.size() && order[first + 1].beside_previous;
    double start = spans.empty() ? 0.0 : spans.back().finish;
    const std::optional<Turn>& turn = order[first].turn;
    if (turn && (first == 0 || order[first - 1].turn->number != turn->number)) {
      const std::optional<double> met = meeting({stage, turn->number});
      if (!met)
        return false;
      start = std::max(start, *met);
    }
    for (std::size_t i = first; i <= first + paired; ++i)
      for (const Made& made : needed(order[i], virtual_stage_of(stage, order[i]))) {
        const auto end = ends_.find(made);
        if (end == ends_.end())
          return false;
        start = std::max(start, end->second);
      }
    const double finish = start + (paired ? times_.of_pair() : times_.of(order[first].pass));
    for (std::size_t i = first; i <= first + paired; ++i) {
      spans.push_back({order[i], start, finish});
      ends_[made_by(order[i], virtual_stage_of(stage, order[i]))] = finish;
    }
    const std::size_t next = spans.size();
    if (turn && (next == order.size() || order[next].turn->number != turn->number))
      turn_ends_[{stage, turn->number}] = finish;
    return true;
  }

  static Made made_by(const ChunkPass& pass, std::int64_t own) {
    const ResultKind kind = pass.pass == Pass::forward           ? ResultKind::forward
                            : pass.pass == Pass::backward_weight ? ResultKind::weight
                                                                 : ResultKind::input;
    return {kind, own, pass.micro_batch};
  }

  const ParallelPlan& plan_;
  PassTimes times_;
  std::vector<StageOrder> orders_;
  std::vector<std::vector<PassSpan>> spans_;
  std::map<Made, double> ends_;
  std::map<TurnStart, std::vector<TurnStart>> meets_;
  std::map<TurnStart, double> turn_ends_; ///< end of each turn, by stage and turn
};

} // namespace

double PassTimes::of(Pass pass) const {
  switch (pass) {
  case Pass::forward:
    return forward;
  case Pass::backward_input:
    return input;
  case Pass::backward_weight:
    return weight;
  case Pass::backward:
    break;
  }
  return input + weight;
}

double PassTimes::of_pair() const {
  return pair.value_or(of(Pass::forward) + of(Pass::backward));
}

std::optional<std::vector<std::vector<PassSpan>>>
pipeline_times(const ParallelPlan& plan, std::int64_t micro_batches, const PassTimes& times) {
  return Pipeline(plan, micro_batches, times).play();
}

} // namespace moesim
