#include "sim/schedule/layer_segments.hpp"

#include "sim/schedule/kernel_gradients.hpp"
#include "tests/support/stage_view.hpp"
#include "tests/unit/schedule/shipped_workload.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace moesim;

namespace {

std::vector<std::string> names_of(const std::vector<SeenSegment>& segments) {
  std::vector<std::string> names;
  for (const SeenSegment& segment : segments)
    names.push_back((segment.beside_previous ? "| " : "") +
                    std::visit([](const auto& work) { return work.name; }, segment.work));
  return names;
}

std::vector<Kernel> kernels_of(const std::vector<SeenSegment>& segments) {
  std::vector<Kernel> kernels;
  for (const SeenSegment& segment : segments)
    if (const auto* work = std::get_if<SeenCompute>(&segment.work))
      kernels.insert(kernels.end(), work->kernels.begin(), work->kernels.end());
  return kernels;
}

double flops_of(const std::vector<SeenSegment>& segments) {
  double sum = 0.0;
  for (const Kernel& kernel : kernels_of(segments))
    sum += kernel.flops.value;
  return sum;
}

std::vector<SeenCollective> collectives_of(const std::vector<SeenSegment>& segments,
                                           GroupKind group) {
  std::vector<SeenCollective> found;
  for (const SeenSegment& segment : segments)
    if (const auto* work = std::get_if<SeenCollective>(&segment.work))
      if (work->group == group)
        found.push_back(*work);
  return found;
}

Workload one_layer(const std::string& model, std::int64_t expert) {
  Workload workload = shipped_workload(model, expert);
  workload.model.layers.erase(workload.model.layers.begin(), workload.model.layers.end() - 1);
  workload.plan.layers_per_stage = {1};
  return workload;
}

} // namespace

// Mixtral: 8 key/value heads of 128 and 128. A rank of context 2 has half the tokens, and half of
// the whole sequence's scores.
TEST_CASE("context parallelism splits the tokens and passes keys and values round") {
  Workload workload = one_layer("mixtral-8x7b", 8);
  const double alone = flops_of(stage_work(workload, 0).forward);
  workload.plan.gpus = 16;
  workload.plan.context = 2;
  const StageView work = stage_work(workload, 0);
  CHECK(flops_of(work.forward) == Approx(alone / 2).epsilon(1e-12));
  const auto ring = collectives_of(work.forward, GroupKind::context);
  REQUIRE(ring.size() == 1);
  CHECK(ring[0].bytes == Bytes{4096LL * 8 * 256 * 2});
  const auto back = collectives_of(work.backward, GroupKind::context);
  REQUIRE(back.size() == 1);
  CHECK(back[0].bytes == 2 * ring[0].bytes);
  const auto names = names_of(work.forward);
  const auto at = std::find(names.begin(), names.end(), "| Layer[0].ContextGather");
  REQUIRE(at != names.end());
  CHECK(*(at - 1) == "Layer[0].Scores");
  CHECK(*(at - 2) == "Embedding to Layer[0].Attention");
}

// Experts of half the width for twice the tokens: as many FLOPs. 4096 tokens with 2 experts each,
// of two ranks, 4096 wide, in bf16.
TEST_CASE("ranks that share experts gather the tokens of their group and add up the results") {
  Workload workload = one_layer("mixtral-8x7b", 4);
  const double alone = flops_of(stage_work(workload, 0).forward);
  workload.plan.gpus = 8;
  workload.plan.expert_tensor = 2;
  workload.training.global_batch = 8;
  const StageView work = stage_work(workload, 0);
  CHECK(flops_of(work.forward) == Approx(alone).epsilon(1e-12));
  const auto exchange = collectives_of(work.forward, GroupKind::expert_tensor);
  REQUIRE(exchange.size() == 2);
  CHECK(exchange[0].kind == Collective::all_gather);
  CHECK(exchange[1].kind == Collective::reduce_scatter);
  CHECK(exchange[0].bytes == Bytes{2LL * 4096 * 2 * 4096 * 2});
  const auto back = collectives_of(work.backward, GroupKind::expert_tensor);
  REQUIRE(back.size() == 2);
  CHECK(back[0].kind == Collective::all_gather);
  CHECK(back[1].kind == Collective::reduce_scatter);
}

