#include "sim/study/dense_twin.hpp"

#include "sim/input/file_text.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace moesim;

namespace {

const std::filesystem::path project = MOESIM_SOURCE_DIR;
using Settings = std::vector<std::string>;

/// Mixtral with 4 layers on 32 GPUs.
ScenarioInput small_mixtral_input(const Settings& settings) {
  Settings all{"model.layers=4", "cluster.gpus=32", "training.global_batch=256"};
  all.insert(all.end(), settings.begin(), settings.end());
  return parse_scenario(project / "workloads/mixtral-8x7b/scenario.toml", all);
}

Scenario small_mixtral(const Settings& settings) {
  return resolve_scenario(small_mixtral_input(settings));
}

std::string both_keys(const Settings& settings) {
  const Scenario scenario = small_mixtral(settings);
  return key_of(dense_twin_problem(scenario)) + key_of(active_dense_twin_problem(scenario));
}

/// A key of a scenario with another value, under settings that both need.
struct KeyCase {
  std::string key;
  std::string value;
  Settings both = {};
};

/// The twins depend on these keys.
const std::vector<KeyCase> of_twins = {
    {"model.config", "\"../qwen3-30b-a3b/config.json\""},
    {"model.family", "\"grok-1\""},
    {"model.layers", "8"},
    {"model.experts", "16"},
    {"model.experts_per_token", "4"},
    {"model.expert_hidden", "1024"},
    {"model.shared_experts", "1"},
    {"model.mtp_layers", "1"},
    {"cluster.topology", "\"../../topologies/hgx-b200-ndr400.toml\""},
    {"cluster.gpus", "64"},
    {"training.micro_batch", "2"},
    {"parallel.context", "2"},
    {"parallel.zero_stage", "2"},
    {"cluster.placement", "\"packed\""},
    {"parallel.search", "\"best\""},
    {"cluster.fault", "[{nic=\"Node[0].Nic[1]\", capacity_share=0.5}]"},
    {"training.sequence_length", "2048"},
    {"training.global_batch", "512"},
    {"training.precision", "\"fp8\""},
    {"training.fp8_recipe", "\"mxfp8\"", {"training.precision=\"fp8\""}},
    {"training.fused_experts", "true"},
    {"training.cuda_graph_scope", "\"none\""},
    {"training.attention", "\"unfused\""},
    {"training.attention_dropout", "0.1", {"training.attention=\"unfused\""}},
    {"training.hidden_dropout", "0.1"},
    {"training.gradient_precision", "\"bf16\""},
    {"training.moment_precision", "\"bf16\""},
    {"training.master_weights", "false"},
    {"training.weight_shards", "\"fp32\"", {"parallel.zero_stage=3"}},
    {"training.compressed_activations", "true"},
    {"training.expandable_segments", "true"},
    {"parallel.offload_layers", "1", {"parallel.pipeline=1"}},
    {"parallel.offload_modules", "[\"core_attn\"]"},
    {"communication.overlap_tensor", "true"},
    {"communication.overlap_data_parallel", "false"},
    {"simulation.fidelity", "\"ranks\""},
};

/// The twins do not: they choose a plan of their own, and have no experts to send tokens to.
const std::vector<KeyCase> of_the_moe = {
    {"parallel.tensor", "2"},
    {"parallel.pipeline", "2"},
    {"parallel.expert", "4"},
    {"parallel.expert_tensor", "2", {"parallel.expert=2"}},
    {"parallel.sequence_parallel", "false", {"parallel.tensor=1"}},
    {"parallel.schedule", "\"zero-bubble\""},
    {"parallel.virtual_stages", "2", {"parallel.schedule=\"zero-bubble\"", "parallel.pipeline=2"}},
    {"parallel.layers_per_stage", "[1, 3]", {"parallel.pipeline=2"}},
    {"parallel.recompute", "\"full\""},
    {"parallel.recompute_modules", "[\"layernorm\"]", {"parallel.recompute=\"selective\""}},
    {"communication.dispatcher", "\"allgather\""},
    {"communication.dispatch_library",
     "\"hybridep\"",
     {"communication.dispatcher=\"node-limited\""}},
    {"communication.dispatch_precision", "\"fp8\""},
    {"communication.overlap", "\"shared-expert\"", {"model.shared_experts=1"}},
    {"communication.wait_for_ranks_us", "5"},
    {"training.tokens", "1e12"},
};

std::string both_keys(const KeyCase& key) {
  Settings settings = key.both;
  settings.push_back(key.key + "=" + key.value);
  return both_keys(settings);
}

/// The keys that SCENARIO.md lists, but those of [routing] and [failures].
std::set<std::string> documented_keys() {
  std::set<std::string> keys;
  std::string table;
  std::istringstream lines(read_file(project / "workloads/SCENARIO.md"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ["))
      table = line.substr(4, line.find(']') - 4);
    if (!line.starts_with("| `") || table == "routing" || table == "failures")
      continue;
    const std::string cell = line.substr(0, line.find('|', 1));
    const std::regex name("`([a-z0-9_]+)`");
    for (std::sregex_iterator match(cell.begin(), cell.end(), name), end; match != end; ++match)
      keys.insert(table + "." + (*match)[1].str());
  }
  return keys;
}

} // namespace

TEST_CASE("every key of a scenario either changes the problem of a twin or leaves it alone") {
  std::set<std::string> sorted;
  for (const KeyCase& key : of_twins) {
    INFO(key.key);
    CHECK(both_keys(key) != both_keys(key.both));
    sorted.insert(key.key);
  }
  for (const KeyCase& key : of_the_moe) {
    INFO(key.key);
    CHECK(both_keys(key) == both_keys(key.both));
    sorted.insert(key.key);
  }
  sorted.insert("training.global_batch_tokens"); // global_batch in another unit
  CHECK(sorted == documented_keys());
}

TEST_CASE("no load of experts changes the problem of a twin") {
  const std::string even = both_keys(Settings{});
  CHECK(both_keys(Settings{"routing.load=zipf", "routing.zipf_alpha=1.0"}) == even);
  CHECK(both_keys(Settings{"routing.load=random", "routing.seed=7"}) == even);
  CHECK(both_keys(Settings{"routing.capacity_factor=1.25"}) == even);
  CHECK(both_keys(Settings{"routing.redundant_experts=8"}) == even);
}

TEST_CASE("no failure changes the problem of a twin") {
  const std::string without = both_keys(Settings{});
  CHECK(both_keys(Settings{"failures.fleet=rsc-1", "failures.spare_hosts=0"}) == without);
}

TEST_CASE("every number of a cluster changes the problem of a twin") {
  const std::string shipped = both_keys(Settings{});
  for (const char* setting :
       {"memory_gib=60", "memory_gbyte_per_s=2000", "sms=100", "bf16_tflops=500", "fp8_tflops=1500",
        "nic_gbit_per_s=100", "nic_latency_us=3", "nics=4", "pcie_gbyte_per_s=20",
        "scale_up_gbyte_per_s=300", "scale_up_latency_us=2", "scale_up_gpus=4",
        "scale_up_switch_gpus=4", "oversubscription=4", "nodes_per_leaf=2", "switch_latency_us=4",
        "gpus_max=4096", "host=\"grace\""}) {
    INFO(setting);
    CHECK(both_keys(Settings{std::string("cluster.") + setting}) != shipped);
  }
}

TEST_CASE("the active dense twin does not depend on the number of experts") {
  const Scenario few = small_mixtral({"model.experts=8"});
  const Scenario many = small_mixtral({"model.experts=64"});
  CHECK(key_of(active_dense_twin_problem(few)) == key_of(active_dense_twin_problem(many)));
  CHECK(key_of(dense_twin_problem(few)) != key_of(dense_twin_problem(many)));
}

TEST_CASE("where a fault is written does not change the problem of a twin") {
  ScenarioInput input = small_mixtral_input({"cluster.fault=[{rail=1, capacity_share=0.5}]"});
  const std::string key = key_of(dense_twin_problem(resolve_scenario(input)));
  input.cluster.topology.written.faults.front().where = {"another.toml", 7, 3};
  CHECK(key_of(dense_twin_problem(resolve_scenario(input))) == key);
}

TEST_CASE("a twin captures the parts of a fixed plan that a dense model has") {
  const std::string attention = "training.cuda_graph_scope=[\"attn\"]";
  const std::string router = "training.cuda_graph_scope=[\"attn\",\"moe_router\"]";
  CHECK(dense_twin_problem(small_mixtral({router})).choices.graphs ==
        std::vector{CudaGraphs{.attention = true}});
  CHECK(both_keys(Settings{router}) == both_keys(Settings{attention}));
}

TEST_CASE("the scope of a twin is open where that of the searched plan is") {
  CHECK(dense_twin_problem(small_mixtral({"parallel.search=best"})).choices.graphs ==
        std::vector{CudaGraphs{.full_iteration = true}}); // as the scenario has it
  const std::filesystem::path open = project / "workloads/mixtral-8x7b/best-plan.toml";
  CHECK(dense_twin_problem(read_scenario(open, {})).choices.graphs.empty());
}
