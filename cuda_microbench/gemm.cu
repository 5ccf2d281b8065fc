// Products of dense layers: activations times a weight, as a linear layer's forward pass has them.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/harness/linear_product.hpp"
#include "cuda_microbench/harness/sampled_error.hpp"

namespace moesim::microbench::gemm {

namespace {

constexpr unsigned samples = 512; // elements of a result that are checked
constexpr std::uint64_t seed_activations = 11;
constexpr std::uint64_t seed_weight = 12;

/// A weight, n x k: it takes k features to n.
struct Weight {
  std::int64_t n;
  std::int64_t k;
};

constexpr std::int64_t rows[] = {16, 64, 256, 1024, 4096, 16384};
constexpr std::int64_t sides[] = {1024, 2048, 4096, 8192};

/// Layers of published models. Llama 3 8B: the fused query, key and value projection and its data
/// gradient; gate and up as one; down. DeepSeek-V3: gate or up, and down, of its dense layers; the
/// query's projections down and up; the attention's output.
constexpr Weight model_weights[] = {{6144, 4096},  {4096, 6144},  {28672, 4096},
                                    {4096, 14336}, {18432, 7168}, {7168, 18432},
                                    {1536, 7168},  {24576, 1536}, {7168, 16384}};

std::vector<Weight> weights() {
  std::vector<Weight> all;
  for (const std::int64_t n : sides)
    for (const std::int64_t k : sides)
      all.push_back({n, k});
  all.insert(all.end(), std::begin(model_weights), std::end(model_weights));
  return all;
}

std::vector<std::string> shape_of(Operands operands, std::int64_t m, const Weight& weight) {
  return {name_of(operands), std::to_string(m), std::to_string(weight.n), std::to_string(weight.k)};
}

/// Measures m rows times the weight, with operands of T.
template <class T>
void run_case(Recorder& recorder, LinearContext& context, Operands operands, std::int64_t m,
              const Weight& weight) {
  const auto [n, k] = weight;
  const std::vector<std::string> shape = shape_of(operands, m, weight);
  const LinearProduct product(context, operands, m, n, k);
  if (!product.is_supported())
    return recorder.skip(shape, "cuBLASLt has no algorithm for it");
  const DeviceBuffer<T> activations = random_buffer<T>(m * k, seed_activations, -1.0f, 1.0f);
  const DeviceBuffer<T> weights = random_buffer<T>(n * k, seed_weight, -1.0f, 1.0f);
  DeviceBuffer<__nv_bfloat16> out(m * n);
  fill_with_nan(out);
  const Launch launch = [&](cudaStream_t stream) {
    product.enqueue(stream, activations.data(), weights.data(), out.data());
  };
  recorder.run_once(launch);
  const SampledProduct<T> sampled{.left = activations.data(),
                                  .left_row_step = k,
                                  .left_inner_step = 1,
                                  .right = weights.data(),
                                  .right_row_step = k,
                                  .right_inner_step = 1,
                                  .out = out.data(),
                                  .rows = m,
                                  .columns = n,
                                  .inner = k,
                                  .factor = product.factor()};
  const double tolerance = operands == Operands::bf16 ? bf16_tolerance : fp8_tolerance;
  const Work work{.flops = 2.0 * static_cast<double>(m) * static_cast<double>(n * k),
                  .bytes =
                      static_cast<double>(activations.bytes() + weights.bytes() + out.bytes())};
  if (recorder.verify(shape, sampled_error<T>({sampled}, samples), tolerance))
    recorder.time(shape, work, launch);
}

/// Weights of models, with the rows of a micro-batch.
Importance importance_of(std::int64_t m, const Weight& weight) {
  for (const Weight& known : model_weights)
    if (known.n == weight.n && known.k == weight.k && m >= 1024)
      return Importance::shipped;
  return Importance::grid;
}

void run_operands(Recorder& recorder, LinearContext& context, Operands operands) {
  const Device& device = recorder.device();
  const std::string lack = lacks_operands(device.compute_major, device.compute_minor, operands);
  const std::vector<Weight> all = recorder.quick() ? std::vector<Weight>{{1024, 2048}} : weights();
  const std::vector<std::int64_t> sizes =
      recorder.quick() ? std::vector<std::int64_t>{16, 256}
                       : std::vector<std::int64_t>(std::begin(rows), std::end(rows));
  for (const Weight& weight : all)
    for (const std::int64_t m : sizes)
      recorder.attempt(importance_of(m, weight), shape_of(operands, m, weight), [&] {
        if (!lack.empty())
          recorder.skip(shape_of(operands, m, weight), lack);
        else if (operands == Operands::bf16)
          run_case<__nv_bfloat16>(recorder, context, operands, m, weight);
        else
          run_case<__nv_fp8_e4m3>(recorder, context, operands, m, weight);
      });
}

void run(Recorder& recorder) {
  LinearContext context;
  for (const Operands operands : {Operands::bf16, Operands::fp8})
    run_operands(recorder, context, operands);
}

const Registration registration{
    {"gemm",
     "Products of dense layers, m x k by k x n, in bf16 and fp8 (e4m3, a scale a matrix), by "
     "cuBLASLt.",
     {"precision", "m", "n", "k"},
     run}};

} // namespace

} // namespace moesim::microbench::gemm
