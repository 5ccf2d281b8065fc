// Rows of tokens packed by expert for a rank's experts, and their weighted sums back in token
// order.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/permute/gradient.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

namespace moesim::microbench::permute {

namespace {

constexpr std::uint64_t scale_seed = 3;
constexpr std::size_t values_per_scale = 128; // of fp8 values, which share one fp32 scale

/// Rows to copy, in vectors of 16 bytes.
struct Rows {
  const uint4* source = nullptr;
  uint4* target = nullptr;
  int vectors = 0; ///< of a row; none: nothing is copied
};

__device__ void copy_row(const Rows& rows, std::size_t from, std::size_t to, int lane) {
  const uint4* __restrict__ source = rows.source + from * rows.vectors;
  uint4* __restrict__ target = rows.target + to * rows.vectors;
#pragma unroll 4
  for (int i = lane; i < rows.vectors; i += warp)
    target[i] = __ldg(source + i);
}

/// One warp for each packed row: its values and its scales.
__global__ void pack_rows(Rows values, Rows scales, const int* token_of_row, std::size_t count) {
  const std::size_t row =
      static_cast<std::size_t>(blockIdx.x) * (threads / warp) + threadIdx.x / warp;
  if (row >= count)
    return;
  const auto token = static_cast<std::size_t>(token_of_row[row]);
  const int lane = static_cast<int>(threadIdx.x % warp);
  copy_row(values, token, row, lane);
  copy_row(scales, token, row, lane);
}

/// Counts the vectors of the packed rows that are not those of their tokens.
__global__ void count_wrong(Rows rows, const int* row_of_choice, std::size_t choices,
                            std::size_t top_k, unsigned long long* wrong) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  const std::size_t count = choices * rows.vectors;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride) {
    const std::size_t choice = i / rows.vectors;
    const std::size_t column = i % rows.vectors;
    const uint4 expected = rows.source[choice / top_k * rows.vectors + column];
    const uint4 found = rows.target[row_of_choice[choice] * std::size_t(rows.vectors) + column];
    if (expected.x != found.x || expected.y != found.y || expected.z != found.z ||
        expected.w != found.w)
      atomicAdd(wrong, 1ull);
  }
}

using Shape = std::vector<std::string>;

/// Blocks with a warp for each of `count` rows.
unsigned warp_blocks(std::size_t count) {
  constexpr unsigned rows_per_block = threads / warp;
  return static_cast<unsigned>((count + rows_per_block - 1) / rows_per_block);
}

Shape shape_of(const std::string& operation, const std::string& precision, const Sizes& sizes) {
  return {operation,
          precision,
          std::to_string(sizes.tokens),
          std::to_string(sizes.hidden),
          std::to_string(sizes.experts),
          std::to_string(sizes.top_k)};
}

/// The values of tokens as one kind of memory has them, before and after they are packed.
template <class T> class PackedRows {
public:
  PackedRows(const Sizes& sizes, std::size_t width, std::uint64_t seed)
      : width_(width), source_(random_buffer<T>(sizes.tokens * width, seed, -1.0f, 1.0f)),
        target_(sizes.rows() * width) {
    target_.clear();
  }

  Rows rows() {
    static_assert(sizeof(uint4) % sizeof(T) == 0);
    return {reinterpret_cast<const uint4*>(source_.data()),
            reinterpret_cast<uint4*>(target_.data()),
            static_cast<int>(width_ * sizeof(T) / sizeof(uint4))};
  }

private:
  std::size_t width_; ///< values of a row
  DeviceBuffer<T> source_;
  DeviceBuffer<T> target_;
};

/// Vectors of the packed rows that are wrong.
unsigned long long wrong_vectors(const Rows& rows, const Sizes& sizes,
                                 const DeviceBuffer<int>& row_of_choice) {
  DeviceBuffer<unsigned long long> wrong(1);
  wrong.clear();
  count_wrong<<<grid_for(sizes.rows() * rows.vectors, 256), 256>>>(
      rows, row_of_choice.data(), sizes.rows(), sizes.top_k, wrong.data());
  CUDA_CALL(cudaGetLastError());
  return wrong.download()[0];
}

