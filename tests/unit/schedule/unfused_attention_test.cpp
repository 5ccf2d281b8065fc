#include "sim/schedule/kept_activations.hpp"
#include "sim/schedule/kernel_gradients.hpp"
#include "sim/schedule/unfused_attention.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace moesim;

namespace {

/// A layer of GPT: hidden 16, 4 heads of 4, feed-forward 64; 2 sequences of 8 tokens, dropout.
Workload gpt() {
  Workload workload;
  ModelSpec& model = workload.model;
  model.hidden = 16;
  model.vocabulary = 100;
  model.feed_forward_matrices = 2;
  model.attention.heads = 4;
  model.attention.kv_heads = 4;
  model.attention.head_dim = 4;
  model.attention.value_dim = 4;
  model.layers = {{false, 1, 64}};
  workload.plan.layers_per_stage = {1};
  workload.training.sequence_length = 8;
  workload.training.micro_batch = 2;
  workload.training.global_batch = 2;
  workload.training.attention = AttentionKernels::unfused;
  workload.training.attention_dropout = 0.1;
  workload.training.hidden_dropout = 0.1;
  return workload;
}

Workload split(Workload workload, bool sequence_parallel) {
  workload.plan.gpus = 2;
  workload.plan.tensor = 2;
  workload.plan.sequence_parallel = sequence_parallel;
  return workload;
}

std::int64_t kept(const Workload& workload) {
  return kept_activations(workload, 0, nullptr).on_gpu.value;
}

std::vector<Kernel> core(const Workload& workload) {
  return unfused_attention_kernels(workload, sizes_of(workload));
}

double flops(const std::vector<Kernel>& kernels) {
  double sum = 0.0;
  for (const Kernel& kernel : kernels)
    sum += kernel.flops.value;
  return sum;
}

std::vector<std::int64_t> bytes(const std::vector<Kernel>& kernels) {
  std::vector<std::int64_t> all;
  for (const Kernel& kernel : kernels)
    all.push_back(kernel.bytes.value);
  return all;
}

} // namespace

// 2 x 4 heads of 8 x 8 scores: 512. A product of a head reads 8 x 4 and 4 x 8 values, or 8 x 8 and
// 8 x 4, and writes the third matrix: 128 values, 2,048 bytes for 8 heads. Softmax reads half of
// the scores and writes all: 512 + 1,024. Dropout reads and writes them, with a byte of mask:
// 512 x 5. The last copy reads and writes 16 tokens x 16 values.
TEST_CASE("unfused attention moves the scores of all heads through memory") {
  CHECK(attention_scores(gpt(), 4) == 512);
  CHECK(bytes(core(gpt())) == std::vector<std::int64_t>{2048, 1536, 2560, 2048, 1024});
  Workload without = gpt();
  without.training.attention_dropout = 0.0;
  CHECK(bytes(core(without)) == std::vector<std::int64_t>{2048, 1536, 2048, 1024});
}

// Backward, last first: each product has two, softmax reads half of the probabilities and of their
// gradients and writes all: 512 + 512 + 1,024. The copy has no gradient.
TEST_CASE("the gradient of unfused attention has two products for each of the forward pass") {
  const std::vector<Kernel> back = gradient_kernels(core(gpt()), Gradients::all, 4);
  CHECK(bytes(back) == std::vector<std::int64_t>{2048, 2048, 2560, 2048, 2048, 2048});
  CHECK(bytes(gradient_kernels(core(gpt()), Gradients::inputs, 4)) == bytes(back));
  CHECK(gradient_kernels(core(gpt()), Gradients::weights, 4).empty());
}

// Two products of 2 x 8 x 8 x 4 operations for each of 8 heads: 8,192, masked scores too; a fused
// kernel leaves half of them out.
TEST_CASE("unfused products take twice the operations of the causal half") {
  CHECK(flops(core(gpt())) == 8192.0);
  CHECK(flops(gradient_kernels(core(gpt()), Gradients::all, 4)) == 2.0 * 8192.0);
  CHECK(attention_forward({2, 8, 4, 4, 4, 4}).flops.value == 4096.0);
}

// 4 heads share a key and a value: 16 tokens x (4 + 1) x (4 + 4) values of 2 bytes.
TEST_CASE("unfused attention copies keys and values that heads share") {
  Workload workload = gpt();
  workload.model.attention.kv_heads = 1;
  CHECK(bytes(core(workload)).front() == 1280);
  // Queries, one key and one value, and their copies: 16 x (16 + 4 + 4) and 16 x 32, against 16 x
  // 48 of multi-head attention.
  CHECK(kept(workload) - kept(gpt()) == 2 * 16 * (24 + 32 - 48));
}

// Korthikanti et al., arXiv 2205.05198, equations 1 to 4 and table 2, with s·b·h = 8 x 2 x 16 = 256
// and 5·a·s/h = 10: s·b·h (34 + 5as/h) on one GPU, s·b·h (10 + 24/t + 5as/(ht)) under tensor
// parallelism, (34 + 5as/h) / t with sequence parallelism, 34 / t with core attention made again.
TEST_CASE("kept activations are those of Korthikanti et al.") {
  CHECK(kept(gpt()) == 256 * 44);
  CHECK(kept(split(gpt(), false)) == 256 * (10 + 12 + 5));
  CHECK(kept(split(gpt(), true)) == 256 * 22);
  Workload selective = split(gpt(), true);
  selective.plan.recompute = Recompute::selective;
  selective.plan.recompute_modules = {RecomputeModule::core_attention};
  CHECK(kept(selective) == 256 * 17);
}

// Without dropout the masks of 2·s·b·h and the second copy of the probabilities go.
TEST_CASE("without dropout unfused attention keeps the probabilities alone") {
  Workload workload = gpt();
  workload.training.attention_dropout = 0.0;
  workload.training.hidden_dropout = 0.0;
  CHECK(kept(workload) == 256 * (32 + 4));
  workload.training.attention = AttentionKernels::fused;
  CHECK(kept(workload) == 256 * 32);
}

// The add reads two and writes one of 256 values, 6 bytes each, and a byte of mask; its gradient
// takes twice the 6 and reads the mask.
TEST_CASE("dropout before the residual writes a mask") {
  const Kernel with = attention_kernels(gpt(), sizes_of(gpt())).back();
  CHECK(with.bytes == Bytes{256 * 7});
  CHECK(with.gradient_bytes == Bytes{256 * 13});
}

TEST_CASE("core attention made again runs all its kernels again") {
  Workload workload = gpt();
  const auto repeated = [&] {
    const std::vector<Kernel> kernels = attention_kernels(workload, sizes_of(workload));
    return std::count_if(kernels.begin(), kernels.end(),
                         [](const Kernel& k) { return k.repeated; });
  };
  CHECK(repeated() == 0);
  workload.plan.recompute = Recompute::selective;
  workload.plan.recompute_modules = {RecomputeModule::core_attention};
  CHECK(repeated() == 5);
}

TEST_CASE("unfused attention is one call of the framework") {
  const auto calls = [](const std::vector<Kernel>& kernels) {
    return std::count_if(kernels.begin(), kernels.end(),
                         [](const Kernel& kernel) { return !kernel.same_call; });
  };
  CHECK(calls(core(gpt())) == 1);
  CHECK(calls(gradient_kernels(core(gpt()), Gradients::all, 4)) == 1);
}
