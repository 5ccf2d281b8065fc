#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace moesim {

/// The two kinds of network of a GPU cluster: inside a scale-up domain and between them.
enum class Tier {
  scale_up, ///< NVLink, or PCIe
  scale_out ///< InfiniBand, RoCE or EFA
};

/// The communication patterns of a training step, by the algorithm that carries them: each has
/// costs of its own.
enum class Collective {
  all_to_all,      ///< each rank sends a message of its own to each peer, directly
  all_gather,      ///< a ring of n − 1 steps
  reduce_scatter,  ///< a ring of n − 1 steps
  all_reduce,      ///< a reduce-scatter and an all-gather: a ring of 2·(n − 1) steps
  all_reduce_tree, ///< up and down a tree of the domains, a chain inside each
  /// Sums made in the NVLink switches of each domain, and a tree of the domains where several take
  /// part.
  all_reduce_in_switch,
  point_to_point,   ///< one sender, one receiver: pipeline stages
  dispatch,         ///< tokens to their experts, once for each rank, or domain, that wants them
  combine,          ///< the way back, with sums
  dispatch_forward, ///< the part of a dispatch between domains that crosses NVLink
  combine_forward,  ///< likewise of a combine
  hybrid_dispatch,  ///< a dispatch by the kernels of HybridEP, others by those of DeepEP
  hybrid_combine
};

/// How unevenly a collective loads its pairs of ranks: the load of each pair over the mean.
class LoadMatrix {
public:
  /// Loads are `counts`, by source, then by sink, times `scale`; their mean is 1.
  LoadMatrix(std::size_t ranks, std::vector<std::uint32_t> counts, double scale)
      : ranks_(ranks),
        counts_(std::make_shared<const std::vector<std::uint32_t>>(std::move(counts))),
        scale_(scale) {}
  std::size_t ranks() const { return ranks_; }
  double share(std::size_t source, std::size_t sink) const {
    const std::size_t place = reversed_ ? sink * ranks_ + source : source * ranks_ + sink;
    return scale_ * (*counts_)[place];
  }
  /// What comes back where each pair's load has gone.
  LoadMatrix reversed() const {
    LoadMatrix other = *this;
    other.reversed_ = !reversed_;
    return other;
  }

private:
  std::size_t ranks_;
  std::shared_ptr<const std::vector<std::uint32_t>> counts_;
  double scale_;
  bool reversed_ = false;
};

} // namespace moesim