/// `T` are the values. Declared bytes: each token's row is read once, although a gather reads it
/// for each of its experts; the packed rows are written, the map is read.
template <class T>
void run_permute(Recorder& recorder, const Routing& routing, const Shape& shape) {
  const Sizes& sizes = routing.sizes;
  const std::size_t scales_width = sizeof(T) == 1 ? sizes.hidden / values_per_scale : 0;
  const double row_bytes =
      static_cast<double>(sizes.hidden * sizeof(T) + scales_width * sizeof(float));
  const double bytes = row_bytes * static_cast<double>(sizes.tokens + sizes.rows()) +
                       static_cast<double>(routing.token_of_row.bytes());
  if (!fits(bytes))
    return recorder.skip(shape, "not enough memory");
  PackedRows<T> values(sizes, sizes.hidden, row_seed);
  std::optional<PackedRows<float>> scales;
  if (scales_width > 0)
    scales.emplace(sizes, scales_width, scale_seed);
  const Rows scale_rows = scales ? scales->rows() : Rows{};
  const Launch permute = [&](cudaStream_t stream) {
    pack_rows<<<warp_blocks(sizes.rows()), threads, 0, stream>>>(
        values.rows(), scale_rows, routing.token_of_row.data(), sizes.rows());
    CUDA_CALL(cudaGetLastError());
  };
  recorder.run_once(permute);
  const double wrong =
      map_error(sizes, routing.experts, routing.map) +
      static_cast<double>(wrong_vectors(values.rows(), sizes, routing.row_of_choice)) +
      static_cast<double>(wrong_vectors(scale_rows, sizes, routing.row_of_choice));
  if (recorder.verify(shape, wrong, 0.0))
    recorder.time(shape, {.bytes = bytes}, permute);
}

/// Sums of each token's packed rows, times weights of [weight_min, 1): with weights of 1 they are
/// the gradient of permute.
template <int top_k>
void run_sums(Recorder& recorder, const Routing& routing, const Shape& shape, float weight_min) {
  const Sizes& sizes = routing.sizes;
  const std::size_t choice_bytes = sizeof(int) + sizeof(float);
  const auto bytes =
      static_cast<double>(sizeof(__nv_bfloat16) * sizes.hidden * (sizes.tokens + sizes.rows()) +
                          choice_bytes * sizes.rows());
  if (!fits(bytes))
    return recorder.skip(shape, "not enough memory");
  const DeviceBuffer<__nv_bfloat16> rows =
      random_buffer<__nv_bfloat16>(sizes.rows() * sizes.hidden, row_seed, -1.0f, 1.0f);
  const DeviceBuffer<float> weights =
      random_buffer<float>(sizes.rows(), weight_seed, weight_min, 1.0f);
  DeviceBuffer<__nv_bfloat16> sums(sizes.tokens * sizes.hidden);
  const Launch unpermute = [&](cudaStream_t stream) {
    sum_rows<top_k><<<static_cast<unsigned>(sizes.tokens), threads, 0, stream>>>(
        reinterpret_cast<const uint4*>(rows.data()), routing.row_of_choice.data(), weights.data(),
        reinterpret_cast<uint4*>(sums.data()), static_cast<int>(sizes.hidden / vector_values));
    CUDA_CALL(cudaGetLastError());
  };
  recorder.run_once(unpermute);
  if (recorder.verify(shape, sums_error(routing, sums, weight_min), sum_tolerance))
    recorder.time(shape, {.bytes = bytes}, unpermute);
}

