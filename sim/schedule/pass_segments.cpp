#include "sim/schedule/pass_segments.hpp"

#include <algorithm>

namespace moesim {

ChunkPasses::ChunkPasses(const Workload& workload, std::int64_t virtual_stage,
                         const LoadChoice& choice, WorkTable& table, BlockTable& blocks,
                         GradientTable& gradients)
    : rule_(data_parallel_rule(workload)), table_(table), blocks_(blocks), gradients_(gradients),
      communication_(workload, virtual_stage), uses_(blocks.uses(virtual_stage, choice)) {}

std::vector<Segment> ChunkPasses::forward(PassPosition position) {
  const bool gathers = rule_.gathers_every_pass;
  const bool awaits = position == PassPosition::edge ? rule_.gathers : gathers;
  Sequence out(table_);
  if (gathers)
    communication_.start_gather(out);
  if (awaits)
    communication_.await_first(out);
  for (std::size_t use = 0; use < uses_.size(); ++use) {
    if (awaits && use > 0 && use == first_of_last_layer())
      communication_.await_others(out);
    out.append(blocks_.at(uses_[use].block).segments, uses_[use].layer);
  }
  return out.take();
}

std::vector<Segment> ChunkPasses::backward(Gradients computed, PassPosition position,
                                           bool delayed) {
  const bool gathers = rule_.gathers_every_pass && computed != Gradients::weights;
  const bool reduces =
      computed != Gradients::inputs && (rule_.reduces_every_pass || position == PassPosition::edge);
  Sequence out(table_);
  Sequence weights(table_);
  if (gathers) {
    communication_.start_gather(out);
    communication_.await_first(out);
  }
  for (std::size_t left = uses_.size(); left > 0; --left) {
    const BlockUse& use = uses_[left - 1];
    const Block& block = blocks_.at(use.block);
    if (gathers && left < uses_.size() && left == end_of_first_layer())
      communication_.await_others(out);
    if (block.repeated && computed != Gradients::weights)
      out.append(block.segments, use.layer);
    if (delayed)
      add_delayed_mirror(out, weights, block.segments, use.layer, table_, gradients_);
    else
      add_mirror(out, block.segments, use.layer, computed, table_, gradients_);
    if (reduces && left - 1 == first_of_last_layer())
      communication_.start_reduce(out);
  }
  for (const Segment& last : weights.take())
    out.compute_after_result(table_.works().labels[last.label],
                             table_.works().computes[last.work].kernels);
  if (reduces)
    communication_.finish_reduce(out);
  return out.take();
}

/// Index of the first block of the last layer. A layer has two blocks; the embedding is before the
/// first layer, the head after the last.
std::size_t ChunkPasses::first_of_last_layer() const {
  std::size_t last = 0;
  for (std::size_t use = 0; use < uses_.size(); ++use)
    if (uses_[use].starts_layer)
      last = use;
  return last;
}

std::size_t ChunkPasses::end_of_first_layer() const {
  std::size_t use = 0;
  while (use < uses_.size() && !uses_[use].starts_layer)
    ++use;
  return std::min(use + 2, uses_.size());
}

} // namespace moesim
