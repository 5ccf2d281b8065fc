#include "sim/study/memory_advice.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace moesim;

namespace {

/// Four layers of 8 experts on two stages of 8 ranks with all experts on each; micro-batches of 4
/// sequences, 4 of them a step; nothing that saves memory is used.
Workload generous() {
  Workload workload;
  ModelSpec& model = workload.model;
  model.hidden = 64;
  model.vocabulary = 128;
  model.attention.heads = 4;
  model.attention.kv_heads = 4;
  model.attention.head_dim = 16;
  model.attention.value_dim = 16;
  model.experts.experts = 8;
  model.experts.experts_per_token = 2;
  model.experts.expert_hidden = 256;
  model.layers.assign(4, {true, 1, 0});
  workload.plan.gpus = 16;
  workload.plan.pipeline = 2;
  workload.plan.layers_per_stage = {2, 2};
  workload.plan.zero_stage = 0;
  workload.training.sequence_length = 128;
  workload.training.micro_batch = 4;
  workload.training.global_batch = 128;
  workload.training.expandable_segments = true;
  return workload;
}

std::vector<std::string> settings_of(const Workload& workload) {
  std::vector<std::string> settings;
  for (const MemoryChange& change : memory_changes(workload))
    settings.push_back(change.key + " = " + change.value);
  return settings;
}

using Settings = std::vector<std::string>;

/// The memory of one of the changes.
Bytes total_with(const Workload& workload, const std::string& key, const std::string& value) {
  for (const MemoryChange& change : memory_changes(workload))
    if (change.key == key && change.value == value)
      return change.memory.total();
  FAIL("no change " << key << " = " << value);
  return {};
}

} // namespace

TEST_CASE("every change that saves memory is tried, in order") {
  // Expert degrees divide 8 experts and the 8 ranks of a stage; the plan has 1.
  CHECK(settings_of(generous()) == Settings{"parallel.recompute = \"full\"",
                                            "training.micro_batch = 2", "parallel.zero_stage = 1",
                                            "parallel.pipeline = 4", "parallel.expert = 2",
                                            "parallel.expert = 4", "parallel.expert = 8"});
}

TEST_CASE("what a plan does already is no change") {
  Workload workload = generous();
  workload.plan.recompute = Recompute::full;
  workload.plan.zero_stage = 1;
  workload.plan.expert = 4;
  workload.training.micro_batch = 1;
  CHECK(settings_of(workload) == Settings{"parallel.pipeline = 4", "parallel.expert = 8"});
}

TEST_CASE("what fragmentation takes is the first that is saved") {
  Workload workload = generous();
  workload.training.expandable_segments = false;
  CHECK(settings_of(workload).front() == "training.expandable_segments = true");
  CHECK(memory_changes(workload).front().memory.total() == fullest_stage(generous()).total());
}

TEST_CASE("a change that is illegal is not tried") {
  Workload workload = generous();
  workload.plan.expert = 8; // twice the pipeline leaves 4 ranks a stage
  CHECK(settings_of(workload) == Settings{"parallel.recompute = \"full\"",
                                          "training.micro_batch = 2", "parallel.zero_stage = 1"});
  workload.plan.recompute = Recompute::full;
  workload.plan.zero_stage = 1;
  workload.training.micro_batch = 1;
  CHECK(settings_of(workload).empty());
  CHECK(memory_advice(workload, Bytes{0}) ==
        "no single change of the plan that saves memory is legal");
}

TEST_CASE("a pipeline is not made longer than the model") {
  Workload workload = generous();
  workload.model.layers.resize(3, workload.model.layers.front());
  workload.plan.layers_per_stage = {2, 1};
  const Settings settings = settings_of(workload);
  CHECK(std::count(settings.begin(), settings.end(), "parallel.pipeline = 4") == 0);
  CHECK(settings.size() == 6);
}

