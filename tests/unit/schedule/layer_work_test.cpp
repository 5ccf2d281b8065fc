#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/kernel_gradients.hpp"
#include "tests/support/stage_view.hpp"
#include "tests/unit/schedule/shipped_workload.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <optional>

using namespace moesim;

namespace {

std::vector<Kernel> kernels_of_stage(const std::vector<SeenSegment>& segments) {
  std::vector<Kernel> kernels;
  for (const SeenSegment& segment : segments)
    if (const auto* work = std::get_if<SeenCompute>(&segment.work))
      kernels.insert(kernels.end(), work->kernels.begin(), work->kernels.end());
  return kernels;
}

std::vector<SeenCollective> collectives_of(const std::vector<SeenSegment>& segments) {
  std::vector<SeenCollective> collectives;
  for (const SeenSegment& segment : segments)
    if (const auto* work = std::get_if<SeenCollective>(&segment.work))
      collectives.push_back(*work);
  return collectives;
}

std::vector<std::string> names_of_stage(const std::vector<SeenSegment>& segments) {
  std::vector<std::string> names;
  for (const SeenSegment& segment : segments)
    names.push_back((segment.beside_previous ? "| " : "") +
                    std::visit([](const auto& work) { return work.name; }, segment.work));
  return names;
}

Bytes bytes_of_stage(const std::vector<SeenSegment>& segments, const std::string& name) {
  for (const SeenCollective& work : collectives_of(segments))
    if (work.name == name)
      return work.bytes;
  FAIL("no " << name);
  return {};
}

std::vector<Kernel> products_of(const std::vector<Kernel>& kernels) {
  std::vector<Kernel> products;
  std::copy_if(kernels.begin(), kernels.end(), std::back_inserter(products),
               [](const Kernel& k) { return k.kind != KernelKind::memory_bound; });
  return products;
}

double flops_of(const std::vector<Kernel>& kernels) {
  double sum = 0.0;
  for (const Kernel& kernel : kernels)
    sum += kernel.flops.value;
  return sum;
}

/// FLOPs of the attention scores alone, of all stages.
double score_flops(const std::vector<Kernel>& kernels) {
  double sum = 0.0;
  for (const Kernel& kernel : kernels)
    if (kernel.kind == KernelKind::attention_forward)
      sum += kernel.flops.value;
  return sum;
}

/// Mixtral-8x7B cut to one layer, so that the forward pass is embedding, layer, head.
Workload one_mixtral_layer() {
  Workload workload = shipped_workload("mixtral-8x7b", 8);
  workload.model.layers.resize(1);
  workload.plan.layers_per_stage = {1};
  return workload;
}

} // namespace

// Mixtral-8x7B: hidden 4096, 32 heads and 8 key/value heads of 128, 8 experts of 14336, 2 a token,
// vocabulary 32000. 4096 tokens a rank, one expert a rank: 8192 routed tokens reach it.
TEST_CASE("the products of a Mixtral layer have its shapes") {
  using enum KernelPart;
  constexpr Precision bf16 = Precision::bf16;
  const std::vector<Kernel> products =
      products_of(kernels_of_stage(stage_work(one_mixtral_layer(), 0).forward));
  REQUIRE(products.size() == 7);
  CHECK(products[0] == gemm(attention, bf16, 4096, (32 + 2 * 8) * 128, 4096));
  CHECK(products[1] == attention_forward({1, 4096, 32, 8, 128, 128}));
  CHECK(products[2] == gemm(attention, bf16, 4096, 4096, 32 * 128));
  CHECK(products[3] == gemm(router, bf16, 4096, 8, 4096));
  CHECK(products[4] == grouped_gemm(expert, bf16, 1, 8192, 2 * 14336, 4096));
  CHECK(products[5] == grouped_gemm(expert, bf16, 1, 8192, 4096, 14336));
  CHECK(products[6] == gemm(head, bf16, 4096, 32000, 4096));
}

