#include "sim/search/pass_bounds.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

namespace {

/// The passes of one micro-batch through a chunk. `whole`: backward passes make both gradients,
/// else of both ways of making them the one that takes less counts.
WorkTimes micro_batch(const PerPass<WorkTimes>& passes, bool whole) {
  WorkTimes sum = passes[Pass::backward];
  if (!whole) {
    WorkTimes split = passes[Pass::backward_input];
    split.add(passes[Pass::backward_weight]);
    sum.serial = std::min(sum.serial, split.serial);
    for (std::size_t resource = 0; resource < sum.uses.size(); ++resource)
      sum.uses[resource] = std::min(sum.uses[resource], split.use(resource));
  }
  sum.add(passes[Pass::forward]);
  return sum;
}

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
      tables_(workload_, works_, Labels::dropped), times_(works_, cost),
      rule_(data_parallel_rule(workload_)) {}

void PassBounds::set_plan(const ParallelPlan& plan) {
  workload_.plan = plan;
  rule_ = data_parallel_rule(workload_);
  chunks_.clear();
  gatherings_.clear();
  reductions_.clear();
}

Seconds PassBounds::busiest_stage() {
  const ParallelPlan& plan = workload_.plan;
  // Of two holders of a chunk, each runs half of the micro-batches.
  const auto micro_batches =
      static_cast<double>(plan.micro_batches(workload_.training) / plan.holders());
  const bool whole = plan.schedule.whole_backward && !plan.schedule.split_backward;
  const std::vector<double> sends_on = sends().front();
  Seconds bound;
  Seconds fill;  // before the first forward pass of the stage
  Seconds drain; // after its last backward pass
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    WorkTimes sum;
    for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk)
      sum.add(micro_batch(chunk_times(stage, chunk).passes, whole));
    const Seconds busiest{*std::max_element(sum.uses.begin(), sum.uses.end())};
    bound = std::max(bound,
                     fill + micro_batches * (plan.overlap_batches ? busiest : sum.serial) + drain);
    if (plan.holders() > 1)
      continue;
    const PerPass<WorkTimes>& first = chunk_times(stage, 0).passes;
    const Seconds sent{sends_on[static_cast<std::size_t>(stage)]};
    fill += first[Pass::forward].serial + sent;
    if (whole)
      drain += first[plan.overlap_batches ? Pass::backward_input : Pass::backward].serial + sent;
  }
  return bound;
}

PipelineTimes PassBounds::pipeline() {
  const ParallelPlan& plan = workload_.plan;
  PipelineTimes times;
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    std::vector<PerPass<double>>& chunks = times.alone.emplace_back();
    std::vector<double>& begin = times.begin.emplace_back();
    WorkTimes gathered;
    for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
      const PerPass<WorkTimes>& passes = chunk_times(stage, chunk).passes;
      PerPass<double>& of_chunk = chunks.emplace_back();
      for (const Pass pass : enumerators<Pass>)
        of_chunk[pass] = passes[pass].serial.value;
      // Weights are gathered chunk after chunk. A first forward pass ends after its own are there.
      if (rule_.overlaps && rule_.gathers && !rule_.gathers_every_pass)
        gathered.add(gathering(stage, chunk));
      const double end = std::max(gathered.serial.value, longest(gathered, passes[Pass::forward]));
      begin.push_back(std::max(0.0, end - of_chunk[Pass::forward]));
    }
    if (plan.overlap_batches)
      times.pair.push_back(pairs(stage));
  }
  times.send = sends();
  return times;
}

std::vector<std::vector<PairTimes>> PassBounds::pairs(std::int64_t stage) {
  std::vector<std::vector<PairTimes>> times;
  for (std::int64_t forward = 0; forward < workload_.plan.chunks(); ++forward) {
    std::vector<PairTimes>& with = times.emplace_back();
    for (std::int64_t backward = 0; backward < workload_.plan.chunks(); ++backward)
      with.push_back(pair(stage, forward, backward));
  }
  return times;
}

