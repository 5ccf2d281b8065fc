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

/// A stage before one of its turns.
struct BeforeTurn {
  std::size_t stage = 0;
  std::int64_t turn = 0;
};

class Pipeline {
public:
  Pipeline(const ParallelPlan& plan, std::int64_t micro_batches, const PipelineTimes& times)
      : plan_(plan), micro_batches_(micro_batches), times_(times),
        spans_(static_cast<std::size_t>(plan.pipeline)),
        meetings_(static_cast<std::size_t>(plan.pipeline)),
        turn_ends_(static_cast<std::size_t>(plan.pipeline)) {
    for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
      orders_.push_back(pipeline_order(plan, stage, micro_batches));
      spans_[static_cast<std::size_t>(stage)].reserve(orders_.back().size());
    }
    for (std::vector<double>& results : results_)
      results.assign(static_cast<std::size_t>(plan.virtual_stage_count() * micro_batches), not_yet);
    find_meetings();
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

  /// Both sides of an exchange between turns wait for each other.
  void find_meetings() {
    if (orders_.front().empty() || !orders_.front().front().turn)
      return;
    std::array<std::vector<BeforeTurn>, 2> sent; // forward results and gradients of inputs
    for (std::vector<BeforeTurn>& of : sent)
      of.resize(results_.front().size());
    for (std::size_t stage = 0; stage < orders_.size(); ++stage) {
      meetings_[stage].resize(orders_[stage].size() + 1);
      turn_ends_[stage].assign(orders_[stage].size() + 1, not_yet);
      for (const ChunkPass& pass : orders_[stage])
        if (pass.pass != Pass::backward_weight)
          sent[index(result_of(pass.pass))][slot(virtual_stage_of(stage, pass), pass)] = {
              stage, pass.turn->sent_at};
    }
    for (std::size_t stage = 0; stage < orders_.size(); ++stage)
      for (const ChunkPass& pass : orders_[stage])
        if (const auto sender = sender_of(stage, pass, sent); sender && sender->stage != stage) {
          const BeforeTurn here{stage, pass.turn->received_at};
          meeting(here).push_back(*sender);
          meeting(*sender).push_back(here);
        }
  }

  std::vector<BeforeTurn>& meeting(const BeforeTurn& at) {
    std::vector<std::vector<BeforeTurn>>& of_stage = meetings_[at.stage];
    const auto turn = static_cast<std::size_t>(at.turn);
    if (turn >= of_stage.size())
      of_stage.resize(turn + 1);
    return of_stage[turn];
  }

  /// The stage that sends the input of a pass, before which of its turns; nothing for a pass that
  /// needs no other virtual stage.
  std::optional<BeforeTurn> sender_of(std::size_t stage, const ChunkPass& pass,
                                      const std::array<std::vector<BeforeTurn>, 2>& sent) const {
    const std::int64_t own = virtual_stage_of(stage, pass);
    const bool forward = pass.pass == Pass::forward;
    const std::int64_t from = forward ? own - 1 : own + 1;
    if (pass.pass == Pass::backward_weight || from < 0 || from >= plan_.virtual_stage_count())
      return std::nullopt;
    return sent[forward ? 0 : 1][slot(from, pass)];
  }

  /// The moment at which a stage and all stages that it meets before a turn have come to it; no
  /// value while one has not.
  std::optional<double> met(std::size_t stage, std::int64_t turn) const {
    double time = 0.0;
    const auto number = static_cast<std::size_t>(turn);
    if (number >= meetings_[stage].size())
      return time;
    for (const BeforeTurn& other : meetings_[stage][number]) {
      if (other.turn == 0)
        continue;
      const double end = turn_ends_[other.stage][static_cast<std::size_t>(other.turn - 1)];
      if (end == not_yet)
        return std::nullopt;
      time = std::max(time, end);
    }
    return time;
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
    // Under DualPipe the chunk of a pass tells from which end its micro-batch comes.
    const std::vector<double>& send =
        times_.send[plan_.copies() > 1 ? static_cast<std::size_t>(pass.chunk) : 0];
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
      wait(PassResult::forward, own - 1, send[static_cast<std::size_t>(own - 1)]);
    if ((pass.pass == Pass::backward || pass.pass == Pass::backward_input) &&
        own + 1 < plan_.virtual_stage_count())
      wait(PassResult::input, own + 1, send[static_cast<std::size_t>(own)]);
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
      const std::optional<double> all = met(stage, pass.turn->number);
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
    const double finish = start + times_of(stage, pass).of(pass.pass);
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
  std::vector<std::vector<std::vector<BeforeTurn>>> meetings_; ///< by stage and turn
  std::vector<std::vector<double>> turn_ends_;                 ///< by stage and turn
};

} // namespace

double ChunkTimes::of(Pass pass) const {
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
  return backward;
}

PipelineTimes equal_stages(const ParallelPlan& plan, const PassTimes& times) {
  const double backward = times.input + times.weight;
  const double pair = times.pair.value_or(times.forward + backward);
  const ChunkTimes chunk{.forward = times.forward,
                         .backward = backward,
                         .input = times.input,
                         .weight = times.weight,
                         .paired_forward = pair,
                         .paired_backward = pair};
  const auto stages = static_cast<std::size_t>(plan.pipeline);
  const auto chunks = static_cast<std::size_t>(plan.chunks());
  return {std::vector(stages, std::vector(chunks, chunk)),
          std::vector(stages, std::vector(chunks, 0.0)),
          std::vector(stages, std::vector(chunks, std::vector(chunks, pair))),
          std::vector(static_cast<std::size_t>(plan.copies()),
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
