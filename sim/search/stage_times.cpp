#include "sim/search/stage_times.hpp"

#include "sim/schedule/stage_parameters.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace moesim {

double longest(const WorkTimes& one, const WorkTimes& other) {
  double time = 0.0;
  for (std::size_t resource = 0; resource < std::max(one.uses.size(), other.uses.size());
       ++resource)
    time = std::max(time, one.use(resource) + other.use(resource));
  return time;
}

StageTimes::StageTimes(Workload workload, const ComputeCost& cost,
                       LoneCommunications* communications)
    : workload_(std::move(workload)), communications_(communications), loads_(workload_),
      tables_(workload_, works_, Labels::dropped), times_(works_, cost) {
  set_plan(workload_.plan);
}

void StageTimes::set_plan(const ParallelPlan& plan) {
  workload_.plan = plan;
  chunks_.assign(static_cast<std::size_t>(plan.pipeline * plan.chunks()), nullptr);
  gatherings_.clear();
  reductions_.clear();
}

const StageTimes::ChunkTimes& StageTimes::chunk(std::int64_t stage, std::int64_t chunk) {
  const ChunkTimes*& known =
      chunks_[static_cast<std::size_t>(stage * workload_.plan.chunks() + chunk)];
  if (!known)
    known = &chunk_times(workload_.plan.virtual_stage(stage, chunk),
                         communications_ ? communications_->representative(stage) : 0);
  return *known;
}

const StageTimes::ChunkTimes& StageTimes::chunk_times(std::int64_t virtual_stage,
                                                      std::int64_t stage) {
  const ParallelPlan& plan = workload_.plan;
  const auto [known, added] =
      layers_.try_emplace({stage, first_layer(plan, virtual_stage),
                           plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)],
                           virtual_stage == 0, virtual_stage == plan.virtual_stage_count() - 1});
  if (!added)
    return *known->second;
  ChunkBlocks blocks;
  for (const BlockUse& use : tables_.blocks.uses(virtual_stage, {&loads_, 0, std::nullopt}))
    blocks.emplace_back(use.block, use.starts_layer);
  auto sum = sums_.find({stage, blocks});
  if (sum == sums_.end()) {
    ChunkTimes times = sum_of(blocks, stage);
    sum = sums_.try_emplace({stage, std::move(blocks)}, std::move(times)).first;
  }
  known->second = &sum->second;
  return sum->second;
}

StageTimes::ChunkTimes StageTimes::sum_of(const ChunkBlocks& blocks, std::int64_t stage) {
  ChunkTimes sum;
  std::map<std::uint32_t, double> counts;
  for (const auto& [number, starts_layer] : blocks) {
    const BlockTimes& block = block_times(number, stage);
    counts[number] += 1.0;
    if (starts_layer)
      sum.last_layer = {};
    for (const Pass pass : enumerators<Pass>)
      sum.last_layer[pass] += block[pass].serial.value;
  }
  for (const auto& [number, count] : counts) {
    const BlockTimes& block = block_times(number, stage);
    for (const Pass pass : enumerators<Pass>)
      sum.passes[pass].add(block[pass], count);
  }
  return sum;
}

PairTimes StageTimes::pair(std::int64_t stage, std::int64_t forward_chunk,
                           std::int64_t backward_chunk) {
  const ParallelPlan& plan = workload_.plan;
  const bool delayed = plan.schedule.delays_weight_gradients;
  const ChunkTimes& forward_times = chunk(stage, forward_chunk);
  const ChunkTimes& backward_times = chunk(stage, backward_chunk);
  const double least =
      longest(forward_times.passes[Pass::forward], backward_times.passes[Pass::backward]);
  if (!communications_) {
    const double forward = forward_times.passes[Pass::forward].serial.value;
    const double backward =
        backward_times.passes[delayed ? Pass::backward_input : Pass::backward].serial.value;
    return {{forward, {}}, {{}, backward}, {forward, backward}, least};
  }
  const auto [known, added] = pairs_.try_emplace({delayed, &forward_times, &backward_times});
  if (added) {
    const std::int64_t representative = communications_->representative(stage);
    const std::vector<PairedSegment> merged = PassPairing(tables_.works)
                                                  .merge(paired_pass(stage, forward_chunk, false),
                                                         paired_pass(stage, backward_chunk, true));
    PairTimes& times = known->second;
    for (const bool backward : {false, true})
      side_by_side(merged, representative, backward, times);
    times.least = least;
  }
  return known->second;
}

