#include "sim/schedule/memory_estimate.hpp"
#include "tests/unit/schedule/shipped_workload.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

constexpr std::int64_t gibibyte = 1LL << 30;

/// One MoE layer: hidden 8, one head of 4, 4 experts of width 16, 2 a token, vocabulary 100; two
/// ranks with two experts each; micro-batches of 10 tokens.
Workload tiny() {
  Workload workload;
  ModelSpec& model = workload.model;
  model.hidden = 8;
  model.vocabulary = 100;
  model.attention.heads = 1;
  model.attention.kv_heads = 1;
  model.attention.head_dim = 4;
  model.attention.value_dim = 4;
  model.experts.experts = 4;
  model.experts.experts_per_token = 2;
  model.experts.expert_hidden = 16;
  model.layers = {{true, 1, 0}};
  workload.plan.gpus = 2;
  workload.plan.expert = 2;
  workload.plan.layers_per_stage = {1};
  workload.training.sequence_length = 10;
  workload.training.global_batch = 2;
  return workload;
}

// Attention 8 x (4 + 8) + 4 x 8 and a norm of 8: 136. Router 4 x 8, norm 8. Embedding and head
// 2 x 800, final norm 8.
constexpr std::int64_t dense = 136 + 32 + 8 + 1600 + 8;
// Two experts of 3 x 8 x 16.
constexpr std::int64_t experts = 2 * 384;

} // namespace

TEST_CASE("memory of a tiny model by hand") {
  const MemoryEstimate memory = estimate_memory(tiny(), 0);
  CHECK(memory.weights == Bytes{2 * (dense + experts)});
  CHECK(memory.gradients == Bytes{4 * (dense + experts)});
  // Three fp32 values, dense ones sharded over data 2; expert data is 1.
  CHECK(memory.optimizer_states == Bytes{12 * (dense / 2 + experts)});
  // bf16 values of 10 tokens: attention's input and norm 2 x 8, queries, keys, values, output 4 x
  // 4; the block's input and norm 2 x 8; 2 routed copies of 8; gate, up and product of 2 x 16; fp32
  // scores of 4. Then logits and their gradient in bf16.
  const std::int64_t values = 10 * (16 + 16 + 16 + 2 * 8 + 3 * 2 * 16 + 2 * 4);
  CHECK(memory.activations == Bytes{2 * values + 4 * 10 * 100});
  // 20 routed tokens of 8 values, sent and received by dispatch and by combine.
  CHECK(memory.dispatch_buffers == Bytes{4 * 20 * 8 * 2});
  // The shapes of weights: 8 x 12 for queries, keys and values, 4 x 8 for the output, 8 x 32 and
  // 16 x 8 for an expert, 8 x 100 for the head.
  CHECK(memory.gradient_placeholders == Bytes{2 * (96 + 32 + 256 + 128 + 800)});
  CHECK(memory.framework == Bytes{4 * gibibyte});
  CHECK(memory.allocated() == memory.weights + memory.gradients + memory.optimizer_states +
                                  memory.gradient_placeholders + memory.activations +
                                  memory.dispatch_buffers);
  CHECK(memory.total() == memory.allocated() + memory.fragmentation + memory.framework);
}

TEST_CASE("an allocator loses a share of its memory unless its segments expand") {
  Workload workload = tiny();
  const MemoryEstimate memory = estimate_memory(workload, 0);
  CHECK(static_cast<double>(memory.fragmentation.value) ==
        Approx(0.038 * static_cast<double>(memory.allocated().value)).margin(1.0));
  workload.training.expandable_segments = true;
  CHECK(estimate_memory(workload, 0).fragmentation == Bytes{0});
  CHECK(estimate_memory(workload, 0).allocated() == memory.allocated());
}

// A second layer, and a second kind: attention's shapes are there already; a dense feed-forward of
// width 5 has 8 x 10 and 5 x 8.
TEST_CASE("layers share the placeholders of gradients by the shape of their weights") {
  Workload workload = tiny();
  const Bytes one = estimate_memory(workload, 0).gradient_placeholders;
  workload.model.layers.resize(2, workload.model.layers.front());
  workload.plan.layers_per_stage = {2};
  CHECK(estimate_memory(workload, 0).gradient_placeholders == one);
  workload.model.layers.back() = {false, 1, 5};
  CHECK(estimate_memory(workload, 0).gradient_placeholders == one + Bytes{2 * (80 + 40)});
  workload.plan.zero_stage = 2; // gradients of whole layers are there instead
  CHECK(estimate_memory(workload, 0).gradient_placeholders == Bytes{0});
}

