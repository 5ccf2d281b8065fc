#pragma once

#include <cstdint>
#include <vector>

/// The expert-parallelism load balancer that DeepSeek published (github.com/deepseek-ai/EPLB,
/// README, "The Algorithm"): it replicates the busiest experts and spreads the replicas over the
/// GPUs.
///
/// Two rules are ours. First, a GPU holds an expert twice only if it has more slots than there are
/// experts to choose from. Second, no expert gets more replicas than GPUs can hold under the first
/// rule. The published algorithm has neither rule, and often puts two replicas on one GPU where a
/// few experts have most of a node's load. Placements differ from the published ones only there, or
/// by rounding, as the published code computes in single precision.
namespace moesim {

/// An item to pack: a replica of an expert, or a group of experts.
struct PackItem {
  std::int64_t id = 0; ///< number of the expert or of the group
  double load = 0.0;   ///< tokens, or any other unit that adds up
};

/// Packs (nodes, or GPUs) of equal capacity, filled one item after the other.
class Packs {
public:
  /// `capacity`: most items of a pack. `repeats_max`: most items of one id in a pack.
  Packs(std::int64_t count, std::int64_t capacity, std::int64_t repeats_max);

  std::int64_t count() const { return static_cast<std::int64_t>(packs_.size()); }
  double load(std::int64_t pack) const { return at(pack).load; }
  /// Items of a pack in the order in which they were added.
  const std::vector<PackItem>& items(std::int64_t pack) const { return at(pack).items; }
  /// True if the pack has room and holds fewer than `repeats_max` items of that id.
  bool accepts(std::int64_t pack, std::int64_t id) const;
  void add(std::int64_t pack, PackItem item);
  /// Adds to the least loaded pack that accepts the item; of equal packs, the first.
  void add_to_least_loaded(PackItem item);
  /// Adds an item that no pack accepts: a pack with room takes over an item of a full pack, which
  /// takes this item instead. Among possible exchanges it moves the item of least load. An exchange
  /// is possible if no id has more than `repeats_max` × packs items: if the pack with room refused
  /// all items of each full pack, it would be full.
  void add_by_exchange(PackItem item);

private:
  struct Pack {
    std::vector<PackItem> items;
    double load = 0.0;
  };
  const Pack& at(std::int64_t pack) const { return packs_[static_cast<std::size_t>(pack)]; }

  std::size_t capacity_;
  std::int64_t repeats_max_;
  std::vector<Pack> packs_;
};

/// Greedy balanced packing: items by falling load (of equal loads, the earlier first), each to the
/// least loaded pack with room. Packs of one item take the items in their given order. The number
/// of items must be a multiple of `packs`; at most `repeats_max` × `packs` items may share an id.
/// Greedy packing is not the best packing: loads 3, 3, 2, 2, 2, 0 in two packs of three become 3 +
/// 2 + 2 = 7 and 3 + 2 + 0 = 5, although 3 + 3 + 0 and 2 + 2 + 2 are even.
Packs pack_evenly(std::vector<PackItem> items, std::int64_t packs, std::int64_t repeats_max);

/// Gives each expert one replica, then the remaining `slots` - experts replicas one by one. Each
/// goes to the expert with the highest load per replica (of equal ones, the first) that has fewer
/// than `replicas_max`. Replicas of an expert share its load evenly. Returns first one replica of
/// each expert, then the others in the order in which they are added.
std::vector<PackItem> replicate_experts(const std::vector<double>& loads, std::int64_t slots,
                                        std::int64_t replicas_max);

/// Slots, GPUs and nodes over which EPLB spreads replicas.
struct EplbRequest {
  std::int64_t slots = 1;  ///< slots of all GPUs: a multiple of `gpus`, at least the number of
                           ///< experts
  std::int64_t groups = 1; ///< groups of experts, for node-limited routing: a divisor of the
                           ///< experts
  std::int64_t nodes = 1;  ///< a divisor of `gpus`
  std::int64_t gpus = 1;
};

/// The expert of each slot, GPU by GPU. Hierarchical if the nodes divide the groups: groups are
/// packed onto nodes, experts replicated within their node and replicas packed onto its GPUs, so
/// that groups stay within a node. Else global, with all GPUs as one node and all experts as one
/// group.
std::vector<std::int64_t> eplb(const EplbRequest& request, const std::vector<double>& loads);

} // namespace moesim