/// The pass of a chunk that runs beside another pass. Chunks of equal times have equal passes.
const std::vector<Segment>& StageTimes::paired_pass(std::int64_t stage, std::int64_t chunk_number,
                                                    bool backward) {
  const ParallelPlan& plan = workload_.plan;
  const bool delayed = backward && plan.schedule.delays_weight_gradients;
  const auto [known, added] = passes_.try_emplace({backward, delayed, &chunk(stage, chunk_number)});
  if (added) {
    ChunkPasses passes(workload_, plan.virtual_stage(stage, chunk_number),
                       {&loads_, 0, std::nullopt}, tables_.works, tables_.blocks,
                       tables_.gradients);
    known->second = backward ? passes.backward(Gradients::all, PassPosition::regular, delayed)
                             : passes.forward(PassPosition::regular);
  }
  return known->second;
}

/// Adds the times after the arrival of the inputs of one of two passes, in the order in which a
/// device issues their segments, each segment as soon as its pass and its stream are free
/// (build_step_graph).
void StageTimes::side_by_side(const std::vector<PairedSegment>& merged, std::int64_t stage,
                              bool from_backward, PairTimes& times) {
  // Without a value: a time that does not depend on that arrival.
  using Time = std::optional<double>;
  struct PassEnd {
    Time last;
    Time before_last;
    Time result;
    bool resulted = false;
  };
  std::array<PassEnd, 2> passes;
  passes[from_backward].last = 0.0;
  passes[from_backward].before_last = 0.0;
  std::array<Time, enumerator_count<Stream>> streams;
  for (const auto& [segment, backward] : merged) {
    if (segment.detached)
      continue;
    PassEnd& pass = passes[backward];
    if (segment.after_result && !pass.resulted) {
      pass.result = pass.last;
      pass.resulted = true;
    }
    Time& stream = streams[index(segment.kind == OpKind::compute
                                     ? Stream::compute
                                     : stream_of(works_.collectives[segment.work]))];
    Time end = std::max(stream, segment.beside_previous ? pass.before_last : pass.last);
    if (end)
      *end += time_of(segment, stage).value;
    stream = end;
    if (segment.beside_previous) {
      pass.last = std::max(pass.last, end);
    } else {
      pass.before_last = pass.last;
      pass.last = end;
    }
  }
  const auto part = from_backward ? &PairEvent::after_backward : &PairEvent::after_forward;
  const auto result_of = [](const PassEnd& pass) {
    return pass.resulted ? pass.result : pass.last;
  };
  times.forward.*part = result_of(passes[false]);
  times.backward.*part = result_of(passes[true]);
  times.both.*part = std::max(passes[false].last, passes[true].last);
}

/// The time of a segment of a pair, slowed by the communication beside it.
Seconds StageTimes::time_of(const Segment& segment, std::int64_t stage) {
  if (segment.kind != OpKind::compute || !works_.computes[segment.work].beside)
    return times_of(segment, stage).serial;
  const auto [known, added] = besides_.try_emplace({segment.work, stage});
  if (added) {
    const ComputeWork& work = works_.computes[segment.work];
    known->second =
        times_.of(work, communications_->beside(works_.collectives[*work.beside], stage));
  }
  return known->second;
}

