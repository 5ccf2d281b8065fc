#include "tests/unit/scenario/scenario_text.hpp"

using namespace moesim;
using namespace moesim::scenario_tests;

namespace {

const std::vector<Refusal> refused = {
    {"layers of a pipeline",
     "tensor = 2",
     "offload_layers = 3",
     {},
     true,
     "s.toml:11:18: error: layers are offloaded without a pipeline only, not with pipeline 2\n"
     "  offload_layers = 3\n"
     "                   ^\n"
     "  hint: use offload_modules"},
    {"every layer",
     "",
     "",
     {"parallel.pipeline=1", "parallel.offload_layers=12"},
     true,
     "--set parallel.offload_layers=12:1:25: error: 12 layers to offload are not fewer than the 12 "
     "layers\n"
     "  parallel.offload_layers=12\n"
     "                          ^\n"
     "  hint: use 11 or less"},
    {"what is made again as a whole",
     "tensor = 2",
     "offload_modules = [\"core_attn\"]\nrecompute = \"full\"",
     {},
     true,
     "s.toml:11:19: error: full recomputation leaves nothing of a module to offload\n"
     "  offload_modules = [\"core_attn\"]\n"
     "                    ^\n"
     "  hint: use recompute = \"selective\", or \"none\""},
    {"a module that is none",
     "tensor = 2",
     "offload_modules = [\"moe\"]",
     {},
     false,
     "s.toml:11:19: error: there is no module \"moe\" to offload\n"
     "  offload_modules = [\"moe\"]\n"
     "                    ^\n"
     "  hint: the modules are attn_norm, qkv_linear, core_attn, attn_proj, mlp_norm, expert_fc1, "
     "moe_act"},
};

} // namespace

TEST_CASE("what cannot be offloaded is refused") {
  check(refused);
}

TEST_CASE("what saves memory is read") {
  const Folder folder;
  folder.write("config.json", config);
  const Workload workload =
      read_scenario(folder.write("s.toml", scenario),
                    {"parallel.pipeline=1", "parallel.offload_layers=11",
                     "parallel.offload_modules=[\"moe_act\", \"core_attn\"]",
                     "training.moment_precision=bf16", "training.master_weights=false",
                     "training.expandable_segments=true"})
          .workload;
  CHECK(workload.plan.offload_layers == 11);
  CHECK(workload.plan.offload_modules ==
        OffloadModules{OffloadModule::core_attention, OffloadModule::activation});
  CHECK(workload.training.optimizer_bytes() == 4);
  CHECK(workload.training.expandable_segments);
}

TEST_CASE("shards of weights in fp32 need shards, and are the master weights") {
  const auto message = [](const Settings& settings) {
    return message_of(scenario, settings, false);
  };
  const std::string shards = "training.weight_shards=\"fp32\"";
  CHECK(read_text(scenario, {shards, "parallel.zero_stage=3"}).workload.training.fp32_shards);
  CHECK(message({shards}).find("no weights are sharded") != std::string::npos);
  CHECK(message({shards, "parallel.zero_stage=3", "training.master_weights=false"})
            .find("shards in fp32 are the master weights") != std::string::npos);
}