// GPT-OSS in a Mixtral layer: 8,192 routed tokens reach a rank's expert of width 14,336. A value
// before the activation takes 16 bytes to clamp and 6 to activate, and what its gradient takes is
// 16 + 22 + 8 + 4; a value of the result 28 and 40 bytes for its bias, in 2 x 1 + 2 kernels.
TEST_CASE("clamped activations and biases of experts run as kernels of their own") {
  Workload workload = one_mixtral_layer();
  workload.model.experts.clamped = true;
  workload.model.experts.expert_bias = true;
  const std::vector<Kernel> kernels = expert_kernels(workload, sizes_of(workload));
  REQUIRE(kernels.size() == 4);
  CHECK(kernels[0].bias);
  CHECK(kernels[1].bytes == Bytes{8192LL * 14336 * 22});
  CHECK(kernels[1].gradient_bytes == Bytes{8192LL * 14336 * 50});
  CHECK(kernels[1].launches == 4);
  CHECK(kernels[2].bias);
  CHECK(kernels[3].bytes == Bytes{8192LL * 4096 * 28});
  CHECK(kernels[3].gradient_bytes == Bytes{8192LL * 4096 * 40});
  CHECK(kernels[3].launches == 4);
  const std::vector<Kernel> gradients = gradient_kernels(kernels, Gradients::all, 4);
  CHECK(gradients.front().bytes == kernels[3].gradient_bytes);
  CHECK(gradients.front().launches == 7);
  CHECK(std::all_of(gradients.begin(), gradients.end(), [](const Kernel& kernel) {
    return kernel.kind == KernelKind::memory_bound || kernel.bias;
  }));

  workload.training.fused_experts = true;
  CHECK(expert_kernels(workload, sizes_of(workload)).size() == 2);
}

// Two groups of 4 experts. A token's second expert is in the other group 4 times of 7, so that the
// second gates see 4096 x 11 / 7 = 6437 tokens, 3219 each; their scores are 2 x 4096 + 4 x 6437.
TEST_CASE("two-level gates choose a group, then experts of the groups") {
  using enum KernelPart;
  Workload workload = one_mixtral_layer();
  workload.routing.load = LoadKind::dirichlet;
  workload.routing.dirichlet_concentration = 1.0;
  workload.routing.gate_groups = 2;
  const Sizes sizes = sizes_of(workload);
  CHECK(second_gate_tokens(workload, sizes) == 6437);
  const std::vector<Kernel> kernels = router_kernels(workload, sizes);
  const std::vector<Kernel> products = products_of(kernels);
  REQUIRE(products.size() == 2);
  CHECK(products[0] == gemm(router, Precision::bf16, 4096, 2, 4096));
  CHECK(products[1] == grouped_gemm(router, Precision::bf16, 2, 3219, 4, 4096));
  CHECK(kernels[4] == memory_bound(router, Bytes{4 * 4 * (2 * 4096 + 4 * 6437)}));
  // One gate more writes scores for groups, but none of the experts of groups that are not chosen.
  const std::int64_t scores = router_scores(workload, sizes);
  workload.routing.gate_groups = 1;
  CHECK(router_scores(workload, sizes) == 8 * 4096);
  CHECK(scores == 2 * 4096 + 4 * 6437);
  CHECK(second_gate_tokens(workload, sizes) == 0);
}

// Multiply-adds a token, twice for FLOPs: QKV 4096 x 6144, output 4096 x 4096, scores and values
// 32 x 256 x 4096 / 2, router 4096 x 8, two experts of 3 x 4096 x 14336, head 4096 x 32000.
TEST_CASE("the FLOPs of a Mixtral layer and the head by hand") {
  const double a_token = 2.0 * (4096.0 * 6144 + 4096.0 * 4096 + 32.0 * 256 * 4096 / 2 + 4096.0 * 8 +
                                2 * 3 * 4096.0 * 14336 + 4096.0 * 32000);
  const double flops = flops_of(kernels_of_stage(stage_work(one_mixtral_layer(), 0).forward));
  CHECK(flops == Approx(4096 * a_token).epsilon(1e-12));
}

TEST_CASE("selective recompute runs its modules again, before their gradients") {
  Workload workload = one_mixtral_layer();
  const double kept = flops_of(kernels_of_stage(stage_work(workload, 0).backward));
  workload.plan.recompute = Recompute::selective;
  workload.plan.recompute_modules = {RecomputeModule::core_attention};
  const auto backward = kernels_of_stage(stage_work(workload, 0).backward);
  const auto again = std::find_if(backward.begin(), backward.end(), [](const Kernel& k) {
    return k.kind == KernelKind::attention_forward;
  });
  REQUIRE(again != backward.end());
  CHECK((again + 1)->kind == KernelKind::attention_backward);
  CHECK(flops_of(backward) == Approx(kept + again->flops.value).epsilon(1e-12));
  // The whole MoE block: router and experts, and a dispatch and a combine more.
  workload.plan.recompute_modules = {RecomputeModule::moe};
  CHECK(flops_of(kernels_of_stage(stage_work(workload, 0).backward)) ==
        Approx(kept + 2.0 * 4096 * (4096.0 * 8 + 2 * 3 * 4096.0 * 14336)).epsilon(1e-12));
  CHECK(collectives_of(stage_work(workload, 0).backward).size() == 4);
}

