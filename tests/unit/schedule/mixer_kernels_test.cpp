#include "sim/schedule/kept_activations.hpp"
#include "sim/schedule/kernel_gradients.hpp"
#include "sim/schedule/memory_estimate.hpp"
#include "sim/schedule/mixer_kernels.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace moesim;

namespace {

/// Two sequences of 128 tokens, hidden 64, one dense layer.
Workload workload_of(const AttentionSpec& attention, std::int64_t tensor = 1) {
  Workload workload;
  workload.model.hidden = 64;
  workload.model.vocabulary = 100;
  workload.model.attention = attention;
  workload.model.layers = {{.dense_hidden = 32}};
  workload.plan.gpus = tensor;
  workload.plan.tensor = tensor;
  workload.plan.layers_per_stage = {1};
  workload.training.sequence_length = 128;
  workload.training.micro_batch = 2;
  workload.training.global_batch = 2;
  return workload;
}

std::vector<Kernel> kernels_of(const Workload& workload) {
  Sizes sizes = sizes_of(workload);
  sizes.layer = workload.model.layers.front();
  return attention_kernels(workload, sizes);
}

std::vector<Kernel> of_kind(const std::vector<Kernel>& kernels, KernelKind kind) {
  std::vector<Kernel> found;
  std::copy_if(kernels.begin(), kernels.end(), std::back_inserter(found),
               [&](const Kernel& kernel) { return kernel.kind == kind; });
  return found;
}

/// Keys 2·16, values 4·32 a token.
const AttentionSpec delta = {.kind = AttentionKind::gated_delta,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_dim = 16,
                             .value_dim = 32,
                             .convolution = 4};

const AttentionSpec sparse = {.kind = AttentionKind::latent,
                              .heads = 4,
                              .kv_heads = 4,
                              .head_dim = 24,
                              .value_dim = 16,
                              .q_lora_rank = 32,
                              .kv_lora_rank = 40,
                              .rope_dim = 8,
                              .index_heads = 2,
                              .index_dim = 16,
                              .index_top = 32};

} // namespace

TEST_CASE("a gated delta net is two products round a scan") {
  const std::vector<Kernel> kernels = kernels_of(workload_of(delta));
  const std::vector<Kernel> products = of_kind(kernels, KernelKind::gemm);
  REQUIRE(products.size() == 2);
  // Queries and keys 2·32, values and gates 2·128, two numbers a head.
  CHECK(products[0].n == 64 + 256 + 8);
  CHECK(products[0].m == 2 * 128);
  CHECK(products[1].k == 128);
  const std::vector<Kernel> scans = of_kind(kernels, KernelKind::token_scan);
  REQUIRE(scans.size() == 1);
  // A token: norms of queries and keys 4·32 values; a head 7·16 + 6·32 values, its row of a
  // triangle of 64 twice in fp32 and twice in bf16, and two of 64 parts of its state of 16·32.
  constexpr std::int64_t head = (112 + 192) * 2 + 64 * 12 + 2 * 512 / 64 * 2;
  CHECK(scans[0].bytes.value == 256 * (4 * 32 * 2 + 4 * head));
  // Multiply-adds of a head: chunks of 64 by 3·16 + 2·32, and three times the state.
  CHECK(scans[0].flops.value == 256 * 2.0 * 4 * (64 * 112 + 3 * 512));
  CHECK(scans[0].launches == 8);
}

TEST_CASE("tensor parallelism splits the heads of a scan") {
  const Kernel whole = of_kind(kernels_of(workload_of(delta)), KernelKind::token_scan).front();
  const Kernel half = of_kind(kernels_of(workload_of(delta, 2)), KernelKind::token_scan).front();
  CHECK(2 * half.bytes.value == whole.bytes.value);
  CHECK(2 * half.flops.value == whole.flops.value);
}

TEST_CASE("the gradient of a scan is 3.3 scans, and weights have gradients of their own") {
  const std::vector<Kernel> kernels = kernels_of(workload_of(delta));
  const std::vector<Kernel> gradients = gradient_kernels(kernels, Gradients::all, 4);
  const Kernel scan = of_kind(kernels, KernelKind::token_scan).front();
  const std::vector<Kernel> back = of_kind(gradients, KernelKind::token_scan);
  REQUIRE(back.size() == 1);
  CHECK(static_cast<double>(back[0].bytes.value) ==
        Approx(3.3 * static_cast<double>(scan.bytes.value)));
  CHECK(back[0].flops.value == Approx(3.3 * scan.flops.value));
  CHECK(of_kind(gradients, KernelKind::gemm).size() == 2 * 2);
}

TEST_CASE("a scan keeps its inputs and outputs, not its states") {
  const Workload workload = workload_of(delta);
  Sizes sizes = sizes_of(workload);
  // A token: 192 values before and after the convolution, gates and results of 128, rows of 64 of
  // four triangles, what the last product reads; two numbers a head in fp32.
  CHECK(mixer_kept(workload, sizes).value ==
        256 * ((2 * 192 + 2 * 128 + 4 * 64 + 128) * 2 + 2 * 4 * 4));
}