TEST_CASE("overlapped tensor parallelism gathers beside the first product, adds beside the last") {
  Workload workload = one_layer("llama-2-70b", 1);
  workload.plan.gpus = 2;
  workload.plan.tensor = 2;
  const double apart = flops_of(stage_work(workload, 0).forward);
  workload.communication.overlap_tensor = true;
  const StageView work = stage_work(workload, 0);
  CHECK(flops_of(work.forward) == Approx(apart).epsilon(1e-12));
  const auto names = names_of(work.forward);
  const std::vector<std::string> expected = {"Embedding to Layer[0].Attention",
                                             "Layer[0].Attention",
                                             "| Layer[0].TensorGather",
                                             "Layer[0].Attention",
                                             "Layer[0].Attention",
                                             "| Layer[0].TensorReduce",
                                             "Layer[0].Attention to Layer[0].FeedForward",
                                             "Layer[0].FeedForward",
                                             "| Layer[0].TensorGather",
                                             "Layer[0].FeedForward",
                                             "Layer[0].FeedForward",
                                             "| Layer[0].TensorReduce",
                                             "Layer[0].FeedForward",
                                             "Head.TensorGather",
                                             "Head"};
  CHECK(names == expected);
}

// A layer more, its projection of 2 x 7168 to 7168, and the head again.
TEST_CASE("multi-token prediction adds a layer, its projection and the head") {
  Workload workload = one_layer("deepseek-v3", 8);
  const double forward = flops_of(stage_work(workload, 0).forward);
  Workload two = workload;
  two.model.layers.resize(2, two.model.layers.back());
  two.plan.layers_per_stage = {2};
  const double layer = flops_of(stage_work(two, 0).forward) - forward;
  workload.model.mtp_layers = 1;
  const double head = 2.0 * 4096 * 129280 * 7168;
  const double projection = 2.0 * 4096 * 7168 * 2 * 7168;
  CHECK(flops_of(stage_work(workload, 0).forward) ==
        Approx(forward + layer + projection + head).epsilon(1e-12));
  const TokenFlops a_token = flops_per_token_forward(workload.model, 4096);
  CHECK(flops_of(stage_work(workload, 0).forward) ==
        Approx(4096 * a_token.total().value).epsilon(1e-6));
}

// DeepSeek-V3 on 8 ranks: a token comes once to a rank that has some of its experts; NCCL's
// all-to-all brings it once for each, and is packed before and added up after by kernels.
TEST_CASE("a fused dispatch needs no packing at the source") {
  Workload workload = one_layer("deepseek-v3", 8);
  const auto permuted = [&] {
    Bytes bytes;
    for (const Kernel& kernel : kernels_of(stage_work(workload, 0).forward))
      if (kernel.part == KernelPart::permute)
        bytes += kernel.bytes;
    return bytes.value;
  };
  const std::int64_t hidden = 2 * 7168;
  const std::int64_t tokens = 4096;
  // Pack and sum: (1 + 8) each, two sorts of 2 x 8, the residual's 3.
  CHECK(permuted() == tokens * hidden * (9 + 9 + 2 * 16 + 3));
  workload.communication.dispatcher = Dispatcher::node_limited;
  const double ranks = expected_parts(fan_out_of(workload), 8);
  CHECK(static_cast<double>(permuted()) ==
        Approx(static_cast<double>(tokens * hidden) * (2 * (8 + ranks) + 3)).epsilon(1e-4));
  // The first sort moves fewer bytes of tokens dispatched in fp8, with 4 bytes for each 128 values.
  // A cast at their source moves 3 bytes a value.
  workload.communication.dispatch_precision = Precision::fp8;
  const double fp8 = (7168.0 + 56 * 4) / hidden;
  CHECK(static_cast<double>(permuted()) ==
        Approx(static_cast<double>(tokens * hidden) * ((1 + fp8) * (8 + ranks) + 3 + 1.5))
            .epsilon(1e-4));
}

// Kernels that sort tokens move the same bytes backward; other memory-bound kernels move twice.
TEST_CASE("sorting tokens costs the same backward as forward") {
  const std::vector<Kernel> forward{memory_bound(KernelPart::permute, Bytes{1000}),
                                    memory_bound(KernelPart::expert, Bytes{100})};
  const std::vector<Kernel> backward = gradient_kernels(forward, Gradients::all, 4);
  REQUIRE(backward.size() == 2);
  CHECK(backward[0].bytes == Bytes{200});
  CHECK(backward[1].bytes == Bytes{1000});
}

