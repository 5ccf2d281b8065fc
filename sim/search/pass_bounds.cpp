#include "sim/search/pass_bounds.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

namespace {

double longest(const WorkTimes& one, const WorkTimes& other) {
  double time = 0.0;
  for (std::size_t resource = 0; resource < std::max(one.uses.size(), other.uses.size());
       ++resource)
    time = std::max(time, one.use(resource) + other.use(resource));
  return time;
}

} // namespace

PassBounds::PassBounds(Workload workload, const ComputeCost& cost,
                       LoneCommunications* communications)
    : workload_(std::move(workload)), communications_(communications), loads_(workload_),
      tables_(workload_, works_), times_(works_, cost), rule_(data_parallel_rule(workload_)) {}

void PassBounds::set_plan(const ParallelPlan& plan) {
  workload_.plan = plan;
  rule_ = data_parallel_rule(workload_);
  chunks_.clear();
}

Seconds PassBounds::mean_stage() {
  const ParallelPlan& plan = workload_.plan;
  const bool whole = plan.schedule.whole_backward && !plan.schedule.split_backward;
  const auto [known, added] = micro_batch_.try_emplace(whole);
  WorkTimes& sum = known->second;
  if (added || !same_on_all_stages())
    sum = micro_batch(whole);
  const auto micro_batches = static_cast<double>(plan.micro_batches(workload_.training));
  const Seconds busiest{*std::max_element(sum.uses.begin(), sum.uses.end())};
  return micro_batches / static_cast<double>(plan.pipeline) *
         (plan.overlap_batches ? busiest : sum.serial);
}

/// The passes of one micro-batch through all stages. `whole`: backward passes make both gradients,
/// else of both ways of making them the one that takes less counts.
WorkTimes PassBounds::micro_batch(bool whole) {
  const ParallelPlan& plan = workload_.plan;
  WorkTimes sum;
  for (std::int64_t number = 0; number < plan.virtual_stage_count(); ++number) {
    const std::int64_t holder = plan.holder(number, 0);
    const std::int64_t place = communications_ ? communications_->representative(holder) : 0;
    for (const BlockUse& use : tables_.blocks.uses(number, {&loads_, 0, std::nullopt})) {
      const BlockTimes& block = block_times(use.block, place);
      sum.add(block.passes[Pass::forward]);
      WorkTimes backward = block.passes[Pass::backward];
      if (!whole) {
        WorkTimes split = block.passes[Pass::backward_input];
        split.add(block.passes[Pass::backward_weight]);
        backward.serial = std::min(backward.serial, split.serial);
        for (std::size_t resource = 0; resource < backward.uses.size(); ++resource)
          backward.uses[resource] = std::min(backward.uses[resource], split.use(resource));
      }
      sum.add(backward);
    }
  }
  return sum;
}

bool PassBounds::same_on_all_stages() const {
  return !communications_ || communications_->same_on_all_stages();
}

PipelineTimes PassBounds::pipeline() {
  const ParallelPlan& plan = workload_.plan;
  const bool delayed = plan.schedule.delays_weight_gradients;
  PipelineTimes times;
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    std::vector<ChunkTimes>& chunks = times.chunks.emplace_back();
    std::vector<double>& begin = times.begin.emplace_back();
    WorkTimes gathered;
    for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
      const PerPass<WorkTimes>& passes = chunk_times(stage, chunk).passes;
      ChunkTimes& of_chunk = chunks.emplace_back();
      for (const Pass pass : enumerators<Pass>)
        of_chunk.alone[pass] = passes[pass].serial.value;
      const double forward = of_chunk.alone[Pass::forward];
      of_chunk.paired_forward = forward;
      of_chunk.paired_backward = of_chunk.alone[delayed ? Pass::backward_input : Pass::backward];
      // Weights are gathered chunk after chunk. A first forward pass ends after its own are there.
      if (rule_.overlaps && rule_.gathers && !rule_.gathers_every_pass)
        gathered.add(gathering(stage, chunk));
      const double end = std::max(gathered.serial.value, longest(gathered, passes[Pass::forward]));
      begin.push_back(std::max(0.0, end - forward));
    }
    if (plan.overlap_batches)
      times.pair.push_back(pairs(stage));
  }
  times.send = sends();
  return times;
}

std::vector<std::vector<double>> PassBounds::pairs(std::int64_t stage) {
  std::vector<std::vector<double>> times;
  for (std::int64_t forward = 0; forward < workload_.plan.chunks(); ++forward) {
    std::vector<double>& with = times.emplace_back();
    for (std::int64_t backward = 0; backward < workload_.plan.chunks(); ++backward)
      with.push_back(pair(stage, forward, backward));
  }
  return times;
}

