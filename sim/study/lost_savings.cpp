#include "sim/study/lost_savings.hpp"

#include "sim/base/check.hpp"

#include <cmath>

namespace moesim {

void fill_lost_savings(const Waterfall& dense, StepResult& result) {
  if (std::isnan(result.savings_kept_percent))
    return;
  INVARIANT(dense.ep_exposed == Seconds{}, "dense model waits {} s for its experts",
            dense.ep_exposed.value);
  const double ideal = result.ideal_speedup;
  const double points_per_ms = 100.0 * ideal / (ideal - 1.0) / result.step_time_ms;
  const auto lost = [&](double time_ms, Seconds dense_time) {
    return points_per_ms * (time_ms - dense_time.value * 1e3 / ideal);
  };
  const double routing_ms = result.router_ms + result.permute_ms;
  result.lost_router_percent = lost(routing_ms, {});
  result.lost_expert_gemm_percent =
      lost(result.compute_ms - routing_ms - result.imbalance_gemm_ms, dense.compute);
  result.lost_imbalance_percent = lost(result.imbalance_ms, {});
  const double even_ep_ms = result.ep_exposed_ms - result.imbalance_all_to_all_ms;
  const double scale_out_ms = result.ep_exposed_ms > 0.0
                                  ? even_ep_ms * (result.ep_scale_out_ms / result.ep_exposed_ms)
                                  : 0.0;
  result.lost_ep_scale_up_percent = lost(even_ep_ms - scale_out_ms, {});
  result.lost_ep_scale_out_percent = lost(scale_out_ms, {});
  result.lost_pp_percent = lost(result.pp_bubble_ms, dense.pp_bubble);
  result.lost_tp_percent = lost(result.tp_exposed_ms, dense.tp_exposed);
  result.lost_dp_percent = lost(result.dp_exposed_ms, dense.dp_exposed);
  result.lost_optimizer_percent = lost(result.optimizer_ms, dense.optimizer);
  result.lost_other_percent = lost(result.other_ms, dense.other);
}

} // namespace moesim