PairTimes PassBounds::pair(std::int64_t stage, std::int64_t forward_chunk,
                           std::int64_t backward_chunk) {
  const ParallelPlan& plan = workload_.plan;
  const bool delayed = plan.schedule.delays_weight_gradients;
  const BlockTimes& forward_times = chunk_times(stage, forward_chunk);
  const BlockTimes& backward_times = chunk_times(stage, backward_chunk);
  const double least =
      longest(forward_times.passes[Pass::forward], backward_times.passes[Pass::backward]);
  if (!communications_) {
    const double forward = forward_times.passes[Pass::forward].serial.value;
    const double backward =
        backward_times.passes[delayed ? Pass::backward_input : Pass::backward].serial.value;
    return {{forward, {}}, {{}, backward}, {forward, backward}, least};
  }
  const std::int64_t place = communications_->representative(stage);
  const auto [known, added] =
      pairs_.try_emplace({place, delayed, forward_times.blocks, backward_times.blocks});
  if (added) {
    const auto passes_of = [&](std::int64_t chunk) {
      return ChunkPasses(workload_, plan.virtual_stage(stage, chunk), {&loads_, 0, std::nullopt},
                         tables_.works, tables_.blocks, tables_.gradients);
    };
    const std::vector<PairedSegment> merged =
        PassPairing(tables_.works)
            .merge(
                passes_of(forward_chunk).forward(PassPosition::regular),
                passes_of(backward_chunk).backward(Gradients::all, PassPosition::regular, delayed));
    PairTimes& times = known->second;
    for (const bool backward : {false, true})
      side_by_side(merged, place, backward, times);
    times.least = least;
  }
  return known->second;
}

/// Adds the times after the arrival of the inputs of one of two passes, in the order in which a
/// device issues their segments, each segment as soon as its pass and its stream are free
/// (build_step_graph).
void PassBounds::side_by_side(const std::vector<PairedSegment>& merged, std::int64_t stage,
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
    return communications_
        ->transfer(exchange_of_holders(workload_, stage, bytes_each), stage,
                   plan.pipeline - 1 - stage)
        .serial;
  };
  const Seconds weights = plan.zero_stage >= 1 ? exchange(bf16_bytes) : Seconds{};
  return own + exchange(workload_.training.gradient_bytes()) + weights;
}

Seconds PassBounds::passes_end(std::int64_t stage, const std::vector<PassSpan>& passes) {
  Seconds end{passes.back().finish};
  if (!rule_.overlaps || !communications_)
    return end;
  const std::vector<bool> reducing = reducing_passes(passes);
  // The stream of the data-parallel communication, each after the one issued before it.
  Seconds stream;
  if (rule_.gathers && !rule_.gathers_every_pass)
    for (std::int64_t chunk = 0; chunk < workload_.plan.chunks(); ++chunk)
      stream += gathering(stage, chunk).serial;
  Seconds free;
  for (std::size_t number = 0; number < passes.size(); ++number) {
    const PassSpan& span = passes[number];
    if (rule_.gathers_every_pass && span.pass.pass != Pass::backward_weight)
      stream = std::max(stream, free) + gathering(stage, span.pass.chunk).serial;
    if (reducing[number]) {
      const auto& [others, last] = reduction(stage, span.pass.chunk);
      const Seconds layer = last_layer(stage, span.pass);
      stream = std::max(stream, Seconds{span.start} + layer) + others.serial;
      stream = std::max(stream, Seconds{span.result}) + last.serial;
    }
    free = Seconds{span.finish};
  }
  return std::max({end, stream, busiest_resource(stage, passes, reducing)});
}

/// Whether each pass reduces the gradients of its chunk.
std::vector<bool> PassBounds::reducing_passes(const std::vector<PassSpan>& passes) const {
  std::vector<bool> reducing(passes.size(), false);
  std::vector<bool> reduced(static_cast<std::size_t>(workload_.plan.chunks()), false);
  for (std::size_t number = passes.size(); number-- > 0;) {
    const ChunkPass& pass = passes[number].pass;
    if (pass.pass != Pass::backward && pass.pass != Pass::backward_weight)
      continue;
    auto chunk = reduced.begin() + pass.chunk;
    reducing[number] = rule_.reduces_every_pass || !*chunk;
    *chunk = true;
  }
  return reducing;
}

