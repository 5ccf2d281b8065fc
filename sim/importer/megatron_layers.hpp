#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// A virtual stage of --pipeline-model-parallel-layout.
struct LayoutStage {
  bool embedding = false;
  std::int64_t layers = 0;     ///< transformer layers
  std::int64_t mtp_layers = 0; ///< layers of multi-token prediction
  bool loss = false;
};
/// The stages of a layout such as `Et*3|(tt|)*29m|L`, in the order of the model: E, t, m and L as
/// above, `|` between stages, `x*n` and `(x…)*n` for repetition. Throws std::invalid_argument, with
/// the reason, for another text or more than 100,000 letters.
std::vector<LayoutStage> parse_pipeline_layout(const std::string& layout);

/// Whether each of `layers` layers holds experts, from --moe-layer-freq: N for every N-th from the
/// first, or a list such as `([0]*3+[1]*58)`. Throws std::invalid_argument, with the reason, for
/// another text or a list of another length.
std::vector<bool> parse_moe_layers(const std::string& frequency, std::int64_t layers);

/// The same of arguments where N stands for all layers but every N-th, counted from 1.
std::vector<bool> parse_layers_but_every(const std::string& frequency, std::int64_t layers);

/// The letters of a hybrid model's layers that Megatron lays out for shares of attention and of
/// feed-forwards: M, *, -. Attention is spread evenly between Mamba; then feed-forwards take the
/// place of Mamba (megatron/core/ssm/mamba_hybrid_layer_allocation.py).
std::string allocate_hybrid_layers(std::int64_t layers, double attention, double feed_forward);

} // namespace moesim