double PassBounds::pair(std::int64_t stage, std::int64_t forward_chunk,
                        std::int64_t backward_chunk) {
  const ParallelPlan& plan = workload_.plan;
  const BlockTimes& forward_times = chunk_times(stage, forward_chunk);
  const BlockTimes& backward_times = chunk_times(stage, backward_chunk);
  const double used =
      longest(forward_times.passes[Pass::forward], backward_times.passes[Pass::backward]);
  if (!communications_)
    return used;
  const std::int64_t place = communications_->representative(stage);
  const bool delayed = plan.schedule.delays_weight_gradients;
  const auto [known, added] =
      pairs_.try_emplace({place, delayed, forward_times.blocks, backward_times.blocks}, 0.0);
  if (added) {
    const auto passes_of = [&](std::int64_t chunk) {
      return ChunkPasses(workload_, plan.virtual_stage(stage, chunk), {&loads_, 0, std::nullopt},
                         tables_.works, tables_.blocks, tables_.gradients);
    };
    known->second = side_by_side(
        PassPairing(tables_.works)
            .merge(
                passes_of(forward_chunk).forward(PassPosition::regular),
                passes_of(backward_chunk).backward(Gradients::all, PassPosition::regular, delayed)),
        place);
  }
  return std::max(used, known->second);
}

/// The time of two passes in the order in which a device issues their segments, each segment as
/// soon as its pass and its stream are free (build_step_graph).
double PassBounds::side_by_side(const std::vector<PairedSegment>& merged, std::int64_t stage) {
  struct PassEnd {
    double last = 0.0;
    double before_last = 0.0;
    bool started = false;
  };
  std::array<PassEnd, 2> passes;
  std::array<std::optional<double>, enumerator_count<Stream>> streams;
  for (const auto& [segment, backward] : merged) {
    if (segment.detached)
      continue;
    PassEnd& pass = passes[backward];
    std::optional<double>& stream = streams[index(
        segment.kind == OpKind::compute ? Stream::compute
                                        : stream_of(works_.collectives[segment.work]))];
    double start = stream.value_or(0.0);
    if (!stream || pass.started)
      start = std::max(start, segment.beside_previous ? pass.before_last : pass.last);
    const double end = start + time_of(segment, stage).value;
    stream = end;
    if (segment.beside_previous) {
      pass.last = std::max(pass.last, end);
    } else {
      pass.before_last = pass.last;
      pass.last = end;
    }
    pass.started = true;
  }
  return std::max(passes[false].last, passes[true].last);
}

/// The time of a segment of a pair, slowed by the communication beside it.
Seconds PassBounds::time_of(const Segment& segment, std::int64_t stage) {
  if (segment.kind != OpKind::compute)
    return communications_->collective(works_.collectives[segment.work], stage).serial;
  const ComputeWork& work = works_.computes[segment.work];
  if (!work.beside)
    return times_of(segment, stage).serial;
  return times_.of(work, communications_->beside(works_.collectives[*work.beside], stage));
}

Seconds PassBounds::end(std::int64_t stage) {
  const Seconds own =
      sequence(step_end_work(workload_, stage, loads_, tables_.works), stage).serial;
  const ParallelPlan& plan = workload_.plan;
  if (plan.holders() == 1 || !communications_)
    return own;
  const auto exchange = [&](std::int64_t bytes_each) {
    return communications_->transfer(exchange_of_holders(workload_, stage, bytes_each), stage,
                                     plan.pipeline - 1 - stage);
  };
  const Seconds weights = plan.zero_stage >= 1 ? exchange(bf16_bytes) : Seconds{};
  return own + exchange(workload_.training.gradient_bytes()) + weights;
}

Seconds PassBounds::last_pass(std::int64_t stage, Pass pass) {
  const WorkTimes& times = chunk_times(stage, 0).passes[pass];
  if (!rule_.overlaps)
    return times.serial;
  const WorkTimes reduced = reduction(stage, 0);
  return std::max({times.serial, reduced.serial, Seconds{longest(times, reduced)}});
}

Seconds PassBounds::busiest_resource(std::int64_t stage, const std::vector<PassSpan>& passes) {
  WorkTimes sum;
  WorkTimes beside;
  for (std::int64_t chunk = 0; chunk < workload_.plan.chunks(); ++chunk) {
    PerPass<double> count;
    for (const PassSpan& span : passes)
      if (span.pass.chunk == chunk)
        count[span.pass.pass] += 1.0;
    for (const Pass pass : enumerators<Pass>)
      if (count[pass] > 0.0)
        sum.add(chunk_times(stage, chunk).passes[pass], count[pass]);
    if (!rule_.overlaps)
      continue;
    const double forwards = count[Pass::forward];
    if (rule_.gathers)
      beside.add(gathering(stage, chunk), rule_.gathers_every_pass ? 2.0 * forwards : 1.0);
    beside.add(reduction(stage, chunk), rule_.reduces_every_pass ? forwards : 1.0);
  }
  return std::max(beside.serial, Seconds{longest(sum, beside)});
}

