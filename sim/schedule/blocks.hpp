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
  bool repeated = false; ///< the backward pass runs it again as a whole
};

/// Where a virtual stage uses a block.
struct BlockUse {
  std::uint32_t block = 0; ///< its number in BlockTable
  LayerRef layer;          ///< for labels
  bool starts_layer = false;
};

/// The load that the experts of a stage have.
struct LoadChoice {
  const ExpertLoads* loads = nullptr; ///< of the workload
  std::int64_t micro_batch = 0;
  std::optional<std::int64_t> expert_rank = std::nullopt; ///< nothing: of each layer the busiest
};

/// The blocks of a step, each distinct one once: equal layers share theirs.
class BlockTable {
public:
  /// The workload and the table must live as long.
  BlockTable(const Workload& workload, WorkTable& table) : workload_(workload), table_(table) {}

  const Block& at(std::uint32_t block) const { return blocks_[block]; }
  /// The blocks of a virtual stage in forward order: its layers, the embedding on the first, the
  /// head and the layers of multi-token prediction on the last. Where experts are loaded unevenly,
  /// those of one micro-batch on one rank of the expert-parallel group; without a rank, each layer
  /// has the load of its busiest, for which the others wait.
  std::vector<BlockUse> uses(std::int64_t virtual_stage, const LoadChoice& choice);

private:
  enum class Kind : std::uint8_t { embedding, attention, feed_forward, projection, head };
  /// The properties that make two blocks of one workload equal.
  using Key = std::tuple<Kind, bool, std::int64_t, std::int64_t, const ExpertLoad*,
                         std::optional<std::int64_t>>;
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
