#include "tests/property/random_case.hpp"

#include "sim/routing/expert_load.hpp"
#include "sim/schedule/layer_work.hpp"
#include "sim/study/simulate.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

using namespace moesim;

namespace {

const std::filesystem::path calibration = std::filesystem::path(MOESIM_SOURCE_DIR) / "calibration";
const CaseLimits small{{8, 16, 32, 64}, 2000};

/// A case whose experts are loaded unevenly, by one law or the other; dropless.
Scenario uneven(const RandomCase& drawn) {
  Scenario scenario = scenario_of(drawn);
  RoutingSpec& routing = scenario.workload.routing;
  routing.load = drawn.seed % 2 == 0 ? LoadKind::zipf : LoadKind::dirichlet;
  routing.zipf_alpha = 0.25 + 0.25 * static_cast<double>(drawn.seed % 4);
  routing.dirichlet_concentration = 0.5 + static_cast<double>(drawn.seed % 3);
  routing.capacity_factor = 0.0;
  routing.seed = drawn.seed;
  return scenario;
}

Seconds step_time(const Scenario& scenario, Fidelity fidelity) {
  const Topology topology(scenario.topology, scenario.workload.plan.gpus);
  const Costs costs = load_costs(calibration, scenario.topology);
  return replay_step(scenario.workload, topology, fidelity, costs).metrics.step_time;
}

bool is_moe(const Scenario& scenario) {
  return scenario.workload.model.is_moe() && scenario.workload.plan.expert > 1;
}

/// What the experts of all ranks of a group compute in a pass, in multiples of their products'
/// FLOPs.
double expert_flops(const StageWork& work) {
  double flops = 0.0;
  for (const Segment& segment : work.forward)
    if (const auto* compute = std::get_if<ComputeWork>(&segment.work))
      for (const Kernel& kernel : compute->kernels)
        if (kernel.part == KernelPart::expert)
          flops += kernel.flops.value;
  return flops;
}

} // namespace

// Tokens of each expert are rounded up to whole numbers: below one in a hundred here.
TEST_CASE("uneven experts compute as many tokens together as even ones") {
  for (const RandomCase& drawn : random_cases(9000, 60, small)) {
    Scenario scenario = uneven(drawn);
    if (!is_moe(scenario))
      continue;
    INFO(drawn.text());
    const ParallelPlan& plan = scenario.workload.plan;
    double together = 0.0;
    for (std::int64_t rank = 0; rank < plan.expert; ++rank)
      together += expert_flops(stage_work(scenario.workload, 0, {nullptr, 0, rank}));
    scenario.workload.routing.load = LoadKind::uniform;
    const double even = expert_flops(stage_work(scenario.workload, 0));
    CHECK(together >= static_cast<double>(plan.expert) * even * (1.0 - 1e-2));
    CHECK(together <= static_cast<double>(plan.expert) * even * (1.0 + 1e-2));
  }
}

TEST_CASE("uneven loads: ranks agree with flows, and a step is no faster than an even one") {
  std::size_t checked = 0;
  for (const RandomCase& drawn : random_cases(9100, 60, small)) {
    const Scenario scenario = uneven(drawn);
    if (!is_moe(scenario))
      continue;
    INFO(drawn.text());
    const Seconds flows = step_time(scenario, Fidelity::flows);
    CHECK(step_time(scenario, Fidelity::ranks) / flows == Approx(1.0).epsilon(0.02));
    CHECK(step_time(scenario, Fidelity::folded) / flows == Approx(1.0).epsilon(1e-6));
    Scenario even = scenario;
    even.workload.routing.load = LoadKind::uniform;
    CHECK(step_time(even, Fidelity::flows) <= flows * (1.0 + 1e-9));
    ++checked;
  }
  CHECK(checked >= 20);
}
