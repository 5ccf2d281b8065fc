#include "tests/unit/scenario/scenario_text.hpp"

using namespace moesim;
using namespace moesim::scenario_tests;

TEST_CASE("a scenario says what is trained, on what, and how it is split") {
  const Scenario read_back = read_text(scenario);
  const Workload& workload = read_back.workload;
  CHECK(workload.model.layers.size() == 12);
  CHECK(workload.model.experts.experts == 24);
  CHECK(workload.plan.gpus == 32);
  CHECK(workload.plan.tensor == 2);
  CHECK(workload.plan.pipeline == 2);
  CHECK(workload.plan.expert == 8);
  CHECK(workload.plan.layers_per_stage == std::vector<std::int64_t>{6, 6});
  CHECK(workload.training.sequence_length == 128);
  CHECK(workload.training.global_batch == 64);
  CHECK(workload.training.micro_batch == 2);
  CHECK(read_back.topology.name == "hgx-h100-ndr400");
  CHECK(read_back.fidelity == Fidelity::folded);
}

TEST_CASE("a scenario may leave out all but the model, the cluster and the training") {
  const std::size_t optional = scenario.find("[parallel]");
  const Scenario read_back = read_text(with(scenario.substr(0, optional), "micro_batch = 2\n", ""));
  const Workload& workload = read_back.workload;
  CHECK(workload.plan.tensor == 1);
  CHECK(workload.plan.pipeline == 1);
  CHECK(workload.plan.expert == 1);
  CHECK(workload.plan.sequence_parallel);
  CHECK(workload.plan.zero_stage == 1);
  CHECK(workload.plan.recompute == Recompute::none);
  CHECK(workload.plan.layers_per_stage == std::vector<std::int64_t>{12});
  CHECK(workload.training.micro_batch == 1);
  CHECK(workload.training.precision == Precision::bf16);
  CHECK(workload.routing.capacity_factor == 0.0);
  CHECK(workload.routing.seed == 1);
  CHECK(workload.communication.dispatch_precision == Precision::bf16);
  CHECK_FALSE(workload.communication.overlap_shared_expert);
  CHECK(read_back.fidelity == Fidelity::folded);
}

TEST_CASE("automatic expert parallelism is the largest legal degree") {
  // 24 experts on the 16 ranks of a stage.
  CHECK(read_text(scenario, {"parallel.expert=auto"}).workload.plan.expert == 8);
  CHECK(read_text(scenario, {"parallel.expert=auto", "parallel.pipeline=1", "model.experts=96"})
            .workload.plan.expert == 32);
}

TEST_CASE("a wait for ranks is read in microseconds, compressed activations as a flag") {
  const Scenario read = read_text(scenario, {"communication.overlap=batch", "parallel.pipeline=1",
                                             "communication.wait_for_ranks_us=2040",
                                             "training.compressed_activations=true"});
  CHECK(read.workload.communication.wait_for_ranks.value == Approx(2040e-6));
  CHECK(read.workload.training.compressed_activations);
  CHECK_FALSE(read_text(scenario, {}).workload.training.compressed_activations);
}

// Groups of 16 ranks leave their node of 8 GPUs, those of 8 do not.
TEST_CASE("the host posts what leaves a node by UCCL-EP, and by DeepEP over EFA") {
  const auto posts = [](const std::string& library, const std::string& nic, int ranks) {
    return read_text(scenario, {"communication.dispatcher=node-limited", "model.experts=96",
                                "communication.dispatch_library=" + library,
                                "cluster.topology=\"" + source + "/topologies/" + nic + ".toml\"",
                                "parallel.expert=" + std::to_string(ranks)})
        .workload.communication.host_posts;
  };
  CHECK(posts("uccl-ep", "hgx-h100-ndr400", 16));
  CHECK_FALSE(posts("uccl-ep", "hgx-h100-ndr400", 8));
  CHECK(posts("deepep", "aws-p5-efa", 16));
  CHECK_FALSE(posts("deepep", "aws-p5-efa", 8));
  CHECK_FALSE(posts("deepep", "hgx-h100-ndr400", 16));
  CHECK_FALSE(posts("hybridep", "aws-p5-efa", 16));
  CHECK_FALSE(read_text(scenario, {}).workload.communication.host_posts);
}

TEST_CASE("an assignment replaces what the file, the config or the topology says") {
  const Scenario changed =
      read_text(scenario, {"training.precision=fp8", "communication.dispatch_precision=fp8",
                           "communication.overlap=shared-expert", "parallel.recompute=full",
                           "parallel.layers_per_stage=[5, 7]", "model.experts=32",
                           "model.experts_per_token=4", "cluster.nic_gbit_per_s=800",
                           "routing.capacity_factor=1", "simulation.fidelity=flows"});
  CHECK(changed.workload.training.precision == Precision::fp8);
  CHECK(changed.workload.communication.dispatch_precision == Precision::fp8);
  CHECK(changed.workload.communication.overlap_shared_expert);
  CHECK(changed.workload.plan.recompute == Recompute::full);
  CHECK(changed.workload.plan.layers_per_stage == std::vector<std::int64_t>{5, 7});
  CHECK(changed.workload.model.experts.experts == 32);
  CHECK(changed.workload.model.experts.experts_per_token == 4);
  CHECK(changed.topology.node.nic == gbit_per_s(800.0));
  CHECK(changed.workload.routing.capacity_factor == 1.0);
  CHECK(changed.fidelity == Fidelity::flows);
}

TEST_CASE("paths are relative to the scenario, and it lists the files that it read") {
  const Folder folder;
  fs::create_directories(folder.path() / "models");
  folder.write("models/config.json", config);
  const fs::path path = folder.write("s.toml", with(scenario, "config.json", "models/config.json"));
  CHECK(read_scenario(path, {}).inputs ==
        std::vector<fs::path>{path, folder.path() / "models/config.json",
                              source + "/topologies/hgx-h100-ndr400.toml"});
}

TEST_CASE("every shipped scenario can run on its cluster") {
  int scenarios = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(source) / "workloads")) {
    const fs::path path = entry.path() / "scenario.toml";
    if (!fs::exists(path)) // a document, or the families of models
      continue;
    INFO(path);
    CHECK_NOTHROW(read_scenario(path, {}));
    ++scenarios;
  }
  CHECK(scenarios > 0);
}

TEST_CASE("experts that choose their tokens get as many each, and drop none") {
  const Workload workload = read_text(scenario, {"routing.policy=expert-choice"}).workload;
  CHECK(workload.routing.even());
  CHECK(workload.routing.kept_share() == 1.0);
}