TEST_CASE("optimizer states may be in bf16 and without a master weight") {
  Workload workload = tiny();
  workload.training.fp32_moments = false;
  CHECK(estimate_memory(workload, 0).optimizer_states == Bytes{8 * (dense / 2 + experts)});
  workload.training.master_weights = false;
  CHECK(estimate_memory(workload, 0).optimizer_states == Bytes{4 * (dense / 2 + experts)});
}

// Two ranks share the dense parameters. FSDP2: weight 4, gradient 4, two moments of 4.
TEST_CASE("shards in fp32 take 16 bytes a parameter, those in bf16 18") {
  Workload workload = tiny();
  workload.plan.zero_stage = 3;
  const auto bytes_of = [&] {
    const MemoryEstimate memory = estimate_memory(workload, 0);
    return memory.weights + memory.gradients + memory.optimizer_states;
  };
  CHECK(bytes_of() == Bytes{18 * (dense / 2 + experts)});
  workload.training.fp32_shards = true;
  CHECK(bytes_of() == Bytes{16 * (dense / 2 + experts)});
  workload.plan.zero_stage = 2; // weights are not sharded
  CHECK(estimate_memory(workload, 0).weights == Bytes{2 * (dense + experts)});
}

// Two of three layers are in host memory. One of them comes back beside the third, so the memory is
// that of two layers.
TEST_CASE("an offloaded layer takes memory only while its backward pass runs") {
  Workload workload = tiny();
  workload.model.layers.resize(3, workload.model.layers.front());
  workload.plan.layers_per_stage = {3};
  workload.plan.offload_layers = 2;
  Workload two = tiny();
  two.model.layers.resize(2, two.model.layers.front());
  two.plan.layers_per_stage = {2};
  CHECK(estimate_memory(workload, 0).activations == estimate_memory(two, 0).activations);
}

// 10 tokens in bf16: 2 pairs a token of 8 values, gate and up of 2 x 2 x 16. One of three layers is
// coming back.
TEST_CASE("an offloaded module takes memory in one layer") {
  Workload workload = tiny();
  workload.model.layers.resize(3, workload.model.layers.front());
  workload.plan.layers_per_stage = {3};
  const Bytes kept = estimate_memory(workload, 0).activations;
  workload.plan.offload_modules = {OffloadModule::expert};
  CHECK(estimate_memory(workload, 0).activations == kept - 2 * Bytes{2 * 10 * 2 * 8});
  workload.plan.offload_modules = {OffloadModule::activation};
  CHECK(estimate_memory(workload, 0).activations == kept - 2 * Bytes{2 * 10 * 2 * 2 * 16});
  // Attention: the residual of 8, the norm's output of 8, queries, keys and values of 3 x 4, the
  // output of 4; the block's residual of 8.
  workload.plan.offload_modules = {OffloadModule::attention_norm, OffloadModule::projection,
                                   OffloadModule::core_attention, OffloadModule::output_projection,
                                   OffloadModule::feed_forward_norm};
  CHECK(estimate_memory(workload, 0).activations ==
        kept - 2 * Bytes{2 * 10 * (8 + 8 + 12 + 4 + 8)});
}

TEST_CASE("without ZeRO every rank keeps all optimizer states") {
  Workload workload = tiny();
  workload.plan.zero_stage = 0;
  CHECK(estimate_memory(workload, 0).optimizer_states == Bytes{12 * (dense + experts)});
}

TEST_CASE("full recompute keeps a layer's input, and one layer while it repeats it") {
  Workload workload = tiny();
  const Bytes kept = estimate_memory(workload, 0).activations;
  workload.plan.recompute = Recompute::full;
  // The input of 10 x 8 values in bf16 comes on top of the one layer under way.
  CHECK(estimate_memory(workload, 0).activations == kept + Bytes{10 * 8 * 2});
  workload.model.layers.resize(3, workload.model.layers.front());
  workload.plan.layers_per_stage = {3};
  CHECK(estimate_memory(workload, 0).activations == kept + Bytes{3 * 10 * 8 * 2});
}

