#include "sim/workload/kernel.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("a matrix product takes two operations for each multiply-add, and each operand once") {
  // 2·3·5·7 = 210 operations; bf16: 2·(3·7 + 7·5 + 3·5) = 142 bytes.
  const Kernel kernel = gemm(KernelPart::dense, Precision::bf16, 3, 5, 7);
  CHECK(kernel.kind == KernelKind::gemm);
  CHECK(kernel.groups == 1);
  CHECK(kernel.flops.value == 210.0);
  CHECK(kernel.bytes == Bytes{142});
}

TEST_CASE("an fp8 product reads one byte a value and writes two") {
  // (3·7 + 7·5)·1 + 3·5·2 = 86 bytes.
  CHECK(gemm(KernelPart::dense, Precision::fp8, 3, 5, 7).bytes == Bytes{86});
}

TEST_CASE("an NVFP4 product reads half a byte a value and a scale for each 16") {
  // (16·32 + 32·64) values: 2560 / 2 + 2560 / 16 = 1440 bytes; results of 16·64·2.
  CHECK(gemm(KernelPart::dense, Precision::nvfp4, 16, 64, 32).bytes == Bytes{1440 + 2048});
  CHECK(nvfp4_bytes(17) == 9 + 2);
}

TEST_CASE("a grouped product is as much work as its products one by one") {
  const Kernel one = gemm(KernelPart::expert, Precision::fp8, 3, 5, 7);
  const Kernel four = grouped_gemm(KernelPart::expert, Precision::fp8, 4, 3, 5, 7);
  CHECK(four.kind == KernelKind::grouped_gemm);
  CHECK(four.part == KernelPart::expert);
  CHECK(four.flops.value == 4 * one.flops.value);
  CHECK(four.bytes == one.bytes * 4);
}

TEST_CASE("the operations of a product that exceeds 64 bits are still right") {
  // 2·2^20·2^20·2^20·2^8 = 2^69.
  const std::int64_t million = 1 << 20;
  const Kernel kernel =
      grouped_gemm(KernelPart::expert, Precision::bf16, 256, million, million, million);
  CHECK(kernel.flops.value == Approx(590295810358705651712.0).epsilon(1e-12));
}

TEST_CASE(
    "causal attention takes half of both products, and its gradient two and a half times it") {
  // Scores and weighted values: 2·batch·heads·sequence²·(head_dim + value_dim) / 2
  // = 2·2·4·8²·(6 + 3) / 2 = 4,608.
  const AttentionShape shape{2, 8, 4, 2, 6, 3};
  const Kernel forward = attention_forward(shape);
  CHECK(forward.kind == KernelKind::attention_forward);
  CHECK(forward.flops.value == 4608.0);
  // 2·8 rows of 4 query and output heads and 2 key and value heads, 9 wide, 2 bytes: 1,728.
  CHECK(forward.bytes == Bytes{1728});
  const Kernel backward = attention_backward(shape);
  CHECK(backward.kind == KernelKind::attention_backward);
  CHECK(backward.flops.value == 11520.0);
  CHECK(backward.bytes == Bytes{2 * 1728});
}

// 8,192 tokens, a window of 128: each query meets 128 + 128 keys instead of 4,096 on average, in
// whole blocks. 256 tokens meet all blocks, the causal half.
TEST_CASE("attention to a window takes the blocks of scores that the window touches") {
  AttentionShape shape{1, 8192, 16, 16, 64, 64};
  const double all = attention_forward(shape).flops.value;
  shape.window = 128;
  CHECK(attention_forward(shape).flops.value == all / 16.0);
  CHECK(attention_backward(shape).flops.value == 2.5 * all / 16.0);
  shape.sequence = 256;
  const double short_window = attention_forward(shape).flops.value;
  shape.window = 0;
  CHECK(short_window == attention_forward(shape).flops.value);
}

TEST_CASE("attention over a sequence twice as long takes four times the operations a sequence") {
  const double once = attention_forward({1, 1024, 16, 16, 64, 64}).flops.value;
  CHECK(attention_forward({1, 2048, 16, 16, 64, 64}).flops.value == 4.0 * once);
  CHECK(attention_forward({2, 1024, 16, 16, 64, 64}).flops.value == 2.0 * once);
}

TEST_CASE("a memory-bound kernel has bytes and no operations") {
  const Kernel kernel = memory_bound(KernelPart::permute, Bytes{4096});
  CHECK(kernel.kind == KernelKind::memory_bound);
  CHECK(kernel.part == KernelPart::permute);
  CHECK(kernel.bytes == Bytes{4096});
  CHECK(kernel.flops.value == 0.0);
}

TEST_CASE("tokens go back as they came, other gradients read and write twice the bytes") {
  CHECK(memory_bound(KernelPart::permute, Bytes{100}).gradient_bytes == Bytes{100});
  CHECK(memory_bound(KernelPart::dense, Bytes{100}).gradient_bytes == Bytes{200});
}

TEST_CASE("precisions are named as scenarios name them") {
  CHECK(std::string(name_of(precision_names, Precision::bf16)) == "bf16");
  CHECK(std::string(name_of(precision_names, Precision::fp8)) == "fp8");
}