TEST_CASE("the layer's work comes in the order of the layer") {
  CHECK(names_of_stage(stage_work(one_mixtral_layer(), 0).forward) ==
        std::vector<std::string>{"Embedding to Layer[0].Router", "Layer[0].Dispatch",
                                 "Layer[0].Expert", "Layer[0].Combine",
                                 "Layer[0].Unpermute to Head"});
  CHECK(names_of_stage(stage_work(one_mixtral_layer(), 0).backward) ==
        std::vector<std::string>{"HeadGradient to Layer[0].UnpermuteGradient",
                                 "Layer[0].CombineGradient", "Layer[0].ExpertGradient",
                                 "Layer[0].DispatchGradient",
                                 "Layer[0].RouterGradient to EmbeddingGradient"});
}

// A backward pass has two products for each product, but 2.5 times the FLOPs of the fused scores,
// which it computes again.
TEST_CASE("delayed gradients of weights run beside the communication behind those of inputs") {
  const StageView work = stage_work(one_mixtral_layer(), 0);
  const std::vector<std::string> names = names_of_stage(work.backward_delayed);
  REQUIRE(names.size() == 8);
  CHECK(names[0] == "HeadGradient to Layer[0].UnpermuteGradient");
  CHECK(names[1] == "Layer[0].CombineGradient");
  CHECK(names[2] == "| HeadWeightGradient");
  CHECK(names[3] == "Layer[0].ExpertGradient");
  CHECK(names[4] == "Layer[0].DispatchGradient");
  CHECK(names[5] == "| Layer[0].ExpertWeightGradient");
  // Nothing travels behind the gradients of attention: those of its weights end the pass, and the
  // stage before does not wait for them.
  CHECK(names[6] == "Layer[0].RouterGradient to EmbeddingGradient");
  CHECK(names[7] == "Layer[0].RouterWeightGradient to Layer[0].AttentionWeightGradient");
  CHECK(!work.backward_delayed[6].after_result);
  CHECK(work.backward_delayed[7].after_result);
  CHECK(flops_of(kernels_of_stage(work.backward_delayed)) ==
        Approx(flops_of(kernels_of_stage(work.backward))).epsilon(1e-12));
  CHECK(kernels_of_stage(work.backward_delayed).size() ==
        kernels_of_stage(work.backward_input).size() +
            kernels_of_stage(work.backward_weight).size());
}

TEST_CASE("forward FLOPs of all stages are those of the model, backward twice that") {
  for (const auto& [name, expert, stages] :
       std::vector<std::tuple<std::string, std::int64_t, std::int64_t>>{{"mixtral-8x7b", 8, 4},
                                                                        {"mixtral-8x22b", 8, 8},
                                                                        {"deepseek-v3", 64, 16},
                                                                        {"qwen3-30b-a3b", 16, 2},
                                                                        {"switch", 32, 1},
                                                                        {"llama-2-70b", 1, 4},
                                                                        {"qwen3-235b-a22b", 32, 2},
                                                                        {"mixtral-8x7b", 1, 1}}) {
    INFO(name);
    const Workload workload = with_pipeline(shipped_workload(name, expert), stages);
    double forward = 0.0;
    double backward = 0.0;
    double scores = 0.0;
    for (std::int64_t stage = 0; stage < stages; ++stage) {
      const StageView work = stage_work(workload, stage);
      forward += flops_of(kernels_of_stage(work.forward));
      backward += flops_of(kernels_of_stage(work.backward));
      scores += score_flops(kernels_of_stage(work.forward));
    }
    const double expected = 4096 * flops_per_token_forward(workload.model, 4096).total().value;
    CHECK(forward == Approx(expected).epsilon(1e-9));
    CHECK(backward == Approx(2.0 * forward + 0.5 * scores).epsilon(1e-9));
  }
}

