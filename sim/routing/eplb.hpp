#pragma once

#include <cstdint>
#include <vector>

/// The expert-parallelism load balancer that DeepSeek published (github.com/deepseek-ai/EPLB,
/// README, "The Algorithm"): it copies the busiest experts and spreads the copies over the GPUs.
///
/// Two rules are ours. A GPU holds an expert no oftener than it must: more slots on a GPU than
/// experts to choose from are the one reason to hold one twice. And no expert gets more replicas
/// than GPUs can hold under that rule. The published algorithm regards neither, and often makes two
/// replicas on one GPU where a few experts have most of a node's load. Placements differ from its
/// ones only where it does that, or by rounding, since it reckons in single precision.
namespace moesim {

/// What a pack takes up: a replica of an expert, or a group of experts.
struct PackItem {
  std::int64_t id = 0; ///< number of the expert or of the group
  double load = 0.0;   ///< tokens, or anything that adds up
};

/// Packs (nodes, or GPUs) of as many items each, filled one item after the other.
class Packs {
public:
  /// `capacity`: items of a pack. `alike_max`: items of one id in a pack.
  Packs(std::int64_t count, std::int64_t capacity, std::int64_t alike_max);

  std::int64_t count() const { return static_cast<std::int64_t>(packs_.size()); }
  double load(std::int64_t pack) const { return at(pack).load; }
  /// Items of a pack in the order in which they came.
  const std::vector<PackItem>& items(std::int64_t pack) const { return at(pack).items; }
  /// True if the pack has room and holds fewer than `alike_max` items of that id.
  bool accepts(std::int64_t pack, std::int64_t id) const;
  void add(std::int64_t pack, PackItem item);
  /// Adds to the least loaded pack that accepts the item: the first of several.
  void add_to_least_loaded(PackItem item);
  /// For an item that no pack accepts: one with room takes up an item of a full pack, and this one
  /// comes in that one's place. Of all such exchanges, the one whose item has the least load. There
  /// is one if the items of each id are at most `alike_max` times the packs: were all items of each
  /// full pack refused by the pack with room, that pack would be full.
  void add_by_exchange(PackItem item);

private:
  struct Pack {
    std::vector<PackItem> items;
    double load = 0.0;
  };
  const Pack& at(std::int64_t pack) const { return packs_[static_cast<std::size_t>(pack)]; }

  std::size_t capacity_;
  std::int64_t alike_max_;
  std::vector<Pack> packs_;
};

/// Greedy balanced packing: items by falling load (of equal loads, the earlier one first), each to
/// the least loaded pack with room. Packs of one item each take the items as they come. The number
/// of items is a multiple of the packs', and at most `alike_max` times that share an id.
/// Greedy packing is not the best packing: loads 3, 3, 2, 2, 2, 0 in two packs of three become
/// 3 + 2 + 2 = 7 and 3 + 2 + 0 = 5, where 3 + 3 + 0 and 2 + 2 + 2 are even.
Packs pack_evenly(std::vector<PackItem> items, std::int64_t packs, std::int64_t alike_max);

/// Gives each expert a replica, then one by one the `slots` - experts further ones to the expert
/// with the highest load per replica (the first of several) that has fewer than `replicas_max`.
/// Replicas of an expert share its load evenly. In the order in which they arise: experts first,
/// then copies.
std::vector<PackItem> replicate_experts(const std::vector<double>& loads, std::int64_t slots,
                                        std::int64_t replicas_max);

/// What EPLB spreads its replicas over.
struct EplbRequest {
  std::int64_t slots = 1;  ///< of all GPUs: a multiple of `gpus`, and at least the experts
  std::int64_t groups = 1; ///< of experts, for node-limited routing: a divisor of the experts
  std::int64_t nodes = 1;  ///< a divisor of `gpus`
  std::int64_t gpus = 1;
};

/// The expert of each slot, GPU by GPU. Hierarchical where the nodes divide the groups: groups are
/// packed onto nodes, experts replicated within their node and replicas packed onto its GPUs, so
/// that groups stay within a node. Else global: as if all GPUs were one node and all experts one
/// group.
std::vector<std::int64_t> eplb(const EplbRequest& request, const std::vector<double>& loads);

} // namespace moesim