// A sum in fp32 is read and written, 8 bytes a parameter, of which the product writes 2 in any
// case; in bf16 4 less 2.
TEST_CASE("a gradient of weights adds itself to a sum in memory") {
  const std::vector<Kernel> forward{
      gemm(KernelPart::dense, Precision::bf16, 5, 10, 20),
      grouped_gemm(KernelPart::expert, Precision::bf16, 3, 5, 10, 20)};
  for (const auto& [sum_bytes, more] : {std::pair{4, 6}, std::pair{2, 2}}) {
    const std::vector<Kernel> weights = gradient_kernels(forward, Gradients::weights, sum_bytes);
    REQUIRE(weights.size() == 2);
    CHECK(weights[0].accumulated == Bytes{3 * 10 * 20 * more});
    CHECK(weights[1].accumulated == Bytes{10 * 20 * more});
  }
  for (const Kernel& kernel : gradient_kernels(forward, Gradients::inputs, 4))
    CHECK(kernel.accumulated == Bytes{0});
}

// One expert a rank, 4096 tokens with 2 experts each: gate, up and result of 14336 values in bf16.
TEST_CASE("a fused feed-forward of experts has no activation of its own") {
  Workload workload = one_layer("mixtral-8x7b", 8);
  const auto expert_bytes = [&] {
    std::int64_t bytes = 0;
    for (const Kernel& kernel : kernels_of(stage_work(workload, 0).forward))
      if (kernel.part == KernelPart::expert && kernel.kind == KernelKind::memory_bound)
        bytes += kernel.bytes.value;
    return bytes;
  };
  CHECK(expert_bytes() == 8192LL * 14336 * 3 * 2);
  workload.training.fused_experts = true;
  CHECK(expert_bytes() == 0);
}

// One expert a rank with 8192 tokens. It reads 4096 values of each and, of the activation, 14336;
// the gradients of its products' inputs read twice 14336, for gate and up, and 4096.
TEST_CASE("products in fp8 cast what they read, by rows and by columns") {
  Workload workload = one_layer("mixtral-8x7b", 8);
  workload.training.precision = Precision::fp8;
  const auto cast_bytes = [&](const std::vector<SeenSegment>& segments, KernelPart part) {
    std::int64_t bytes = 0;
    for (const Kernel& kernel : kernels_of(segments))
      if (kernel.part == part)
        bytes += kernel.groups * kernel.m * kernel.k * kernel.cast.input;
    return bytes;
  };
  const auto forward = [&](KernelPart part) {
    return cast_bytes(stage_work(workload, 0).forward, part);
  };
  const auto backward = [&](KernelPart part) {
    return cast_bytes(stage_work(workload, 0).backward, part);
  };
  const std::int64_t rows = 8192;
  CHECK(forward(KernelPart::expert) == 4 * rows * (4096 + 14336));
  CHECK(backward(KernelPart::expert) == 4 * rows * (4096 + 2 * 14336));
  // Attention of 4096 tokens: queries, keys and values of 6144, outputs of 4096 values.
  CHECK(forward(KernelPart::attention) == 4 * 4096LL * (4096 + 4096));
  CHECK(backward(KernelPart::attention) == 4 * 4096LL * (6144 + 4096));
  CHECK(forward(KernelPart::router) + forward(KernelPart::head) == 0);
  SECTION("a scale for the whole tensor reads it once more") {
    workload.training.fp8_recipe = Fp8Recipe::per_tensor;
    CHECK(forward(KernelPart::expert) == 6 * rows * (4096 + 14336));
  }
  SECTION("a fused feed-forward casts its activation inside") {
    workload.training.fused_experts = true;
    CHECK(forward(KernelPart::expert) == 4 * rows * 4096);
    CHECK(backward(KernelPart::expert) == 4 * rows * 4096);
  }
  SECTION("inputs kept by rows alone are cast to columns in the backward pass") {
    workload.training.compressed_activations = true;
    CHECK(forward(KernelPart::expert) == 3 * rows * (4096 + 14336));
    CHECK(backward(KernelPart::expert) ==
          6 * rows * (4096 + 2 * 14336) + 2 * rows * (4096 + 14336));
  }
  SECTION("tokens that travelled in fp8 are cast by rows") {
    workload.communication.dispatch_precision = Precision::fp8;
    CHECK(forward(KernelPart::expert) == 4 * rows * 14336);
    CHECK(backward(KernelPart::expert) == 4 * rows * 2 * 14336 + 2 * rows * 4096 + 2 * rows * 4096);
  }
  SECTION("NVFP4 reads a tensor twice, and writes two times half a byte") {
    workload.training.precision = Precision::nvfp4;
    CHECK(forward(KernelPart::expert) == 5 * rows * (4096 + 14336));
    CHECK(backward(KernelPart::expert) == 5 * rows * (4096 + 2 * 14336));
  }
  SECTION("bf16 casts nothing") {
    workload.training.precision = Precision::bf16;
    CHECK(forward(KernelPart::expert) + backward(KernelPart::attention) == 0);
  }
}
