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

} // namespace

PassBounds::PassBounds(Workload workload, const ComputeCost& cost,
                       LoneCommunications* communications)
    : times_(std::move(workload), cost, communications), communications_(communications),
      rule_(data_parallel_rule(times_.workload())) {}

void PassBounds::set_plan(const ParallelPlan& plan) {
  times_.set_plan(plan);
  rule_ = data_parallel_rule(workload());
}

Seconds PassBounds::busiest_stage() {
  const ParallelPlan& plan = workload().plan;
  // Of two holders of a chunk, each runs half of the micro-batches.
  const auto micro_batches =
      static_cast<double>(plan.micro_batches(workload().training) / plan.holders());
  const bool whole = plan.schedule.whole_backward && !plan.schedule.split_backward;
  const std::vector<double> sends_on = sends().front();
  Seconds bound;
  Seconds fill;  // before the first forward pass of the stage
  Seconds drain; // after its last backward pass
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    WorkTimes sum;
    for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk)
      sum.add(micro_batch(times_.chunk(stage, chunk).passes, whole));
    const Seconds busiest{*std::max_element(sum.uses.begin(), sum.uses.end())};
    bound = std::max(bound,
                     fill + micro_batches * (plan.overlap_batches ? busiest : sum.serial) + drain);
    if (plan.holders() > 1)
      continue;
    const PerPass<WorkTimes>& first = times_.chunk(stage, 0).passes;
    const Seconds sent{sends_on[static_cast<std::size_t>(stage)]};
    fill += first[Pass::forward].serial + sent;
    if (whole)
      drain += first[plan.overlap_batches ? Pass::backward_input : Pass::backward].serial + sent;
  }
  return bound;
}

PipelineTimes PassBounds::pipeline() {
  const ParallelPlan& plan = workload().plan;
  PipelineTimes times;
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    std::vector<PerPass<double>>& chunks = times.alone.emplace_back();
    std::vector<double>& begin = times.begin.emplace_back();
    WorkTimes gathered;
    for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
      const PerPass<WorkTimes>& passes = times_.chunk(stage, chunk).passes;
      PerPass<double>& of_chunk = chunks.emplace_back();
      for (const Pass pass : enumerators<Pass>)
        of_chunk[pass] = passes[pass].serial.value;
      // Weights are gathered chunk after chunk. A first forward pass ends after its own are there.
      if (rule_.overlaps && rule_.gathers && !rule_.gathers_every_pass)
        gathered.add(times_.gathering(stage, chunk));
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
  for (std::int64_t forward = 0; forward < workload().plan.chunks(); ++forward) {
    std::vector<PairTimes>& with = times.emplace_back();
    for (std::int64_t backward = 0; backward < workload().plan.chunks(); ++backward)
      with.push_back(times_.pair(stage, forward, backward));
  }
  return times;
}

Seconds PassBounds::passes_end(std::int64_t stage, const std::vector<PassSpan>& passes) {
  Seconds end{passes.back().finish};
  if (!rule_.overlaps || !communications_)
    return end;
  const std::vector<bool> reducing = reducing_passes(passes);
  // The stream of the data-parallel communication, each after the one issued before it.
  Seconds stream;
  if (rule_.gathers && !rule_.gathers_every_pass)
    for (std::int64_t chunk = 0; chunk < workload().plan.chunks(); ++chunk)
      stream += times_.gathering(stage, chunk).serial;
  Seconds free;
  for (std::size_t number = 0; number < passes.size(); ++number) {
    const PassSpan& span = passes[number];
    if (rule_.gathers_every_pass && span.pass.pass != Pass::backward_weight)
      stream = std::max(stream, free) + times_.gathering(stage, span.pass.chunk).serial;
    if (reducing[number]) {
      const auto& [others, last] = times_.reduction(stage, span.pass.chunk);
      const Seconds layer{times_.chunk(stage, span.pass.chunk).last_layer[span.pass.pass]};
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
  std::vector<bool> reduced(static_cast<std::size_t>(workload().plan.chunks()), false);
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
  std::vector<PerPass<double>> counts(static_cast<std::size_t>(workload().plan.chunks()));
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
      beside.add(times_.gathering(stage, chunk));
    if (!reducing[number])
      continue;
    const auto& [others, last] = times_.reduction(stage, chunk);
    beside.add(others);
    beside.add(last);
    if (rule_.reduces_every_pass)
      continue;
    add_counted();
    end = std::max(end, Seconds{span.start + longest(sum, beside)});
  }
  add_counted();
  if (rule_.gathers && !rule_.gathers_every_pass)
    for (std::int64_t chunk = 0; chunk < workload().plan.chunks(); ++chunk)
      beside.add(times_.gathering(stage, chunk));
  return std::max(end, Seconds{longest(sum, beside)});
}

/// Adds the work of passes of a chunk and of the transfers that follow them.
void PassBounds::add_pass(std::int64_t stage, std::int64_t chunk, Pass pass, double count,
                          WorkTimes& sum) {
  sum.add(times_.chunk(stage, chunk).passes[pass], count);
  const ParallelPlan& plan = workload().plan;
  const std::int64_t next = plan.virtual_stage(stage, chunk) + (pass == Pass::forward ? 1 : -1);
  if (!communications_ || pass == Pass::backward_weight || next < 0 ||
      next == plan.virtual_stage_count())
    return;
  const std::int64_t to = plan.holder(next, plan.holders() > 1 ? chunk : 0);
  sum.add(communications_->transfer(activation_transfer(workload()), stage, to), count);
}

std::vector<std::vector<double>> PassBounds::sends() {
  const ParallelPlan& plan = workload().plan;
  std::vector<std::vector<double>> sends;
  std::map<std::pair<std::int64_t, std::int64_t>, double> known;
  const TransferWork work = activation_transfer(workload());
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

} // namespace moesim