TEST_CASE("twice the pipeline gives up layers that were split by hand") {
  Workload workload = generous();
  workload.plan.layers_per_stage = {3, 1};
  const Settings settings = settings_of(workload);
  REQUIRE(settings.size() == 7);
  CHECK(settings[3] == "parallel.pipeline = 4 without layers_per_stage");
}

TEST_CASE("an odd micro-batch is not halved") {
  Workload workload = generous();
  workload.training.micro_batch = 1;
  CHECK(settings_of(workload).size() == 6);
}

TEST_CASE("a dense model has no expert degree to raise") {
  Workload workload = generous();
  workload.model.experts = {};
  workload.model.layers.assign(4, {false, 1, 256});
  const Settings settings = settings_of(workload);
  REQUIRE(!settings.empty());
  CHECK(settings.back() == "parallel.pipeline = 4");
}

TEST_CASE("a change is what the scenario would be with it") {
  Workload changed = generous();
  changed.plan.pipeline = 4;
  changed.plan.layers_per_stage = {1, 1, 1, 1};
  CHECK(total_with(generous(), "parallel.pipeline", "4") == fullest_stage(changed).total());
  changed = generous();
  changed.plan.expert = 4;
  CHECK(total_with(generous(), "parallel.expert", "4") == fullest_stage(changed).total());
}

TEST_CASE("advice names exactly the changes that fit, to the byte") {
  const Workload workload = generous();
  const std::vector<MemoryChange> changes = memory_changes(workload);
  for (const MemoryChange& exact : changes) {
    const std::string advice = memory_advice(workload, exact.memory.total());
    INFO(exact.key << " = " << exact.value << ": " << advice);
    for (const MemoryChange& change : changes) {
      const bool named =
          advice.find(change.key + " = " + change.value + " fits") != std::string::npos;
      if (change.key != "parallel.expert")
        CHECK(named == (change.memory.total() <= exact.memory.total()));
    }
  }
}

// The experts of a GPU have 2 layers x 8 x 3 x 64 x 256 = 786,432 parameters at 2 + 4 + 12 bytes:
// 14.2 MB, of which degree 2 saves a half, degree 4 three quarters and degree 8 seven eighths, less
// than 1 MB of dispatch buffers. ZeRO-1 saves 7/8 x 12 bytes of each: 8.3 MB and a little more for
// what is not an expert (less than 0.1 M parameters); twice the pipeline about half of everything.
TEST_CASE("of several expert degrees that fit the smallest is named") {
  const Workload workload = generous();
  CHECK(memory_advice(workload, total_with(workload, "parallel.expert", "8")) ==
        "parallel.expert = 8 fits");
  CHECK(memory_advice(workload, total_with(workload, "parallel.expert", "4")) ==
        "parallel.expert = 4 fits");
  const std::string roomy = memory_advice(workload, fullest_stage(workload).total());
  CHECK(roomy.ends_with(", parallel.expert = 2 fits"));
}

TEST_CASE("advice says that nothing fits, and what comes nearest") {
  const Workload workload = generous();
  const Bytes nearest = total_with(workload, "parallel.expert", "8");
  CHECK(memory_advice(workload, nearest - Bytes{1LL << 30}) ==
        "no single change of parallel.recompute, training.micro_batch, parallel.zero_stage, "
        "parallel.pipeline, parallel.expert fits; the nearest, parallel.expert = 8, lacks 1.00 "
        "GiB");
  // One missing byte is not shown as 0.
  CHECK(memory_advice(workload, nearest - Bytes{1}).ends_with("lacks 0.01 GiB"));
}

TEST_CASE("what is missing is what a GPU needs beyond what it has") {
  MemoryEstimate memory;
  memory.stage = 3;
  memory.weights = Bytes{96LL << 30};
  CHECK(missing_memory_text(memory, Bytes{80LL << 30}) ==
        "a GPU of stage 3 needs 96.00 GiB and has 80.00: 16.00 GiB are missing");
}
