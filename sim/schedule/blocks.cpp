#include "sim/schedule/blocks.hpp"

#include "sim/schedule/layer_segments.hpp"
#include "sim/schedule/stage_parameters.hpp"

#include <utility>

namespace moesim {

template <typename Fill>
std::uint32_t BlockTable::find(const Key& key, bool repeated, const Fill& fill) {
  const auto next = static_cast<std::uint32_t>(blocks_.size());
  const auto [known, added] = known_.try_emplace(key, next);
  if (added) {
    Sequence block(table_);
    fill(block);
    blocks_.push_back({block.take(), repeated});
  }
  return known->second;
}

std::uint32_t BlockTable::simple(Kind kind) {
  return find({kind, {}, nullptr, std::nullopt}, false, [&](Sequence& out) {
    const Sizes sizes = sizes_of(workload_);
    if (kind == Kind::embedding)
      out.compute(Label::of("Embedding"), embedding_kernels(sizes));
    else if (kind == Kind::projection)
      out.compute(Label::of("Projection", {LayerRef::Kind::own}), mtp_projection_kernels(sizes));
    else
      add_head(out, workload_, sizes);
  });
}

void BlockTable::add_layer(std::vector<BlockUse>& uses, std::int64_t number, LayerRef layer,
                           const LoadChoice& choice) {
  const LayerSpec& spec = workload_.model.layers[static_cast<std::size_t>(number)];
  const bool full = workload_.plan.recompute == Recompute::full;
  bool starts_layer = true;
  const auto use = [&](std::uint32_t block) {
    uses.push_back({block, layer, starts_layer});
    starts_layer = false;
  };
  if (spec.attention_blocks > 0) {
    LayerSpec attention = spec; // as far as attention depends on it
    attention.moe = false;
    attention.dense_hidden = 0;
    use(find({Kind::attention, attention, nullptr, std::nullopt}, full, [&](Sequence& out) {
      Sizes sizes = sizes_of(workload_);
      sizes.layer = spec;
      add_attention(out, spec, workload_, sizes);
    }));
  }
  if (!spec.has_feed_forward())
    return;
  const auto load = spec.moe ? choice.loads->at(number, choice.micro_batch) : nullptr;
  use(find({Kind::feed_forward,
            {spec.moe, 1, spec.dense_hidden},
            load.get(),
            load ? choice.expert_rank : std::nullopt},
           full || (spec.moe && workload_.plan.recomputes(RecomputeModule::moe)),
           [&](Sequence& out) {
             add_feed_forward(out, spec, workload_,
                              spec.moe ? sizes_of_layer(workload_, load, choice.expert_rank)
                                       : sizes_of(workload_));
           }));
}

std::vector<BlockUse> BlockTable::uses(std::int64_t virtual_stage, const LoadChoice& choice) {
  const ParallelPlan& plan = workload_.plan;
  const std::int64_t first = first_layer(plan, virtual_stage);
  const std::int64_t count = plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)];
  std::vector<BlockUse> uses;
  if (virtual_stage == 0)
    uses.push_back({simple(Kind::embedding), {}, false});
  for (std::int64_t layer = first; layer < first + count; ++layer)
    add_layer(uses, layer, {LayerRef::Kind::layer, static_cast<std::int32_t>(layer)}, choice);
  if (virtual_stage != plan.virtual_stage_count() - 1)
    return uses;
  uses.push_back({simple(Kind::head), {}, false});
  for (std::int64_t number = 0; number < workload_.model.mtp_layers; ++number) {
    const LayerRef mtp{LayerRef::Kind::mtp, static_cast<std::int32_t>(number)};
    uses.push_back({simple(Kind::projection), mtp, false});
    add_layer(uses, static_cast<std::int64_t>(workload_.model.layers.size()) - 1, mtp, choice);
    uses.push_back({simple(Kind::head), {}, false});
  }
  return uses;
}

} // namespace moesim
