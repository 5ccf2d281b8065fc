#include "sim/scenario/scenario.hpp"
#include "sim/study/simulate.hpp"
#include "tests/support/calibration.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <sstream>

/// The recipes of ARCHITECTURE.md, cooked: each adds to the simulator all that the recipe names,
/// from outside the sources.
using namespace moesim;

namespace {

namespace fs = std::filesystem;

const fs::path project = MOESIM_SOURCE_DIR;

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

/// A step of Mixtral on 64 GPUs in two pipeline stages.
Scenario small_scenario(const fs::path& topology) {
  return read_scenario(project / "workloads/mixtral-8x7b/scenario.toml",
                       {"cluster.topology=\"" + topology.string() + "\"", "cluster.gpus=64",
                        "parallel.pipeline=2", "training.global_batch=64"});
}

/// GPipe (Huang et al., arXiv 1811.06965): all forward passes, then all backward passes.
StageOrder order_of_gpipe(const ParallelPlan&, std::int64_t, std::int64_t micro_batches) {
  StageOrder order;
  for (const Pass pass : {Pass::forward, Pass::backward})
    for (std::int64_t micro_batch = 0; micro_batch < micro_batches; ++micro_batch)
      order.push_back({pass, micro_batch});
  return order;
}
constexpr Schedule gpipe = {.name = "gpipe", .order = order_of_gpipe};

} // namespace

TEST_CASE("a GPU is a row of gpus.csv and a topology file") {
  const TemporaryFolder folder;
  fs::copy(calibration_folder, folder.path(), fs::copy_options::recursive);
  folder.write(
      "gpus.csv",
      text_of(calibration_folder / "gpus.csv") +
          "x1-sxm,h200-sxm,1978.8,3957.8,9600,700,none,132,nvlink4,450,140.4,90,assumption,"
          "twice an H200\n");
  const fs::path h200 = project / "topologies/hgx-h200-ndr400.toml";
  std::string text = replaced(text_of(h200), "h200-sxm", "x1-sxm");
  text = replaced(text, "bf16_tflops = 989.4", "bf16_tflops = 1978.8");
  text = replaced(text, "fp8_tflops = 1978.9", "fp8_tflops = 3957.8");
  text = replaced(text, "memory_gbyte_per_s = 4800", "memory_gbyte_per_s = 9600");
  const Scenario known = small_scenario(h200);
  const Scenario added = small_scenario(folder.write("x1.toml", text));
  const auto step = [&](const Scenario& scenario) {
    return simulate(scenario,
                    load_costs(folder.path(), scenario.topology, scenario.workload.training), {},
                    Twins::skip)
        .result;
  };
  const StepResult before = step(known);
  const StepResult after = step(added);
  CHECK(before.status == "ok");
  CHECK(after.status == "ok");
  // Kernels take half as long, the network as long as before.
  CHECK(after.step_time_ms < before.step_time_ms);
  CHECK(after.step_time_ms > before.step_time_ms / 2.0);
}

// All forward passes come first: a stage keeps all micro-batches, and one micro-batch more keeps
// more; 1F1B keeps as many as there are stages.
TEST_CASE("a pipeline schedule is one row, in a file of its own") {
  const Scenario scenario = small_scenario(project / "topologies/hgx-h200-ndr400.toml");
  const Costs costs = load_costs(calibration_folder, scenario.topology, scenario.workload.training);
  Scenario changed = scenario;
  changed.workload.plan.schedule = gpipe;
  const Workload& workload = changed.workload;
  CHECK_FALSE(find_plan_fault(workload.plan, workload.model, workload.training));
  const StepResult before = simulate(scenario, costs, {}, Twins::skip).result;
  const StepResult after = simulate(changed, costs, {}, Twins::skip).result;
  CHECK(after.status == "ok");
  CHECK(after.memory_gib_per_gpu > before.memory_gib_per_gpu);
  // Its rules: a schedule that says nothing has one chunk a stage, and pairs no passes.
  ParallelPlan plan = workload.plan;
  plan.virtual_stages = 2;
  plan.layers_per_stage = spread_layers(32, 4);
  CHECK(find_plan_fault(plan, workload.model, workload.training)->key == "virtual_stages");
  plan = workload.plan;
  plan.overlap_batches = true;
  CHECK(find_plan_fault(plan, workload.model, workload.training)->key == "overlap");
}
