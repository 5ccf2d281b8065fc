// Speed of looking up the costs of kernels: those of one micro-batch of a scenario, again and
// again.

#include "sim/cost/costs.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/schedule/placed_stage.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace moesim;
namespace fs = std::filesystem;

const fs::path source = MOESIM_SOURCE_DIR;

/// The kernels of every stage, forward and backward.
std::vector<Kernel> kernels_of(const Workload& workload) {
  const ExpertLoads loads(workload);
  Works works;
  StepTables tables(workload, works);
  std::vector<Kernel> kernels;
  for (std::int64_t stage = 0; stage < workload.plan.pipeline; ++stage) {
    ChunkPasses passes(workload, stage, {&loads, 0, std::nullopt}, tables.works, tables.blocks,
                       tables.gradients);
    for (const auto& segments : {passes.forward(PassPosition::regular),
                                 passes.backward(Gradients::all, PassPosition::regular)})
      for (const Segment& segment : segments)
        if (segment.kind == OpKind::compute)
          for (const std::uint32_t list : works.computes[segment.work].kernels)
            kernels.insert(kernels.end(), works.kernel_lists[list].begin(),
                           works.kernel_lists[list].end());
  }
  return kernels;
}

/// Prints millions of look-ups a second over about a second.
void measure(const std::string& name, const ComputeCost& cost, const std::vector<Kernel>& kernels) {
  if (kernels.empty())
    return;
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  std::chrono::duration<double> elapsed{};
  std::size_t count = 0;
  Seconds sum; // used, so that nothing is left out
  while (elapsed.count() < 1.0) {
    for (const Kernel& kernel : kernels)
      sum += cost.time(kernel).time;
    count += kernels.size();
    elapsed = Clock::now() - start;
  }
  fmt::print("{:<58} {:6.1f} M/s   (mean {:.1f} us)\n", name,
             static_cast<double>(count) / elapsed.count() / 1e6,
             sum.value / static_cast<double>(count) * 1e6);
}

} // namespace

int main() {
  constexpr auto kinds =
      std::to_array<Named<KernelKind>>({{KernelKind::gemm, "products"},
                                        {KernelKind::grouped_gemm, "grouped products"},
                                        {KernelKind::grouped_data_gradient, "data gradients"},
                                        {KernelKind::grouped_weight_gradient, "weight gradients"},
                                        {KernelKind::batched_gemm, "batched products"},
                                        {KernelKind::attention_forward, "attention"},
                                        {KernelKind::attention_backward, "attention backward"},
                                        {KernelKind::token_scan, "scans"},
                                        {KernelKind::memory_bound, "memory-bound"}});
  static_assert(names_each(kinds));
  for (const char* name : {"mixtral-8x7b", "deepseek-v3", "qwen3-30b-a3b"}) {
    const Scenario scenario =
        read_scenario((source / "workloads" / name / "scenario.toml").string(), {});
    const Costs costs =
        load_costs(source / "calibration", scenario.topology, scenario.workload.training);
    const std::vector<Kernel> kernels = kernels_of(scenario.workload);
    measure(fmt::format("cost look-ups, {}", name), costs.compute, kernels);
    std::map<KernelKind, std::vector<Kernel>> by_kind;
    for (const Kernel& kernel : kernels)
      by_kind[kernel.kind].push_back(kernel);
    for (const auto& [kind, some] : by_kind)
      measure(fmt::format("  {}", name_of(kinds, kind)), costs.compute, some);
  }
}