Seconds StageTimes::end(std::int64_t stage) {
  const Seconds own =
      sequence(step_end_work(workload_, stage, loads_, tables_.works), stage).serial;
  const ParallelPlan& plan = workload_.plan;
  if (plan.holders() == 1 || !communications_)
    return own;
  const auto exchange = [&](std::int64_t bytes_each) {
    return communications_
        ->transfer(exchange_of_holders(workload_, stage, bytes_each), stage,
                   plan.pipeline - 1 - stage)
        .serial;
  };
  const Seconds weights = plan.zero_stage >= 1 ? exchange(bf16_bytes) : Seconds{};
  return own + exchange(workload_.training.gradient_bytes()) + weights;
}

const StageTimes::BlockTimes& StageTimes::block_times(std::uint32_t number, std::int64_t stage) {
  const auto [known, added] = blocks_.try_emplace({number, stage});
  BlockTimes& passes = known->second;
  if (!added)
    return passes;
  passes[Pass::forward] = sequence(tables_.blocks.at(number).segments, stage);
  passes[Pass::backward] = sequence(backward_of(number, Gradients::all), stage);
  passes[Pass::backward_input] = sequence(backward_of(number, Gradients::inputs), stage);
  passes[Pass::backward_weight] = sequence(backward_of(number, Gradients::weights), stage);
  return passes;
}

/// The backward pass of a block, with its forward pass before it where that is repeated.
std::vector<Segment> StageTimes::backward_of(std::uint32_t number, Gradients gradients) {
  Sequence out(tables_.works);
  const Block& block = tables_.blocks.at(number);
  if (block.repeated && gradients != Gradients::weights)
    out.append(block.segments, {});
  add_mirror(out, block.segments, {}, gradients, tables_.works, tables_.gradients);
  return out.take();
}

const WorkTimes& StageTimes::times_of(const Segment& segment, std::int64_t stage) {
  static const WorkTimes none;
  if (segment.kind == OpKind::compute) {
    const auto [known, added] = computes_.try_emplace(segment.work);
    if (added) {
      known->second.serial = times_.of(works_.computes[segment.work]);
      known->second.uses = {known->second.serial.value};
    }
    return known->second;
  }
  if (!communications_)
    return none;
  const auto [known, added] = collectives_.try_emplace({segment.work, stage});
  if (added)
    known->second = &communications_->collective(works_.collectives[segment.work], stage);
  return *known->second;
}

/// The work of segments one after the other; of two side by side the longer counts. Detached ones
/// are hidden at best.
WorkTimes StageTimes::sequence(const std::vector<Segment>& segments, std::int64_t stage) {
  WorkTimes sum;
  Seconds last;
  for (const Segment& segment : segments) {
    if (segment.detached)
      continue;
    const WorkTimes& times = times_of(segment, stage);
    sum.add(times);
    if (segment.beside_previous)
      sum.serial += std::max(times.serial, last) - last - times.serial;
    last = times.serial;
  }
  return sum;
}

/// The work of the segments that run beside all others, on a stream of their own.
WorkTimes StageTimes::detached(const std::vector<Segment>& segments, std::int64_t stage) {
  WorkTimes sum;
  for (const Segment& segment : segments)
    if (segment.detached)
      sum.add(times_of(segment, stage));
  return sum;
}

const WorkTimes& StageTimes::gathering(std::int64_t stage, std::int64_t chunk) {
  const auto [known, added] = gatherings_.try_emplace({stage, chunk});
  if (added && communications_) {
    Sequence out(tables_.works);
    DataParallelWork(workload_, workload_.plan.virtual_stage(stage, chunk)).start_gather(out);
    known->second = detached(out.take(), stage);
  }
  return known->second;
}

const StageTimes::Reduction& StageTimes::reduction(std::int64_t stage, std::int64_t chunk) {
  const auto [known, added] = reductions_.try_emplace({stage, chunk});
  if (added && communications_) {
    const DataParallelWork work(workload_, workload_.plan.virtual_stage(stage, chunk));
    Sequence out(tables_.works);
    work.start_reduce(out);
    known->second.others = detached(out.take(), stage);
    work.finish_reduce(out);
    known->second.last = detached(out.take(), stage);
  }
  return known->second;
}

} // namespace moesim
