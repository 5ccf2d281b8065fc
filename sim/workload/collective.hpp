#pragma once

namespace moesim {

/// The two kinds of network of a GPU cluster: inside a node (or an NVLink domain) and between them.
enum class Tier {
  scale_up, ///< NVLink
  scale_out ///< InfiniBand or RoCE Ethernet, one network card a GPU
};

/// The communication patterns of a training step.
enum class Collective {
  all_to_all,     ///< each rank sends a message of its own to each peer: dispatch and combine
  all_gather,     ///< a ring of n − 1 steps
  reduce_scatter, ///< a ring of n − 1 steps
  all_reduce,     ///< a reduce-scatter and an all-gather: 2·(n − 1) steps
  point_to_point  ///< one sender, one receiver: pipeline stages
};

} // namespace moesim
