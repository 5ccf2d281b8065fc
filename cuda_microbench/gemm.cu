// Products of dense layers: activations times a weight, as a linear layer's passes have them.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/harness/product_memory.hpp"
#include "cuda_microbench/model_weights.hpp"

#include <algorithm>

namespace moesim::microbench::gemm {

namespace {

constexpr std::int64_t rows[] = {16, 64, 256, 1024, 4096, 8192, 16384};
constexpr std::int64_t sides[] = {1024, 2048, 4096, 8192};

/// A product of m x n with k inner elements. One that is added to is a weight gradient: m x n is
/// the weight, k the tokens. Another is a forward pass: m tokens times a weight of n x k.
struct Case {
  Operands operands = Operands::bf16;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  Accumulate accumulate = Accumulate::none;
  Importance importance = Importance::grid;

  std::vector<std::string> shape() const {
    return {name_of(operands), std::to_string(m), std::to_string(n), std::to_string(k),
            name_of(accumulate)};
  }
  LinearProduct product(LinearContext& context) const {
    return accumulate == Accumulate::none
               ? LinearProduct(context, operands, Pass::forward, accumulate, m, n, k)
               : LinearProduct(context, operands, Pass::weight_gradient, accumulate, k, m, n);
  }
};

/// Weights of models, those of their data gradients and a grid; the first ones come once.
std::vector<Weight> weights() {
  std::vector<Weight> all(std::begin(dense_weights), std::end(dense_weights));
  const auto add = [&](const Weight& weight) {
    if (std::find(all.begin(), all.end(), weight) == all.end())
      all.push_back(weight);
  };
  for (const Weight& weight : dense_weights)
    add({weight.k, weight.n});
  for (const std::int64_t n : sides)
    for (const std::int64_t k : sides)
      add({n, k});
  return all;
}

bool is_of_a_model(const Weight& weight) {
  for (const Weight& known : dense_weights)
    if (known == weight || known == Weight{weight.k, weight.n})
      return true;
  return false;
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const Operands operands : all_operands) {
    for (const Weight& weight : weights())
      for (const std::int64_t m : rows) {
        const bool is_shipped = is_of_a_model(weight) && m >= 1024;
        all.push_back({operands, m, weight.n, weight.k, Accumulate::none,
                       is_shipped ? Importance::shipped : Importance::grid});
      }
    for (const Weight& weight : dense_weights)
      for (const std::int64_t tokens : {1024, 4096, 8192, 16384})
        all.push_back({operands, weight.n, weight.k, tokens, Accumulate::fp32,
                       tokens >= 4096 ? Importance::shipped : Importance::grid});
  }
  return all;
}

std::vector<Case> quick_cases() {
  std::vector<Case> all;
  for (const Operands operands : all_operands)
    for (const std::int64_t m : {16, 256})
      for (const Accumulate accumulate : {Accumulate::none, Accumulate::fp32})
        all.push_back({operands, m, 1024, 2048, accumulate, Importance::shipped});
  return all;
}

template <class T> void run_case(Recorder& recorder, LinearContext& context, const Case& c) {
  const LinearProduct product = c.product(context);
  if (!product.is_supported())
    return recorder.skip(c.shape(), "cuBLASLt has no algorithm for it");
  ProductMemory<T> memory({product.layout()}, c.accumulate);
  const ExpertProduct<T> matrices = memory.products().front();
  const Launch launch = [&](cudaStream_t stream) {
    product.enqueue(stream, matrices.a, matrices.b, matrices.c);
  };
  recorder.run_once(launch);
  if (recorder.verify(c.shape(), memory.error(product.factor()), tolerance_of(c.operands)))
    recorder.time(c.shape(), memory.work(), launch);
}

void run(Recorder& recorder) {
  LinearContext context;
  const Device& device = recorder.device();
  for (const Case& c : recorder.quick() ? quick_cases() : all_cases())
    recorder.attempt(c.importance, c.shape(), [&] {
      const std::string lack =
          lacks_operands(device.compute_major, device.compute_minor, c.operands);
      if (!lack.empty())
        recorder.skip(c.shape(), lack);
      else if (c.operands == Operands::bf16)
        run_case<__nv_bfloat16>(recorder, context, c);
      else
        run_case<__nv_fp8_e4m3>(recorder, context, c);
    });
}

const Registration registration{
    {"gemm",
     "Products of dense layers by cuBLASLt, m x n with k inner elements: a forward pass of m "
     "tokens, or a weight gradient of k tokens that is added to in fp32. fp8 has scales of blocks, "
     "fp8_per_tensor one a matrix.",
     {"precision", "m", "n", "k", "accumulate"},
     run}};

} // namespace

} // namespace moesim::microbench::gemm
