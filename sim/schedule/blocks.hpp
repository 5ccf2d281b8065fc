#pragma once

#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/segment.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

namespace moesim {

/// A part of a virtual stage, in forward order: the embedding, the attention or the feed-forward of
/// a layer, the projection of a layer of multi-token prediction, or the head.
struct Block {
  std::vector<Segment> segments;
  bool repeated = false; ///< the backward pass runs all its segments again
};

/// One use of a block by a virtual stage.
struct BlockUse {
  std::uint32_t block = 0; ///< its index in BlockTable
  LayerRef layer;          ///< for labels
  bool starts_layer = false;
};

/// The choice of the load of a stage's experts.
struct LoadChoice {
  const ExpertLoads* loads = nullptr; ///< the loads of the workload
  std::int64_t micro_batch = 0;
  std::optional<std::int64_t> expert_rank = std::nullopt; ///< nothing: the busiest rank of each
                                                          ///< layer
};

/// The distinct blocks of a step: equal layers share their blocks.
class BlockTable {
public:
  /// The workload and the table must outlive this object.
  BlockTable(const Workload& workload, WorkTable& table) : workload_(workload), table_(table) {}

  const Block& at(std::uint32_t block) const { return blocks_[block]; }
  /// The blocks of a virtual stage in forward order: its layers, the embedding on the first, the
  /// head and the layers of multi-token prediction on the last. With uneven loads, they are those
  /// of one micro-batch on one rank of the expert-parallel group. Without a rank, each layer has
  /// the load of its busiest rank, for which the others wait.
  std::vector<BlockUse> uses(std::int64_t virtual_stage, const LoadChoice& choice);

private:
  enum class Kind : std::uint8_t { embedding, attention, feed_forward, projection, head };
  /// The properties that make two blocks of one workload equal.
  using Key = std::tuple<Kind, LayerSpec, const ExpertLoad*, std::optional<std::int64_t>>;
  std::uint32_t simple(Kind kind);
  void add_layer(std::vector<BlockUse>& uses, std::int64_t number, LayerRef layer,
                 const LoadChoice& choice);
  template <typename Fill> std::uint32_t find(const Key& key, bool repeated, const Fill& fill);

  const Workload& workload_;
  WorkTable& table_;
  std::vector<Block> blocks_;
  std::map<Key, std::uint32_t> known_;
};

} // namespace moesim
