#include "sim/replay/replay.hpp"

#include <algorithm>

namespace moesim {

ComputeTime compute_time(const ComputeWork& work, const ComputeCost& cost,
                         const BesideCompute& beside, std::size_t expert_rank) {
  ComputeTime sum;
  Seconds streaming;
  const std::vector<Kernel>& kernels =
      work.by_expert_rank.empty() ? work.kernels : work.by_expert_rank.at(expert_rank);
  for (const Kernel& kernel : kernels) {
    const KernelTime time = cost.time(kernel);
    sum.total += time.time;
    if (time.basis != CostBasis::measured)
      sum.extrapolated += time.time;
    if (kernel.kind == KernelKind::memory_bound)
      streaming += time.time;
  }
  if (work.beside && sum.total > Seconds{}) {
    // While the communication lasts, the compute has the SMs that are left, and what streams has
    // the memory bandwidth that is left.
    double slowdown = cost.slowdown_beside(work.beside->kind);
    if (beside.time > Seconds{})
      slowdown *= 1.0 + streaming / sum.total *
                            (cost.memory_slowdown_beside(beside.memory / beside.time) - 1.0);
    const Seconds slowed =
        std::min(sum.total * slowdown, sum.total + beside.time * (1.0 - 1.0 / slowdown));
    sum.extrapolated = sum.extrapolated * (slowed / sum.total);
    sum.total = slowed;
  }
  sum.total += cost.host().launch_time(work.host.operators, work.host.launches);
  return sum;
}

} // namespace moesim
