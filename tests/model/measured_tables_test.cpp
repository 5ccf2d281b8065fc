#include "sim/calibrate/make_calibration.hpp"
#include "sim/cost/costs.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/study/calibration_effects.hpp"
#include "sim/study/simulate.hpp"

#include "tests/support/calibration.hpp"
#include "tests/support/synthetic_tables.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

namespace fs = std::filesystem;

const fs::path workloads = fs::path(MOESIM_SOURCE_DIR) / "workloads";
constexpr const char* files[] = {"gemm",       "expert_gemm",  "attention", "router",
                                 "permute",    "memory_bound", "copy",      "launch",
                                 "all_to_all", "interference"};

ComputeCost h100_cost() {
  return ComputeCost::load(calibration_folder, {"h100-sxm", tflops(989.4), tflops(1978.9),
                                                gbyte_per_s(3350), 132, "nvlink4"});
}

const std::vector<ShippedStep> steps = {
    {"Mixtral", workloads / "mixtral-8x7b/scenario.toml", {}},
    {"DeepSeek",
     workloads / "deepseek-v3/scenario.toml",
     {"communication.overlap=\"batch\"", "parallel.schedule=\"dualpipe\""}},
    {"Qwen3", workloads / "qwen3-30b-a3b/scenario.toml", {"training.cuda_graph_scope=\"none\""}}};

StepResult result_with(const fs::path& calibration, const ShippedStep& step) {
  const Scenario scenario = read_scenario(step.scenario, step.settings);
  return simulate(scenario, load_costs(calibration, scenario.topology, scenario.workload.training),
                  {}, Twins::skip)
      .result;
}

/// A calibration with synthetic tables of these factors.
class Calibrated {
public:
  Calibrated(const ComputeCost& cost, const std::map<std::string, double>& slowed) {
    CalibrationInputs inputs;
    for (const auto& [name, path] : SyntheticTables(cost, tables_.path()).write(slowed))
      inputs.tables.push_back(path);
    make_calibration(calibration_folder, inputs, out_.path());
  }
  const fs::path& path() const { return out_.path(); }

private:
  TemporaryFolder tables_;
  TemporaryFolder out_;
};

} // namespace

TEST_CASE("tables that agree with the shipped costs change no shipped step") {
  const ComputeCost cost = h100_cost();
  const Calibrated same(cost, {});
  for (const ShippedStep& step : steps) {
    INFO(step.name);
    const double before = result_with(calibration_folder, step).step_time_ms;
    CHECK(result_with(same.path(), step).step_time_ms == Approx(before).epsilon(0.015));
  }
}

TEST_CASE("all tables at half speed double the computes and the exchange inside nodes") {
  const ComputeCost cost = h100_cost();
  std::map<std::string, double> all;
  for (const char* file : files)
    all[file] = 2.0;
  const Calibrated same(cost, {});
  const Calibrated half(cost, all);
  for (const ShippedStep& step : steps) {
    INFO(step.name);
    const StepResult before = result_with(same.path(), step);
    const StepResult after = result_with(half.path(), step);
    CHECK(after.attention_ms == Approx(2.0 * before.attention_ms).epsilon(0.04));
    CHECK(after.router_ms == Approx(2.0 * before.router_ms).epsilon(0.03));
    CHECK(after.permute_ms == Approx(2.0 * before.permute_ms).epsilon(0.03));
    CHECK(after.expert_ms == Approx(2.0 * before.expert_ms).epsilon(0.03));
    CHECK(after.optimizer_ms == Approx(2.0 * before.optimizer_ms).epsilon(0.03));
  }
  // Mixtral's experts are spread over the eight GPUs of a node.
  CHECK(result_with(half.path(), steps[0]).ep_total_ms ==
        Approx(2.0 * result_with(same.path(), steps[0]).ep_total_ms).epsilon(0.05));
}

TEST_CASE("each table alone at half speed slows a shipped step by its share") {
  const ComputeCost cost = h100_cost();
  const Calibrated same(cost, {});
  std::vector<StepResult> before;
  for (const ShippedStep& step : steps)
    before.push_back(result_with(same.path(), step));
  std::map<std::string, std::vector<double>> added; // milliseconds by step
  for (const char* file : files) {
    const Calibrated half(cost, {{file, 2.0}});
    double largest_percent = 0.0;
    for (std::size_t number = 0; number < steps.size(); ++number) {
      INFO(file << " in " << steps[number].name);
      const double known = before[number].step_time_ms;
      added[file].push_back(result_with(half.path(), steps[number]).step_time_ms - known);
      CHECK(added[file].back() >= -1e-3 * known);
      largest_percent = std::max(largest_percent, 100.0 * added[file].back() / known);
    }
    INFO(file);
    CHECK(largest_percent > 0.1);
  }
  // Mixtral's step is nearly all computes: what the tables add together is the computes' time.
  double sum = 0.0;
  for (const char* file : {"gemm", "expert_gemm", "attention", "router", "permute", "memory_bound"})
    sum += added[file][0];
  CHECK(sum == Approx(before[0].compute_ms).epsilon(0.12));
  CHECK(added["expert_gemm"][0] == Approx(before[0].expert_ms).epsilon(0.15));
}