TEST_CASE("tensor parallelism divides the FLOPs of a rank") {
  Workload workload = one_mixtral_layer();
  const double whole = flops_of(kernels_of_stage(stage_work(workload, 0).forward));
  workload.plan.tensor = 4;
  CHECK(flops_of(kernels_of_stage(stage_work(workload, 0).forward)) ==
        Approx(whole / 4).epsilon(1e-9));
}

TEST_CASE("full recompute runs the layers a second time, not the head") {
  Workload workload = one_mixtral_layer();
  const StageView kept = stage_work(workload, 0);
  workload.plan.recompute = Recompute::full;
  const StageView repeated = stage_work(workload, 0);
  const double head = 2.0 * 4096 * 32000 * 4096;
  CHECK(flops_of(kernels_of_stage(repeated.backward)) ==
        Approx(flops_of(kernels_of_stage(kept.backward)) +
               flops_of(kernels_of_stage(kept.forward)) - head)
            .epsilon(1e-12));
  CHECK(collectives_of(repeated.backward).size() == 4);
  CHECK(collectives_of(kept.backward).size() == 2);
}

// 4096 tokens x 2 experts x 4096 values x 2 bytes.
TEST_CASE("a dispatch carries the routed tokens in bf16") {
  const StageView work = stage_work(one_mixtral_layer(), 0);
  CHECK(bytes_of_stage(work.forward, "Layer[0].Dispatch") == Bytes{67'108'864});
  CHECK(bytes_of_stage(work.forward, "Layer[0].Combine") == Bytes{67'108'864});
  CHECK(bytes_of_stage(work.backward, "Layer[0].CombineGradient") == Bytes{67'108'864});
  CHECK(bytes_of_stage(work.backward, "Layer[0].DispatchGradient") == Bytes{67'108'864});
}

// A token of 4,096 values: 4,096 bytes and 32 scales of 4 bytes, instead of 8,192 bytes.
TEST_CASE("fp8 dispatch halves dispatch and the gradient of combine, nothing else") {
  Workload workload = one_mixtral_layer();
  workload.communication.dispatch_precision = Precision::fp8;
  const StageView work = stage_work(workload, 0);
  CHECK(bytes_of_stage(work.forward, "Layer[0].Dispatch") == Bytes{34'603'008});
  CHECK(bytes_of_stage(work.forward, "Layer[0].Combine") == Bytes{67'108'864});
  CHECK(bytes_of_stage(work.backward, "Layer[0].CombineGradient") == Bytes{34'603'008});
  CHECK(bytes_of_stage(work.backward, "Layer[0].DispatchGradient") == Bytes{67'108'864});
}

TEST_CASE("a capacity below the mean drops tokens from the all-to-all") {
  Workload workload = one_mixtral_layer();
  workload.routing.capacity_factor = 0.5;
  CHECK(bytes_of_stage(stage_work(workload, 0).forward, "Layer[0].Dispatch") == Bytes{33'554'432});
}

TEST_CASE("experts that all sit on one rank need no all-to-all") {
  Workload workload = one_mixtral_layer();
  workload.plan.gpus = 1;
  workload.plan.expert = 1;
  CHECK(collectives_of(stage_work(workload, 0).forward).empty());
}

// 61 layers on 16 stages: three stages have 3 layers, the first among them, whose layers are the
// three dense ones of DeepSeek-V3.
TEST_CASE("uneven stages of DeepSeek-V3 hold its 58 expert layers") {
  const Workload workload = with_pipeline(shipped_workload("deepseek-v3", 64), 16);
  CHECK(workload.plan.layers_per_stage ==
        std::vector<std::int64_t>{3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3});
  CHECK(collectives_of(stage_work(workload, 0).forward).empty());
  std::size_t dispatches = 0;
  for (std::int64_t stage = 0; stage < 16; ++stage)
    for (const SeenCollective& work : collectives_of(stage_work(workload, stage).forward))
      dispatches += work.name.ends_with(".Dispatch") ? 1 : 0;
  CHECK(dispatches == 58);
}

