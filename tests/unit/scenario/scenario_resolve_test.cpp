#include "tests/unit/scenario/scenario_text.hpp"

#include "sim/study/dense_twin.hpp"

#include <functional>

using namespace moesim;
using namespace moesim::scenario_tests;

namespace {

/// A change of a file's text, and the same change of what was parsed from the text.
struct Edit {
  std::string file; ///< "s.toml", "config.json" or "hgx.toml", the shipped topology
  std::string old;
  std::string now;
  std::function<void(ScenarioInput&)> change;
};

const std::vector<Edit> edits = {
    {"hgx.toml", "scale_up = \"nvlink4\"", "scale_up = \"nvlink4\"\nscale_up_gpus = 16",
     [](ScenarioInput& input) { input.cluster.topology.scale_up_gpus = 16; }},
    {"hgx.toml", "scale_up = \"nvlink4\"", "scale_up = \"nvlink4\"\nscale_up_gpus = 4",
     [](ScenarioInput& input) { input.cluster.topology.scale_up_gpus = 4; }},
    {"hgx.toml", "gpus = 8", "gpus = 4",
     [](ScenarioInput& input) { input.cluster.topology.written.node.gpus = 4; }},
    {"hgx.toml", "nics = 8", "nics = 16",
     [](ScenarioInput& input) { input.cluster.topology.written.node.nics = 16; }},
    {"hgx.toml", "nic = \"infiniband\"", "nic = \"efa\"",
     [](ScenarioInput& input) { input.cluster.topology.written.node.nic_interconnect = "efa"; }},
    {"hgx.toml", "nodes_per_leaf = 32", "nodes_per_leaf = 2",
     [](ScenarioInput& input) { input.cluster.topology.written.fabric.nodes_per_leaf = 2; }},
    {"s.toml", "gpus = 32", "gpus = 64", [](ScenarioInput& input) { input.cluster.gpus = 64; }},
    {"s.toml", "pipeline = 2", "pipeline = 4",
     [](ScenarioInput& input) { input.plan.written.pipeline = 4; }},
    {"s.toml", "tensor = 2", "tensor = 4",
     [](ScenarioInput& input) { input.plan.written.tensor = 4; }},
    {"s.toml", "config = \"config.json\"", "config = \"config.json\"\nlayers = 8",
     [](ScenarioInput& input) { input.model.overrides.layers = 8; }},
    {"s.toml", "config = \"config.json\"", "config = \"config.json\"\nexperts = 16",
     [](ScenarioInput& input) { input.model.overrides.experts = 16; }},
    {"config.json", "\"num_local_experts\": 24", "\"num_local_experts\": 48",
     [](ScenarioInput& input) { input.model.published.experts.experts = 48; }},
    {"s.toml", "balancing = \"none\"", "balancing = \"bias\"",
     [](ScenarioInput& input) { input.routing.written.router.balancing = Balancing::bias; }},
    {"s.toml", "dispatch_library = \"deepep\"", "dispatch_library = \"hybridep\"",
     [](ScenarioInput& input) { input.communication.library = Library::hybridep; }},
};

/// Groups of 16 ranks leave their node; the expert degree, the split of the layers and the
/// coefficient of the router are left to follow.
std::string text_of_scenario() {
  std::string text = with(scenario, source + "/topologies/hgx-h100-ndr400.toml", "hgx.toml");
  text = with(text, "expert = 8", "expert = \"auto\"");
  text = with(text, "load = \"uniform\"", "load = \"trained\"\nbalancing = \"none\"");
  return with(text, "dispatcher = \"alltoall\"",
              "dispatcher = \"node-limited\"\ndispatch_library = \"deepep\"");
}

fs::path write_files(const Folder& folder, const Edit& edit) {
  const auto edited = [&](const std::string& file, const std::string& text) {
    return file == edit.file ? with(text, edit.old, edit.now) : text;
  };
  std::ifstream shipped(source + "/topologies/hgx-h100-ndr400.toml");
  const std::string topology(std::istreambuf_iterator<char>(shipped), {});
  folder.write("config.json", edited("config.json", config));
  folder.write("hgx.toml", edited("hgx.toml", topology));
  return folder.write("s.toml", edited("s.toml", text_of_scenario()));
}

void check_same(const Scenario& one, const Scenario& other) {
  CHECK(key_of(dense_twin_problem(one)) == key_of(dense_twin_problem(other)));
  const Workload& a = one.workload;
  const Workload& b = other.workload;
  CHECK(a.plan.gpus == b.plan.gpus);
  CHECK(a.plan.data() == b.plan.data());
  CHECK(a.plan.expert == b.plan.expert);
  CHECK(a.plan.layers_per_stage == b.plan.layers_per_stage);
  CHECK(a.routing.scale_up_gpus == b.routing.scale_up_gpus);
  CHECK(a.routing.router == b.routing.router);
  CHECK(a.communication.host_posts == b.communication.host_posts);
}

} // namespace

TEST_CASE("a parsed scenario that is edited resolves to what the edited files say") {
  const Folder folder;
  const ScenarioInput input = parse_scenario(write_files(folder, {}), {});
  for (const Edit& edit : edits) {
    INFO(edit.file << ": " << edit.now);
    ScenarioInput changed = input;
    edit.change(changed);
    check_same(resolve_scenario(changed), read_scenario(write_files(folder, edit), {}));
  }
}

// A group of 8 ranks leaves domains of 4 GPUs, over EFA by the host.
TEST_CASE("what follows from the topology follows from an edited one") {
  const Folder folder;
  ScenarioInput input = parse_scenario(write_files(folder, {}), {});
  const auto posts = [&] { return resolve_scenario(input).workload.communication.host_posts; };
  CHECK(resolve_scenario(input).workload.routing.scale_up_gpus == 8);
  CHECK_FALSE(posts());
  input.cluster.topology.written.node.nic_interconnect = "efa";
  CHECK_FALSE(posts());
  input.cluster.topology.scale_up_gpus = 4;
  CHECK(posts());
  CHECK(resolve_scenario(input).workload.routing.scale_up_gpus == 4);
}

TEST_CASE("resolving twice gives the same, and changes nothing that was parsed") {
  const ScenarioInput input = [] {
    const Folder folder;
    return parse_scenario(write_files(folder, {}), {});
  }();
  check_same(resolve_scenario(input), resolve_scenario(input));
}

TEST_CASE("an edited scenario that cannot run is told where its keys are written") {
  const Folder folder;
  ScenarioInput input = parse_scenario(write_files(folder, {}), {});
  input.cluster.gpus = 33;
  CHECK_THROWS_WITH(resolve_scenario(input), Catch::Contains("s.toml:5:8: error: 33 GPUs"));
  input.cluster.gpus = 32'768;
  CHECK_THROWS_AS(resolve_scenario(input), IllegalScenario);
}

// The router would be trained for days.
TEST_CASE("reading a scenario trains no router") {
  const Workload workload = read_text(scenario, {"routing.load=trained", "routing.balancing=bias",
                                                 "routing.step=1000000000"})
                                .workload;
  CHECK(workload.routing.load == LoadKind::trained);
  CHECK(workload.routing.router.coefficient == 0.001); // published
}
