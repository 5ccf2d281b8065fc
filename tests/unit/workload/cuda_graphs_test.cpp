#include "sim/workload/workload.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <vector>

using namespace moesim;

namespace {

/// A dense layer and an MoE layer, whose experts two ranks share over an all-to-all.
Workload dropless() {
  Workload workload;
  workload.model.layers = {{false, 1, 256}, {true, 1, 0}};
  workload.model.experts.experts = 8;
  workload.model.experts.experts_per_token = 2;
  workload.plan.expert = 2;
  return workload;
}

void hybrid_ep(Workload& workload) {
  workload.communication.dispatcher = Dispatcher::node_limited;
  workload.communication.library = Library::hybridep;
  workload.training.fused_experts = true;
}

struct Rule {
  std::string name;
  std::function<void(Workload&)> change;
  std::string scope;
};

const std::string full = "[\"full_iteration\"]";
const std::string parts = "[\"attn\",\"moe_router\",\"moe_preprocess\",\"mlp\"]";
const std::string none = "\"none\"";

const std::vector<Rule> rules = {
    {"dropless experts have shapes of their own", [](Workload&) {}, parts},
    {"experts that are padded to their capacity have not",
     [](Workload& w) {
       w.routing.capacity_factor = 1.0;
       w.routing.pad_to_capacity = true;
     },
     full},
    {"an all-to-all that drops counts tokens on the host",
     [](Workload& w) { w.routing.capacity_factor = 1.0; }, "[\"attn\",\"moe_router\",\"mlp\"]"},
    {"other dispatchers that drop do not",
     [](Workload& w) {
       w.routing.capacity_factor = 1.0;
       w.communication.dispatcher = Dispatcher::all_gather;
     },
     parts},
    {"HybridEP bounds the tokens of a rank", hybrid_ep, full},
    {"... for fused experts",
     [](Workload& w) {
       hybrid_ep(w);
       w.training.fused_experts = false;
     },
     parts},
    {"... with expert parallelism",
     [](Workload& w) {
       hybrid_ep(w);
       w.plan.expert = 1;
     },
     parts},
    {"... whose inputs stay on the GPU",
     [](Workload& w) {
       hybrid_ep(w);
       w.plan.offload_modules = {OffloadModule::activation};
     },
     parts},
    {"DeepEP does not",
     [](Workload& w) {
       hybrid_ep(w);
       w.communication.library = Library::deepep;
     },
     parts},
    {"parts are not captured under full recompute",
     [](Workload& w) { w.plan.recompute = Recompute::full; }, none},
    {"the full iteration is",
     [](Workload& w) {
       hybrid_ep(w);
       w.plan.recompute = Recompute::full;
     },
     full},
    {"but not where batches overlap",
     [](Workload& w) {
       hybrid_ep(w);
       w.plan.recompute = Recompute::full;
       w.plan.overlap_batches = true;
     },
     none},
    {"a layer of experts that is repeated keeps its router out of graphs",
     [](Workload& w) {
       w.plan.recompute = Recompute::selective;
       w.plan.recompute_modules = {RecomputeModule::moe};
     },
     "[\"attn\",\"mlp\"]"},
    {"layers in host memory are not captured by parts",
     [](Workload& w) { w.plan.offload_layers = 1; }, none},
    {"a dense model is captured whole",
     [](Workload& w) {
       w.model.layers = {{false, 1, 256}};
       w.model.experts = {};
       w.plan.expert = 1;
     },
     full},
};

} // namespace

TEST_CASE("the largest scope is what Megatron-Core's own checks allow") {
  for (const Rule& rule : rules) {
    INFO(rule.name);
    Workload workload = dropless();
    rule.change(workload);
    CHECK(scope_text(largest_scope(workload)) == rule.scope);
  }
}

TEST_CASE("a model without dense layers has no dense part to capture") {
  Workload workload = dropless();
  workload.model.layers = {{true, 1, 0}};
  CHECK(scope_text(largest_scope(workload)) == "[\"attn\",\"moe_router\",\"moe_preprocess\"]");
}