void run_unpermute_backward(Recorder& recorder, const Routing& routing, const Shape& shape) {
  const Sizes& sizes = routing.sizes;
  const std::size_t choice_bytes = sizeof(int) + 2 * sizeof(float);
  const auto bytes =
      static_cast<double>(sizeof(__nv_bfloat16) * sizes.hidden * (sizes.tokens + 2 * sizes.rows()) +
                          choice_bytes * sizes.rows());
  const auto rows = random_buffer<__nv_bfloat16>(sizes.rows() * sizes.hidden, row_seed, -1, 1);
  const auto gradients =
      random_buffer<__nv_bfloat16>(sizes.tokens * sizes.hidden, gradient_seed, -1, 1);
  const DeviceBuffer<float> weights = random_buffer<float>(sizes.rows(), weight_seed, 0.0f, 1.0f);
  DeviceBuffer<__nv_bfloat16> row_gradients(rows.size());
  DeviceBuffer<float> weight_gradients(weights.size());
  row_gradients.clear();
  weight_gradients.clear();
  const SumGradient gradient{reinterpret_cast<const uint4*>(gradients.data()),
                             reinterpret_cast<const uint4*>(rows.data()),
                             routing.row_of_choice.data(),
                             weights.data(),
                             reinterpret_cast<uint4*>(row_gradients.data()),
                             weight_gradients.data(),
                             sizes.rows(),
                             static_cast<int>(sizes.top_k),
                             static_cast<int>(sizes.hidden / vector_values)};
  const Launch launch = [&](cudaStream_t stream) {
    sum_rows_backward<<<warp_blocks(sizes.rows()), threads, 0, stream>>>(gradient);
    CUDA_CALL(cudaGetLastError());
  };
  recorder.run_once(launch);
  const GradientErrors errors = gradient_errors(routing, row_gradients, weight_gradients);
  if (recorder.verify(shape, errors.rows, sum_tolerance) &&
      recorder.verify(shape, errors.weights, weight_gradient_tolerance))
    recorder.time(shape, {.bytes = bytes}, launch);
}

/// The operations of one shape; `top_k` is that of the sizes.
template <int top_k> void run_shape(Recorder& recorder, Sizes sizes, Importance importance) {
  sizes.top_k = top_k;
  std::optional<Routing> routing; // made when the first case is to be measured
  const auto attempt = [&](const char* operation, const char* precision, const auto& run_case) {
    const Shape shape = shape_of(operation, precision, sizes);
    recorder.attempt(importance, shape, [&] {
      if (!routing)
        routing.emplace(sizes);
      run_case(recorder, *routing, shape);
    });
  };
  attempt("permute", "bf16", run_permute<__nv_bfloat16>);
  attempt("permute", "fp8", run_permute<__nv_fp8_e4m3>);
  attempt("unpermute", "bf16", [](Recorder& r, const Routing& of, const Shape& shape) {
    run_sums<top_k>(r, of, shape, 0.0f);
  });
  attempt("permute_backward", "bf16", [](Recorder& r, const Routing& of, const Shape& shape) {
    run_sums<top_k>(r, of, shape, 1.0f);
  });
  attempt("unpermute_backward", "bf16", run_unpermute_backward);
}

void run(Recorder& recorder) {
  const bool quick = recorder.quick();
  const std::vector<std::size_t> token_counts =
      quick ? std::vector<std::size_t>{256} : std::vector<std::size_t>{4096, 16384};
  const std::vector<std::size_t> hidden_sizes =
      quick ? std::vector<std::size_t>{2048} : std::vector<std::size_t>{2048, 4096, 7168};
  for (const std::size_t tokens : token_counts)
    for (const std::size_t hidden : hidden_sizes) {
      const auto importance = [&](bool is_shipped) {
        return is_shipped && tokens == token_counts.front() ? Importance::shipped
                                                            : Importance::grid;
      };
      run_shape<2>(recorder, {.tokens = tokens, .hidden = hidden, .experts = 8},
                   importance(hidden == 4096)); // Mixtral-8x7B
      run_shape<8>(recorder, {.tokens = tokens, .hidden = hidden, .experts = 256},
                   importance(hidden == 7168)); // DeepSeek-V3
      if (!quick)
        run_shape<8>(recorder, {.tokens = tokens, .hidden = hidden, .experts = 128},
                     importance(hidden < 7168)); // Qwen3-30B-A3B and Qwen3-235B-A22B
    }
}

const Registration registration{
    {"permute",
     "Token rows packed by expert, with scales of fp8, their weighted sums in token order, and the "
     "gradients of both.",
     {"operation", "precision", "tokens", "hidden", "experts", "top_k"},
     run}};

} // namespace

} // namespace moesim::microbench::permute
