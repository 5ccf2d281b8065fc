#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/schedule/works.hpp"

#include <cstddef>
#include <vector>

namespace moesim {

/// The communication beside a compute.
struct BesideCompute {
  Seconds time;
  Bytes memory; ///< bytes read from and written to the memory of each of its GPUs
};

/// The times of the computes of a step. Each distinct list of kernels is timed once.
class ComputeTimes {
public:
  /// Times of one list of kernels alone on the GPU.
  struct ListTime {
    Seconds total;
    Seconds streaming;               ///< time of memory-bound kernels
    std::vector<KernelTime> kernels; ///< in the order of the list; empty until it is timed
  };

  /// Both arguments must outlive this object.
  ComputeTimes(const Works& works, const ComputeCost& cost) : works_(works), cost_(cost) {}

  const ComputeCost& cost() const { return cost_; }
  const ListTime& of_list(std::uint32_t list) const;
  /// The time of a compute: the sum of its kernels, and the host's time to launch them. `beside`:
  /// the communication beside it, if any, during which the compute has fewer SMs and less memory
  /// bandwidth. `expert_rank`: the rank's index in the expert-parallel group, if ranks differ.
  Seconds of(const ComputeWork& work, const BesideCompute& beside = {},
             std::size_t expert_rank = 0) const;

private:
  const Works& works_;
  const ComputeCost& cost_;
  mutable std::vector<ListTime> lists_; ///< by index of Works::kernel_lists, timed at first use
};

} // namespace moesim
