#include "sim/study/simulate.hpp"

#include "tests/support/calibration.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <cmath>
#include <sstream>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

Prediction predict(const std::vector<std::string>& settings) {
  const Scenario scenario = read_scenario(
      std::string(MOESIM_SOURCE_DIR) + "/workloads/mixtral-8x7b/scenario.toml", settings);
  const Costs costs = load_costs(calibration_folder, scenario.topology, scenario.workload.training);
  return simulate(scenario, costs, {}, Twins::skip);
}

/// Two layers with 64 experts on 128 GPUs of racks of 72; `more` settings.
Prediction on_racks(std::vector<std::string> more) {
  more.insert(more.end(), {"model.layers=2", "model.experts=64", "cluster.gpus=128",
                           "parallel.pipeline=1", "parallel.expert=64", "training.global_batch=128",
                           "cluster.topology=../../topologies/gb200-nvl72.toml"});
  return predict(more);
}

/// "" if a prediction has no such diagnostic.
std::string diagnostic(const Prediction& prediction, const std::string& wanted) {
  for (const auto& [name, value] : prediction.diagnostics)
    if (name == wanted)
      return value;
  return "";
}

} // namespace

TEST_CASE("a step whose groups straddle domains says what that costs") {
  const Prediction whole = on_racks({});
  const Prediction packed = on_racks({"cluster.placement=packed"});
  CHECK(diagnostic(whole, warning_name).empty());
  CHECK(std::isnan(whole.result.straddling_ms));
  CHECK(packed.result.idle_gpus == 0.0);
  const double more_ms = packed.result.step_time_ms - whole.result.step_time_ms;
  CHECK(more_ms > 0.0);
  CHECK(packed.result.straddling_ms == more_ms);
  const std::string warning = diagnostic(packed, warning_name);
  CHECK_THAT(warning, Contains("straddle scale-up domains of 72 GPUs"));
  CHECK_THAT(warning,
             Contains(fmt::format("a step of {:.1f} ms, and of {:.1f} ms with groups placed "
                                  "whole: {:+.1f} ms",
                                  packed.result.step_time_ms, whole.result.step_time_ms, more_ms)));
  CHECK_THAT(warning, Contains("16 GPUs idle"));
}

// 504 Gbit/s are 63 GB/s, the PCIe of an H100. DeepEP forwards inside a node at a rate of its own.
TEST_CASE("a step says what limits its all-to-alls") {
  const auto limit = [](const std::string& nic, const std::string& dispatcher,
                        const std::string& pcie = "63") {
    return predict({"model.layers=2", "model.experts=16", "cluster.gpus=16", "parallel.pipeline=1",
                    "parallel.expert=16", "training.global_batch=16",
                    "cluster.nic_gbit_per_s=" + nic, "cluster.pcie_gbyte_per_s=" + pcie,
                    "communication.dispatcher=" + dispatcher})
        .result.ep_limited_by;
  };
  CHECK(limit("500", "alltoall") == "NIC egress");
  CHECK(limit("510", "alltoall") == "PCIe egress");
  CHECK(limit("200", "node-limited") == "NIC egress");
  CHECK(limit("1600", "node-limited") == "PCIe egress");
  CHECK(limit("1600", "node-limited", "200") == "the kernel's own rate");
  CHECK(predict({"model.layers=2", "cluster.gpus=1", "parallel.pipeline=1", "parallel.expert=1",
                 "training.global_batch=1"})
            .result.ep_limited_by.empty());
}

TEST_CASE("a searched plan has the numbers of the same plan when it is given") {
  const std::vector<std::string> machine = {"model.layers=4", "cluster.gpus=32",
                                            "training.global_batch=64"};
  std::vector<std::string> searched = machine;
  for (const char* fixed : {"parallel.search=best", "parallel.context=1",
                            "parallel.virtual_stages=1", "communication.overlap=none"})
    searched.emplace_back(fixed);
  const Prediction best = predict(searched);
  std::vector<std::string> given = machine;
  std::istringstream plan(best.result.plan);
  for (std::string setting; plan >> setting;)
    given.push_back(setting);
  const Prediction same = predict(given);
  for (const ResultColumn& column : result_columns())
    if (!std::string(column.name).starts_with("plans_")) {
      INFO(column.name);
      CHECK(cell_text(best.result, column) == cell_text(same.result, column));
    }
  CHECK(diagnostic(best, "operations") == diagnostic(same, "operations"));
}

TEST_CASE("a step is timed under uneven loads too, as if its routing drew them") {
  const std::vector<std::string> few = {"model.layers=8", "parallel.pipeline=1",
                                        "training.global_batch=128", "parallel.recompute=full"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), few.begin(), few.end());
    return predict(more).result;
  };
  const StepResult both = with({"routing.uneven_concentration=14"});
  // Eight layers draw loads of their own, and there are eight.
  const StepResult uneven = with({"routing.load=dirichlet", "routing.dirichlet_concentration=14"});
  CHECK(both.step_time_ms == with({}).step_time_ms);
  CHECK(both.uneven_step_time_ms == uneven.step_time_ms);
  CHECK(both.uneven_step_time_ms > both.step_time_ms);
  CHECK(both.uneven_reason.empty());
  CHECK(std::isnan(uneven.uneven_step_time_ms));
}

TEST_CASE("a plan without room for uneven loads says so") {
  const Prediction prediction =
      predict({"cluster.memory_gib=51", "routing.uneven_concentration=0.5"});
  CHECK(prediction.result.status == "ok");
  CHECK(std::isnan(prediction.result.uneven_step_time_ms));
  CHECK_THAT(prediction.result.uneven_reason, Contains("out of memory: "));
}
