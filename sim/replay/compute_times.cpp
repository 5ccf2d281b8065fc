#include "sim/replay/compute_times.hpp"

#include <algorithm>

namespace moesim {

const ComputeTimes::ListTime& ComputeTimes::of_list(std::uint32_t list) const {
  if (list >= lists_.size())
    lists_.resize(works_.kernel_lists.size());
  ListTime& time = lists_[list];
  if (!time.kernels.empty())
    return time;
  for (const Kernel& kernel : works_.kernel_lists[list]) {
    time.kernels.push_back(cost_.time(kernel));
    time.total += time.kernels.back().time;
    if (kernel.kind == KernelKind::memory_bound || kernel.kind == KernelKind::token_scan)
      time.streaming += time.kernels.back().time;
  }
  return time;
}

Seconds ComputeTimes::of(const ComputeWork& work, const BesideCompute& beside,
                         std::size_t expert_rank) const {
  Seconds total;
  Seconds streaming;
  for (const std::uint32_t list : work.kernels_of(expert_rank)) {
    const ListTime& time = of_list(list);
    total += time.total;
    streaming += time.streaming;
  }
  if (work.beside && total > Seconds{}) {
    // During the communication the compute has the remaining SMs, and streaming kernels have the
    // remaining memory bandwidth.
    double slowdown = cost_.slowdown_beside(works_.collectives[*work.beside].kind);
    if (beside.time > Seconds{})
      slowdown *= cost_.bandwidth_slowdown_beside(beside.memory / beside.time, streaming / total);
    total = std::min(total * slowdown, total + beside.time * (1.0 - 1.0 / slowdown));
  }
  return total + cost_.host().launch_time(work.host.operators, work.host.launches);
}

} // namespace moesim