/// The longest use of a resource of a stage: from the first pass on by all passes, and from each
/// last reduction of gradients on by the passes and reductions from there.
Seconds PassBounds::busiest_resource(std::int64_t stage, const std::vector<PassSpan>& passes,
                                     const std::vector<bool>& reducing) {
  Seconds end;
  WorkTimes sum;
  WorkTimes beside;
  std::vector<PerPass<double>> counts(static_cast<std::size_t>(workload_.plan.chunks()));
  // `sum` lacks the passes that `counts` has.
  const auto add_counted = [&] {
    for (std::size_t chunk = 0; chunk < counts.size(); ++chunk)
      for (const Pass pass : enumerators<Pass>)
        if (const double count = std::exchange(counts[chunk][pass], 0.0); count > 0.0)
          add_pass(stage, static_cast<std::int64_t>(chunk), pass, count, sum);
  };
  for (std::size_t number = passes.size(); number-- > 0;) {
    const PassSpan& span = passes[number];
    const std::int64_t chunk = span.pass.chunk;
    counts[static_cast<std::size_t>(chunk)][span.pass.pass] += 1.0;
    if (rule_.gathers_every_pass && span.pass.pass != Pass::backward_weight)
      beside.add(gathering(stage, chunk));
    if (!reducing[number])
      continue;
    const auto& [others, last] = reduction(stage, chunk);
    beside.add(others);
    beside.add(last);
    if (rule_.reduces_every_pass)
      continue;
    add_counted();
    end = std::max(end, Seconds{span.start + longest(sum, beside)});
  }
  add_counted();
  if (rule_.gathers && !rule_.gathers_every_pass)
    for (std::int64_t chunk = 0; chunk < workload_.plan.chunks(); ++chunk)
      beside.add(gathering(stage, chunk));
  return std::max(end, Seconds{longest(sum, beside)});
}

/// Adds the work of passes of a chunk and of the transfers that follow them.
void PassBounds::add_pass(std::int64_t stage, std::int64_t chunk, Pass pass, double count,
                          WorkTimes& sum) {
  sum.add(chunk_times(stage, chunk).passes[pass], count);
  const ParallelPlan& plan = workload_.plan;
  const std::int64_t next = plan.virtual_stage(stage, chunk) + (pass == Pass::forward ? 1 : -1);
  if (!communications_ || pass == Pass::backward_weight || next < 0 ||
      next == plan.virtual_stage_count())
    return;
  const std::int64_t to = plan.holder(next, plan.holders() > 1 ? chunk : 0);
  sum.add(communications_->transfer(activation_transfer(workload_), stage, to), count);
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
        found->second = communications_->transfer(work, ends.first, ends.second).serial.value;
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
    if (use.starts_layer)
      sum.last_layer = {};
    for (const Pass pass : enumerators<Pass>)
      sum.last_layer[pass] += block_times(use.block, place).passes[pass].serial.value;
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
const WorkTimes& PassBounds::gathering(std::int64_t stage, std::int64_t chunk) {
  const auto [known, added] = gatherings_.try_emplace({stage, chunk});
  if (added && communications_) {
    Sequence out(tables_.works);
    DataParallelWork(workload_, workload_.plan.virtual_stage(stage, chunk)).start_gather(out);
    known->second = detached(out.take(), stage);
  }
  return known->second;
}

/// The reduction of the gradients of a chunk, once.
const PassBounds::Reduction& PassBounds::reduction(std::int64_t stage, std::int64_t chunk) {
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

/// The backward pass of the last layer of a chunk and of what is behind it: before its end no
/// gradient of the chunk is reduced.
Seconds PassBounds::last_layer(std::int64_t stage, const ChunkPass& pass) {
  return Seconds{chunk_times(stage, pass.chunk).last_layer[pass.pass]};
}

} // namespace moesim
