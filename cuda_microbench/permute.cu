// Rows of tokens packed by expert for a rank's experts, and their weighted sums back in token
// order.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/harness/reference.hpp"
#include "cuda_microbench/harness/vectors.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

namespace moesim::microbench::permute {

namespace {

constexpr std::uint64_t routing_seed = 1;
constexpr std::uint64_t row_seed = 2;
constexpr std::uint64_t scale_seed = 3;
constexpr std::uint64_t weight_seed = 4;
constexpr std::size_t values_per_scale = 128; // of fp8 values, which share one fp32 scale
constexpr unsigned warp = 32;
constexpr unsigned threads = 128; // of every block

struct Sizes {
  std::size_t tokens = 0;
  std::size_t hidden = 0; ///< a multiple of 512: also the scales of a row are whole vectors
  std::size_t experts = 0;
  std::size_t top_k = 0;

  std::size_t rows() const { return tokens * top_k; }
};

/// Where the rows are: expert by expert, within an expert in the order of the tokens.
struct RowMap {
  std::vector<int> token_of_row;
  std::vector<int> row_of_choice; ///< of the choice token * top_k + i
};

/// `top_k` different experts of each token: the first of a shuffle of all experts.
std::vector<int> random_experts(const Sizes& sizes) {
  std::vector<int> shuffled(sizes.experts);
  std::iota(shuffled.begin(), shuffled.end(), 0);
  std::vector<int> experts;
  for (std::size_t choice = 0; choice < sizes.rows(); ++choice) {
    const std::size_t i = choice % sizes.top_k;
    const std::size_t other = i + hash_counter(routing_seed, choice) % (sizes.experts - i);
    std::swap(shuffled[i], shuffled[other]);
    experts.push_back(shuffled[i]);
  }
  return experts;
}

/// Counting sort of the choices by expert.
RowMap sort_by_expert(const Sizes& sizes, const std::vector<int>& experts) {
  std::vector<int> next(sizes.experts + 1, 0); // the next free row of each expert
  for (const int expert : experts)
    ++next[static_cast<std::size_t>(expert) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  RowMap map{std::vector<int>(sizes.rows()), std::vector<int>(sizes.rows())};
  for (std::size_t choice = 0; choice < experts.size(); ++choice) {
    const int row = next[static_cast<std::size_t>(experts[choice])]++;
    map.token_of_row[static_cast<std::size_t>(row)] = static_cast<int>(choice / sizes.top_k);
    map.row_of_choice[choice] = row;
  }
  return map;
}

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

/// One block for each token: the sum of its packed rows times their weights, in fp32.
template <int top_k>
__global__ void sum_rows(const uint4* __restrict__ rows, const int* __restrict__ row_of_choice,
                         const float* __restrict__ weights, uint4* __restrict__ sums, int vectors) {
  const std::size_t token = blockIdx.x;
  const uint4* sources[top_k];
  float factors[top_k];
#pragma unroll
  for (int i = 0; i < top_k; ++i) {
    sources[i] = rows + static_cast<std::size_t>(row_of_choice[token * top_k + i]) * vectors;
    factors[i] = weights[token * top_k + i];
  }
  for (int column = static_cast<int>(threadIdx.x); column < vectors; column += threads) {
    uint4 loaded[top_k];
#pragma unroll
    for (int i = 0; i < top_k; ++i)
      loaded[i] = __ldg(sources[i] + column);
    Floats total{};
#pragma unroll
    for (int i = 0; i < top_k; ++i) {
      const Floats values = unpack(loaded[i]);
#pragma unroll
      for (int j = 0; j < vector_values; ++j)
        total[j] += factors[i] * values[j];
    }
    sums[token * vectors + column] = pack(total);
  }
}

std::vector<std::string> shape_of(const std::string& operation, const std::string& precision,
                                  const Sizes& sizes) {
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

/// Choices whose row is not among those of their expert, or has another token.
double map_error(const Sizes& sizes, const std::vector<int>& experts, const RowMap& map) {
  std::vector<std::size_t> ends(sizes.experts, 0);
  for (const int expert : experts)
    ++ends[static_cast<std::size_t>(expert)];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  double wrong = 0.0;
  for (std::size_t choice = 0; choice < experts.size(); ++choice) {
    const auto expert = static_cast<std::size_t>(experts[choice]);
    const auto row = static_cast<std::size_t>(map.row_of_choice[choice]);
    const std::size_t begin = expert == 0 ? 0 : ends[expert - 1];
    const bool is_right = row >= begin && row < ends[expert] &&
                          map.token_of_row[row] == static_cast<int>(choice / sizes.top_k);
    wrong += is_right ? 0.0 : 1.0;
  }
  return wrong;
}

/// Routing of one shape, on host and device.
struct Routing {
  explicit Routing(const Sizes& shape)
      : sizes(shape), experts(random_experts(shape)), map(sort_by_expert(shape, experts)),
        token_of_row(map.token_of_row), row_of_choice(map.row_of_choice) {}
  Sizes sizes;
  std::vector<int> experts;
  RowMap map;
  DeviceBuffer<int> token_of_row;
  DeviceBuffer<int> row_of_choice;
};

/// `T` are the values. Declared bytes: each token's row is read once, although a gather reads it
/// for each of its experts; the packed rows are written, the map is read.
template <class T>
void run_permute(Recorder& recorder, const Routing& routing,
                 const std::vector<std::string>& shape) {
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
    constexpr unsigned rows_per_block = threads / warp;
    const auto blocks = static_cast<unsigned>((sizes.rows() + rows_per_block - 1) / rows_per_block);
    pack_rows<<<blocks, threads, 0, stream>>>(values.rows(), scale_rows,
                                              routing.token_of_row.data(), sizes.rows());
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

constexpr std::size_t samples = 64; // tokens whose sums are checked
/// Of the sum of the amounts: half a unit of the 8 significant bits of bf16, 2^-8, and a sixteenth
/// of it for up to 16 roundings to fp32, each 2^-24.
constexpr double sum_tolerance = 0x1.1p-8;

/// The largest error of the sampled tokens' sums, by a reference in double.
double sums_error(const Routing& routing, const DeviceBuffer<__nv_bfloat16>& sums) {
  const Sizes& sizes = routing.sizes;
  double error = 0.0;
  for (std::size_t sample = 0; sample < samples; ++sample) {
    const std::size_t token = sample * (sizes.tokens - 1) / (samples - 1);
    const std::vector<__nv_bfloat16> found =
        download_range(sums, token * sizes.hidden, sizes.hidden);
    for (std::size_t column = 0; column < sizes.hidden; ++column) {
      double expected = 0.0;
      double scale = 0.0;
      for (std::size_t i = 0; i < sizes.top_k; ++i) {
        const std::size_t choice = token * sizes.top_k + i;
        const auto row = static_cast<std::size_t>(routing.map.row_of_choice[choice]);
        const double term =
            random_element<float>(weight_seed, choice, 0.0f, 1.0f) *
            random_element<__nv_bfloat16>(row_seed, row * sizes.hidden + column, -1.0f, 1.0f);
        expected += term;
        scale += std::fabs(term);
      }
      error = worse(error, relative_error(static_cast<float>(found[column]), expected, scale));
    }
  }
  return error;
}

template <int top_k>
void run_unpermute(Recorder& recorder, const Routing& routing,
                   const std::vector<std::string>& shape) {
  const Sizes& sizes = routing.sizes;
  const std::size_t choice_bytes = sizeof(int) + sizeof(float);
  const auto bytes =
      static_cast<double>(sizeof(__nv_bfloat16) * sizes.hidden * (sizes.tokens + sizes.rows()) +
                          choice_bytes * sizes.rows());
  if (!fits(bytes))
    return recorder.skip(shape, "not enough memory");
  const DeviceBuffer<__nv_bfloat16> rows =
      random_buffer<__nv_bfloat16>(sizes.rows() * sizes.hidden, row_seed, -1.0f, 1.0f);
  const DeviceBuffer<float> weights = random_buffer<float>(sizes.rows(), weight_seed, 0.0f, 1.0f);
  DeviceBuffer<__nv_bfloat16> sums(sizes.tokens * sizes.hidden);
  const Launch unpermute = [&](cudaStream_t stream) {
    sum_rows<top_k><<<static_cast<unsigned>(sizes.tokens), threads, 0, stream>>>(
        reinterpret_cast<const uint4*>(rows.data()), routing.row_of_choice.data(), weights.data(),
        reinterpret_cast<uint4*>(sums.data()), static_cast<int>(sizes.hidden / vector_values));
    CUDA_CALL(cudaGetLastError());
  };
  recorder.run_once(unpermute);
  if (recorder.verify(shape, sums_error(routing, sums), sum_tolerance))
    recorder.time(shape, {.bytes = bytes}, unpermute);
}

/// The operations of one shape; `top_k` is that of the sizes.
template <int top_k> void run_shape(Recorder& recorder, Sizes sizes, Importance importance) {
  sizes.top_k = top_k;
  std::optional<Routing> routing; // made when the first case is to be measured
  const auto attempt = [&](const char* operation, const char* precision, const auto& run_case) {
    const std::vector<std::string> shape = shape_of(operation, precision, sizes);
    recorder.attempt(importance, shape, [&] {
      if (!routing)
        routing.emplace(sizes);
      run_case(recorder, *routing, shape);
    });
  };
  attempt("permute", "bf16", run_permute<__nv_bfloat16>);
  attempt("permute", "fp8", run_permute<__nv_fp8_e4m3>);
  attempt("unpermute", "bf16", run_unpermute<top_k>);
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
     "Token rows packed by expert, with scales of fp8, and their weighted sums in token order.",
     {"operation", "precision", "tokens", "hidden", "experts", "top_k"},
     run}};

} // namespace

} // namespace moesim::microbench::permute