// 10 tokens: both norms' outputs of 8, the activations' outputs of 2 x 16, all in bf16.
TEST_CASE("selective recompute drops what its modules make") {
  Workload workload = tiny();
  const Bytes kept = estimate_memory(workload, 0).activations;
  workload.plan.recompute = Recompute::selective;
  workload.plan.recompute_modules = {RecomputeModule::norm};
  CHECK(estimate_memory(workload, 0).activations == kept - Bytes{10 * 2 * 8 * 2});
  workload.plan.recompute_modules = {RecomputeModule::activation};
  CHECK(estimate_memory(workload, 0).activations == kept - Bytes{10 * 2 * 16 * 2});
  workload.plan.recompute_modules = {RecomputeModule::core_attention};
  CHECK(estimate_memory(workload, 0).activations == kept);
  // All but attention and the block's norm: scores, routed copies, three results of the experts.
  workload.plan.recompute_modules = {RecomputeModule::moe};
  CHECK(estimate_memory(workload, 0).activations ==
        kept - Bytes{10 * (4 * 4 + 2 * (2 * 8 + 3 * 2 * 16))});
}

// fp8 keeps the inputs of products in a byte, with 4 bytes for each 128 values begun: two norms of
// 80 values, attention's output of 40 beside its bf16 copy, routed copies of 160, activations of
// 320. The router's input stays in bf16.
TEST_CASE("fp8 keeps the inputs of products in fp8") {
  Workload workload = tiny();
  const Bytes bf16 = estimate_memory(workload, 0).activations;
  workload.training.precision = Precision::fp8;
  const std::int64_t less = (160 - 84) + (160 - 84) + (320 - 168) + (640 - 332);
  const std::int64_t more = (40 + 4) + 160;
  CHECK(estimate_memory(workload, 0).activations == bf16 - Bytes{less} + Bytes{more});
}

// fp8 as above, compressed: attention's output of 40 values in 12 bits, with 4 bytes for its
// scales, instead of 80 bytes in bf16 and 44 in fp8; the activation's inputs, 2 x 320 values, in
// 640 bytes and 5 scales instead of 1280.
TEST_CASE("compressed activations take fewer bits") {
  Workload workload = tiny();
  workload.training.precision = Precision::fp8;
  const Bytes kept = estimate_memory(workload, 0).activations;
  workload.training.compressed_activations = true;
  CHECK(estimate_memory(workload, 0).activations ==
        kept - Bytes{80 + 44 - (60 + 4)} - Bytes{1280 - (640 + 5 * 4)});
}

// A norm that is made again makes the router's bf16 input again too: 80 values, beside the inputs
// of products in fp8, 84 bytes each.
TEST_CASE("without the norms' outputs the router keeps no input") {
  Workload workload = tiny();
  workload.training.precision = Precision::fp8;
  const Bytes kept = estimate_memory(workload, 0).activations;
  workload.plan.recompute = Recompute::selective;
  workload.plan.recompute_modules = {RecomputeModule::norm};
  CHECK(estimate_memory(workload, 0).activations == kept - Bytes{2 * 84 + 160});
}

TEST_CASE("gradients in bf16 take two bytes") {
  Workload workload = tiny();
  workload.training.fp32_gradients = false;
  CHECK(estimate_memory(workload, 0).gradients == Bytes{2 * (dense + experts)});
}

TEST_CASE("experts on one rank need no dispatch buffers") {
  Workload workload = tiny();
  workload.plan.gpus = 1;
  workload.plan.expert = 1;
  CHECK(estimate_memory(workload, 0).dispatch_buffers == Bytes{0});
}

TEST_CASE("a stage keeps the micro-batches in flight") {
  Workload workload = tiny();
  workload.model.layers.resize(2, workload.model.layers.front());
  workload.plan.gpus = 4;
  workload.plan.pipeline = 2;
  workload.plan.layers_per_stage = {1, 1};
  workload.training.global_batch = 8; // 4 micro-batches
  const Bytes logits{4 * 10 * 100};
  const Bytes one = estimate_memory(workload, 1).activations - logits;
  CHECK(estimate_memory(workload, 0).activations == 2 * one);
}

TEST_CASE("the fullest stage is the first of the fullest") {
  const Workload workload = with_pipeline(shipped_workload("mixtral-8x7b", 8), 4);
  const MemoryEstimate fullest = fullest_stage(workload);
  for (std::int64_t stage = 0; stage < 4; ++stage)
    CHECK(estimate_memory(workload, stage).total() <= fullest.total());
  CHECK(estimate_memory(workload, fullest.stage).total() == fullest.total());
}
