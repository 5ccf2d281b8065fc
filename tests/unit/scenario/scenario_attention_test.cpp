#include "tests/unit/scenario/scenario_text.hpp"

using namespace moesim;
using namespace moesim::scenario_tests;

namespace {

const std::vector<Refusal> unmodelled_attention = {
    {"dropout inside a fused kernel",
     "micro_batch = 2",
     "attention_dropout = 0.1",
     {},
     true,
     "s.toml:9:21: error: dropout inside a fused attention is not modelled\n"
     "  attention_dropout = 0.1\n"
     "                      ^\n"
     "  hint: use attention = \"unfused\", or leave it out"},
    {"unfused over a part of a sequence",
     "micro_batch = 2",
     "attention = \"unfused\"",
     {"parallel.context=2"},
     true,
     "s.toml:9:13: error: unfused attention is not modelled with context 2\n"
     "  attention = \"unfused\"\n"
     "              ^\n"
     "  hint: use attention = \"fused\""},
};

} // namespace

TEST_CASE("attention that is not modelled is refused") {
  check(unmodelled_attention);
}

TEST_CASE("unfused latent attention and unfused windows are refused") {
  ParallelPlan plan;
  plan.layers_per_stage = {1};
  ModelSpec model;
  model.layers = {{false, 1, 64}};
  TrainingSpec training;
  training.sequence_length = 8;
  training.global_batch = 1;
  training.attention = AttentionKernels::unfused;
  CHECK_FALSE(find_plan_fault(plan, model, training));
  model.layers.front().window = 4;
  CHECK(find_plan_fault(plan, model, training)->message ==
        "unfused attention with a sliding window is not modelled");
  model.layers.front().window = 0;
  model.attention.kind = AttentionKind::latent;
  CHECK(find_plan_fault(plan, model, training)->message ==
        "unfused multi-head latent attention is not modelled");
}

TEST_CASE("the kernels of attention and dropout are read") {
  const Settings settings = {"training.attention=\"unfused\"", "training.attention_dropout=0.1",
                             "training.hidden_dropout=0.2"};
  const TrainingSpec training = read_text(scenario, settings).workload.training;
  CHECK(training.attention == AttentionKernels::unfused);
  CHECK(training.attention_dropout == 0.1);
  CHECK(training.hidden_dropout == 0.2);
  CHECK(read_text(scenario).workload.training.attention == AttentionKernels::fused);
}
