#include "sim/study/input_differences.hpp"

#include "sim/base/output_file.hpp"
#include "sim/base/scratch_folder.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("files are the same input where their content is") {
  const ScratchFolder folder;
  write_file(folder.path() / "a.toml", "gpus_max = 8\n");
  write_file(folder.path() / "copy.toml", "gpus_max = 8\n");
  write_file(folder.path() / "other.toml", "gpus_max = 9\n");
  const auto named = [&](const std::string& file) {
    return NamedInputs{{{"cluster.topology", file}}, {{"cluster.topology", folder.path() / file}}};
  };
  CHECK(input_differences(named("a.toml"), named("copy.toml")).empty());
  CHECK(input_differences(named("a.toml"), named("other.toml")) ==
        std::vector<InputDifference>{{"cluster.topology", "a.toml", "other.toml"}});
}

TEST_CASE("a key of the cluster stands in place of the one of the topology file") {
  const std::string scenario =
      std::string(MOESIM_SOURCE_DIR) + "/workloads/mixtral-8x7b/scenario.toml";
  const auto inputs = [&](const std::vector<std::string>& settings) {
    const ScenarioInput input = parse_scenario(scenario, settings);
    return named_inputs(input, resolve_scenario(input), "parallel.tensor=1");
  };
  // The file of these nodes has 400 Gbit/s: to write so again is no difference.
  CHECK(input_differences(inputs({}), inputs({"cluster.nic_gbit_per_s=400"})).empty());
  CHECK(input_differences(inputs({}), inputs({"cluster.nic_gbit_per_s=800", "model.layers=16",
                                              "cluster.scale_up_gpus=4"})) ==
        std::vector<InputDifference>{
            {"cluster.scale_up_gpus", "", "4"},
            {"model.layers", "32", "16"},
            // 16 of 32 layers are gone. One of them has 1,451,270,144 parameters:
            // (46,702,792,704 - 2 x 32,000 x 4,096 - 4,096) / 32.
            {"model.parameters_active", "12879925248", "6571036672"},
            {"model.parameters_total", "46702792704", "23482470400"},
            {"node.nic_gbit_per_s", "400", "800"}});
}
