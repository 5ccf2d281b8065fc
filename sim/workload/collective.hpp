#pragma once

#include <cstddef>
#include <vector>

namespace moesim {

/// The two kinds of network of a GPU cluster: inside a scale-up domain and between them.
enum class Tier {
  scale_up, ///< NVLink, or PCIe where there is none
  scale_out ///< InfiniBand or Ethernet
};

/// The communication patterns of a training step, by algorithm.
enum class Collective {
  all_to_all,           ///< each rank sends a message of its own to each peer
  all_gather,           ///< a ring of n − 1 steps
  reduce_scatter,       ///< a ring of n − 1 steps
  all_reduce,           ///< a reduce-scatter and an all-gather: 2·(n − 1) steps
  all_reduce_tree,      ///< up and down two binary trees over the scale-up domains
  all_reduce_in_switch, ///< summed in the scale-up switch (NVLink SHARP), rings between domains
  point_to_point,       ///< one sender, one receiver: pipeline stages
  dispatch, ///< tokens to experts: once to each scale-up domain, forwarded to the ranks there
  combine   ///< the way back, summed in each domain
};

/// How unevenly a collective loads its pairs of ranks: the load of each pair over the mean.
class LoadMatrix {
public:
  /// `values` by source, then by sink; their mean is 1.
  LoadMatrix(std::size_t ranks, std::vector<double> values)
      : ranks_(ranks), values_(std::move(values)) {}
  std::size_t ranks() const { return ranks_; }
  double share(std::size_t source, std::size_t sink) const {
    return values_[source * ranks_ + sink];
  }

private:
  std::size_t ranks_;
  std::vector<double> values_;
};

} // namespace moesim