TEST_CASE("a shared expert runs beside the dispatch, and its gradient beside that of dispatch") {
  Workload workload = shipped_workload("deepseek-v3", 64);
  workload.model.layers = {{true, 1, 0}};
  workload.plan.layers_per_stage = {1};
  workload.communication.overlap_shared_expert = true;
  CHECK(names_of_stage(stage_work(workload, 0).forward) ==
        std::vector<std::string>{"Embedding to Layer[0].Router", "Layer[0].Dispatch",
                                 "| Layer[0].SharedExpert", "Layer[0].Expert", "Layer[0].Combine",
                                 "Layer[0].Unpermute to Head"});
  CHECK(names_of_stage(stage_work(workload, 0).backward) ==
        std::vector<std::string>{"HeadGradient to Layer[0].UnpermuteGradient",
                                 "Layer[0].CombineGradient", "Layer[0].ExpertGradient",
                                 "Layer[0].SharedExpertGradient", "| Layer[0].DispatchGradient",
                                 "Layer[0].RouterGradient to EmbeddingGradient"});
}

TEST_CASE("sequence parallelism gathers before a block and scatters after it") {
  Workload workload = one_mixtral_layer();
  workload.plan.tensor = 2;
  const auto forward = collectives_of(stage_work(workload, 0).forward);
  REQUIRE(forward.size() == 5); // gather, reduce, dispatch, combine, gather for the head
  CHECK(forward[0].kind == Collective::all_gather);
  CHECK(forward[1].kind == Collective::reduce_scatter);
  CHECK(forward[0].bytes == Bytes{4096LL * 4096 * 2});
  CHECK(forward[4].name == "Head.TensorGather");
  // 2048 tokens of the micro-batch are this rank's to route.
  CHECK(forward[2].bytes == Bytes{33'554'432});
  const auto backward = collectives_of(stage_work(workload, 0).backward);
  CHECK(backward.front().kind == Collective::reduce_scatter);
  CHECK(backward.back().kind == Collective::reduce_scatter);
}

TEST_CASE("without sequence parallelism a block adds up by all-reduce") {
  Workload workload = shipped_workload("llama-2-70b", 1);
  workload.model.layers.resize(1);
  workload.plan.layers_per_stage = {1};
  workload.plan.gpus = 2;
  workload.plan.tensor = 2;
  workload.plan.sequence_parallel = false;
  const auto forward = collectives_of(stage_work(workload, 0).forward);
  REQUIRE(forward.size() == 2);
  CHECK(forward[0].kind == Collective::all_reduce);
  CHECK(forward[1].kind == Collective::all_reduce);
}

TEST_CASE("the end of a step reduces gradients, updates, and gathers sharded weights") {
  Workload workload = one_mixtral_layer();
  workload.plan.gpus = 32; // expert data 4
  CHECK(names_of_stage(step_end_work(workload, 0)) ==
        std::vector<std::string>{"GradientReduce", "GradientReduce", "Optimizer", "WeightGather",
                                 "WeightGather"});
  const auto sharded = collectives_of(step_end_work(workload, 0));
  CHECK(sharded[0].kind == Collective::reduce_scatter);
  CHECK(sharded[0].group == GroupKind::data);
  CHECK(sharded[1].group == GroupKind::expert_data);
  CHECK(sharded[1].bytes == Bytes{4LL * 3 * 4096 * 14336}); // fp32 gradients of one expert
  CHECK(sharded[3].bytes == Bytes{2LL * 3 * 4096 * 14336}); // bf16 weights
  workload.plan.zero_stage = 0;
  CHECK(names_of_stage(step_end_work(workload, 0)) ==
        std::vector<std::string>{"GradientReduce", "GradientReduce", "Optimizer"});
  CHECK(collectives_of(step_end_work(workload, 0))[0].kind == Collective::all_reduce);
}

// 30 bytes a parameter that the rank updates: with ZeRO-1, 1/8 of the dense and, as expert data
// is 1, all of its expert.
TEST_CASE("the optimizer streams the states of the parameters that a rank updates") {
  Workload workload = one_mixtral_layer();
  const LayerParameters layer = layer_parameters(workload.model, workload.model.layers[0]);
  const std::int64_t dense = layer.shared_by_tokens + 2 * 32000 * 4096 + 4096;
  const auto kernels = kernels_of_stage(step_end_work(workload, 0));
  REQUIRE(kernels.size() == 1);
  CHECK(kernels[0].bytes == Bytes{(dense / 8 + layer.routed_experts / 8) * 30});
  // A gradient of 4, two moments of 2 read and written, the weight of 2 read and written.
  workload.training.fp32_moments = false;
  workload.training.master_weights = false;
  CHECK(kernels_of_stage(step_end_work(workload, 0))[0].bytes ==
        Bytes{(dense / 8 + layer.routed_experts / 8) * 16});
}