TEST_CASE("Mamba-2 and lightning attention move what their chunks need") {
  const AttentionSpec mamba = {.kind = AttentionKind::mamba2,
                               .heads = 4,
                               .kv_heads = 2,
                               .head_dim = 16,
                               .value_dim = 32,
                               .convolution = 4};
  const Kernel second = of_kind(kernels_of(workload_of(mamba)), KernelKind::token_scan).front();
  // A token: 3·128 + 4·32 values; two groups' row of 128, written and read in fp32; four times one
  // of 128 parts of a state of 128·16 in fp32.
  CHECK(second.bytes.value == 256 * ((384 + 128) * 2 + 2 * 2 * 128 * 4 + 4 * 128 * 16 / 128 * 4));
  CHECK(second.flops.value == 256 * 2.0 * (128 * 32 + 128 * (128 + 32)));
  const AttentionSpec lightning = {
      .kind = AttentionKind::lightning, .heads = 4, .kv_heads = 4, .head_dim = 16, .value_dim = 16};
  const Kernel light = of_kind(kernels_of(workload_of(lightning)), KernelKind::token_scan).front();
  // A head: 3·16 + 3·16 values; two of 256 parts of a state of 256 in fp32.
  CHECK(light.bytes.value == 256 * 4 * (96 * 2 + 2 * 4));
  CHECK(light.flops.value == 256 * 2.0 * 4 * (128 * 32 + 2 * 256));
}

TEST_CASE("Mamba-1 has two small products before its scan") {
  const AttentionSpec mamba = {.kind = AttentionKind::mamba1,
                               .heads = 1,
                               .kv_heads = 1,
                               .head_dim = 16,
                               .value_dim = 128,
                               .convolution = 4,
                               .time_rank = 4};
  const std::vector<Kernel> kernels = kernels_of(workload_of(mamba));
  const std::vector<Kernel> products = of_kind(kernels, KernelKind::gemm);
  REQUIRE(products.size() == 4);
  CHECK(products[0].n == 2 * 128);
  CHECK(products[1].n == 4 + 2 * 16);
  CHECK(products[2].k == 4);
  const Kernel scan = of_kind(kernels, KernelKind::token_scan).front();
  CHECK(scan.bytes.value == 256 * (4 * 128 + 2 * 16) * 2);
  CHECK(scan.flops.value == 256 * 9.0 * 128 * 16);
}

TEST_CASE("chunks of a sequence are sequences of their own") {
  Workload workload = workload_of({.heads = 4, .kv_heads = 2, .head_dim = 16, .value_dim = 16});
  workload.model.layers.front().chunk = 48;
  const std::vector<Kernel> scores = of_kind(kernels_of(workload), KernelKind::attention_forward);
  REQUIRE(scores.size() == 2); // 128 tokens: two chunks of 48, one of 32
  CHECK(scores[0].batch == 2 * 2);
  CHECK(scores[0].sequence == 48);
  CHECK(scores[1].batch == 2);
  CHECK(scores[1].sequence == 32);
  workload.model.layers.front().chunk = 128;
  CHECK(of_kind(kernels_of(workload), KernelKind::attention_forward).size() == 1);
}

TEST_CASE("an indexer scores every pair and leaves its top tokens to shared latents") {
  const std::vector<Kernel> scores =
      of_kind(kernels_of(workload_of(sparse)), KernelKind::attention_forward);
  REQUIRE(scores.size() == 2);
  // The indexer: 2 heads of 16, one key, half of 128 keys; 4 bytes for each pair beside its
  // operands.
  CHECK(scores[0].flops.value == 256 * 64 * 2.0 * 2 * 16);
  CHECK(scores[0].bytes.value == 256 * (2 * 16 + 16) * 2 + 2 * 128 * 128 / 2 * 4);
  // Attention: 32·(1 − 32/256) = 28 keys a token, 4 heads of 40 + 8 and of 40.
  CHECK(scores[1].kv_heads == 1);
  CHECK(scores[1].flops.value == 256 * 28 * 2.0 * 4 * (48 + 40));
}

TEST_CASE("layers without a feed-forward or without attention keep and hold their own part") {
  Workload workload = workload_of({.heads = 4, .kv_heads = 4, .head_dim = 16, .value_dim = 16});
  workload.model.layers = {{.attention_blocks = 1, .dense_hidden = 0},
                           {.attention_blocks = 0, .dense_hidden = 32},
                           {.dense_hidden = 32}};
  workload.plan.layers_per_stage = {3};
  const auto kept = [&](std::int64_t layer) {
    return kept_activations(workload, layer, nullptr).on_gpu.value;
  };
  CHECK(kept(0) > 0);
  CHECK(kept(0) + kept(1) == kept(2));
  CHECK(estimate_memory(workload, 0).activations > Bytes{kept(0) + kept(1) + kept(2)});
}