std::vector<std::vector<double>> PassBounds::sends() {
  const ParallelPlan& plan = workload_.plan;
  std::vector<std::vector<double>> sends;
  std::map<std::pair<std::int64_t, std::int64_t>, double> known;
  const TransferWork work = activation_transfer(workload_);
  for (std::int64_t copy = 0; copy < plan.holders(); ++copy) {
    std::vector<double>& of_copy = sends.emplace_back();
    for (std::int64_t from = 0; from < plan.virtual_stage_count(); ++from) {
      of_copy.push_back(0.0);
      if (from + 1 == plan.virtual_stage_count() || !communications_)
        continue;
      const std::pair ends{plan.holder(from, copy), plan.holder(from + 1, copy)};
      const auto [found, added] = known.try_emplace(ends, 0.0);
      if (added)
        found->second = communications_->transfer(work, ends.first, ends.second).value;
      of_copy.back() = found->second;
    }
  }
  return sends;
}

const PassBounds::BlockTimes& PassBounds::chunk_times(std::int64_t stage, std::int64_t chunk) {
  const auto [known, added] = chunks_.try_emplace({stage, chunk});
  BlockTimes& sum = known->second;
  if (!added)
    return sum;
  const std::int64_t place = communications_ ? communications_->representative(stage) : 0;
  const std::int64_t virtual_stage = workload_.plan.virtual_stage(stage, chunk);
  std::map<std::uint32_t, double> counts;
  for (const BlockUse& use : tables_.blocks.uses(virtual_stage, {&loads_, 0, std::nullopt})) {
    counts[use.block] += 1.0;
    sum.blocks.push_back(use.block);
  }
  for (const auto& [number, count] : counts) {
    const BlockTimes& block = block_times(number, place);
    for (const Pass pass : enumerators<Pass>)
      sum.passes[pass].add(block.passes[pass], count);
  }
  return sum;
}

const PassBounds::BlockTimes& PassBounds::block_times(std::uint32_t number, std::int64_t stage) {
  const auto [known, added] = blocks_.try_emplace({number, stage});
  BlockTimes& times = known->second;
  if (!added)
    return times;
  PerPass<WorkTimes>& passes = times.passes;
  passes[Pass::forward] = sequence(tables_.blocks.at(number).segments, stage);
  passes[Pass::backward] = sequence(backward_of(number, Gradients::all), stage);
  passes[Pass::backward_input] = sequence(backward_of(number, Gradients::inputs), stage);
  passes[Pass::backward_weight] = sequence(backward_of(number, Gradients::weights), stage);
  return times;
}

/// The backward pass of a block, with its forward pass before it where that is repeated.
std::vector<Segment> PassBounds::backward_of(std::uint32_t number, Gradients gradients) {
  Sequence out(tables_.works);
  const Block& block = tables_.blocks.at(number);
  if (block.repeated && gradients != Gradients::weights)
    out.append(block.segments, {});
  add_mirror(out, block.segments, {}, gradients, tables_.works, tables_.gradients);
  return out.take();
}

const WorkTimes& PassBounds::times_of(const Segment& segment, std::int64_t stage) {
  static const WorkTimes none;
  if (segment.kind == OpKind::compute) {
    const auto [known, added] = computes_.try_emplace(segment.work);
    if (added) {
      known->second.serial = times_.of(works_.computes[segment.work]);
      known->second.uses = {known->second.serial.value};
    }
    return known->second;
  }
  return communications_ ? communications_->collective(works_.collectives[segment.work], stage)
                         : none;
}

/// The work of segments one after the other; of two side by side the longer counts. Detached ones
/// are hidden at best.
WorkTimes PassBounds::sequence(const std::vector<Segment>& segments, std::int64_t stage) {
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
WorkTimes PassBounds::detached(const std::vector<Segment>& segments, std::int64_t stage) {
  WorkTimes sum;
  for (const Segment& segment : segments)
    if (segment.detached)
      sum.add(times_of(segment, stage));
  return sum;
}

/// The gathering of the weights of a chunk, once.
WorkTimes PassBounds::gathering(std::int64_t stage, std::int64_t chunk) {
  if (!communications_)
    return {};
  Sequence out(tables_.works);
  DataParallelWork(workload_, workload_.plan.virtual_stage(stage, chunk)).start_gather(out);
  return detached(out.take(), stage);
}

/// The reduction of the gradients of a chunk, once.
WorkTimes PassBounds::reduction(std::int64_t stage, std::int64_t chunk) {
  if (!communications_)
    return {};
  Sequence out(tables_.works);
  const DataParallelWork work(workload_, workload_.plan.virtual_stage(stage, chunk));
  work.start_reduce(out);
  work.finish_reduce(out);
  return detached(out.take(), stage);
}

} // namespace moesim
