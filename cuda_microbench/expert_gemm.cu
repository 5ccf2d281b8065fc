// Products of the experts of one rank: forward, data gradient and weight gradient of y = x * w^T.
//
// To keep the whole file to some minutes (about 2000 cases), not all combinations are measured:
//   bf16 forward, equal    all numbers of groups, all tokens a group
//   fp8 forward, equal     1, 8 and 64 groups
//   gradients, equal       1, 8 and 64 groups, at least 16 tokens a group
//   zipf and trace, of     8 and 64 groups, 64 and 1024 tokens a group in the mean; no weight
//   all of these           gradient in fp8, which wants multiples of 16 tokens
// and of each at most 131072 tokens. fp8 gradients multiply transposed copies, as frameworks keep
// them: cuBLASLt has fp8 products in one layout only. Their cast is not in the time.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/core/expert_tokens.hpp"
#include "cuda_microbench/harness/grouped_product.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <optional>

namespace moesim::microbench::expert_gemm {

namespace {

using Bf16 = __nv_bfloat16;
using Fp8 = __nv_fp8_e4m3;

constexpr unsigned samples_max = 512; // elements that are checked of all groups together
constexpr unsigned samples_min = 8;   // of each group
constexpr std::uint64_t seed_x = 21;
constexpr std::uint64_t seed_w = 22;
constexpr std::uint64_t seed_y = 23;
constexpr std::int64_t tokens_max = 131072;
constexpr double memory_share_max = 0.6; // of the device's free memory, for a case

/// The fused gate and up projection, and the down projection, of Mixtral 8x7B and 8x22B,
/// Qwen3-30B-A3B, Qwen3-235B-A22B and DeepSeek-V3, and up and down of Switch: n x k.
constexpr std::pair<std::int64_t, std::int64_t> weights[] = {
    {28672, 4096}, {4096, 14336}, {32768, 6144}, {6144, 16384}, {1536, 2048}, {2048, 768},
    {3072, 4096},  {4096, 1536},  {4096, 7168},  {7168, 2048},  {3072, 768},  {768, 3072}};
constexpr std::int64_t group_counts[] = {1, 2, 4, 8, 16, 32, 64};
constexpr std::int64_t tokens_per_group[] = {1, 4, 16, 64, 256, 1024, 4096};

struct Case {
  Operands operands = Operands::bf16;
  Pass pass = Pass::forward;
  Distribution distribution = Distribution::equal;
  std::int64_t groups = 0;
  std::int64_t tokens = 0; ///< of all groups together
  std::int64_t n = 0;
  std::int64_t k = 0;

  std::vector<std::string> shape() const {
    return {name_of(operands),      name_of(pass),          name_of(distribution),
            std::to_string(groups), std::to_string(tokens), std::to_string(n),
            std::to_string(k)};
  }
};

/// Whether a combination is one of the list at the head of this file.
bool is_chosen(const Case& c) {
  const std::int64_t mean = c.tokens / c.groups;
  if (c.tokens > tokens_max)
    return false;
  if (c.operands == Operands::fp8 && c.pass == Pass::weight_gradient &&
      c.distribution != Distribution::equal)
    return false;
  if (c.distribution != Distribution::equal)
    return (c.groups == 8 || c.groups == 64) && (mean == 64 || mean == 1024);
  if (c.operands == Operands::bf16 && c.pass == Pass::forward)
    return true;
  return (c.groups == 1 || c.groups == 8 || c.groups == 64) &&
         (c.pass == Pass::forward || mean >= 16);
}

/// A rank of the shipped plans has 1 to 32 experts, with some hundred tokens or more each.
Importance importance_of(const Case& c) {
  const std::int64_t mean = c.tokens / c.groups;
  return mean >= 256 && (c.groups == 1 || c.groups == 8) ? Importance::shipped : Importance::grid;
}

std::vector<Case> all_cases() {
  std::vector<Case> chosen;
  for (const Operands operands : {Operands::bf16, Operands::fp8})
    for (const Pass pass : {Pass::forward, Pass::data_gradient, Pass::weight_gradient})
      for (const Distribution distribution :
           {Distribution::equal, Distribution::zipf, Distribution::trace})
        for (const auto& [n, k] : weights)
          for (const std::int64_t groups : group_counts)
            for (const std::int64_t mean : tokens_per_group) {
              const Case c{operands, pass, distribution, groups, groups * mean, n, k};
              if (is_chosen(c))
                chosen.push_back(c);
            }
  return chosen;
}

/// Small ones of each kind; with 8 tokens, two of the 8 zipf groups have none.
std::vector<Case> quick_cases() {
  return {{Operands::bf16, Pass::forward, Distribution::equal, 4, 64, 1536, 2048},
          {Operands::bf16, Pass::forward, Distribution::zipf, 8, 8, 2048, 768},
          {Operands::bf16, Pass::forward, Distribution::trace, 8, 512, 2048, 768},
          {Operands::bf16, Pass::data_gradient, Distribution::zipf, 8, 512, 2048, 768},
          {Operands::bf16, Pass::weight_gradient, Distribution::zipf, 8, 512, 2048, 768},
          {Operands::fp8, Pass::forward, Distribution::zipf, 8, 512, 2048, 768},
          {Operands::fp8, Pass::data_gradient, Distribution::equal, 8, 512, 2048, 768},
          {Operands::fp8, Pass::weight_gradient, Distribution::equal, 8, 512, 2048, 768}};
}

/// The memory of a case in bf16: x is tokens x k, w groups x n x k, y tokens x n; all random.
struct Bf16Memory {
  explicit Bf16Memory(const Case& c)
      : x(random_buffer<Bf16>(c.tokens * c.k, seed_x, -1.0f, 1.0f)),
        w(random_buffer<Bf16>(c.groups * c.n * c.k, seed_w, -1.0f, 1.0f)),
        y(random_buffer<Bf16>(c.tokens * c.n, seed_y, -1.0f, 1.0f)) {}

  /// The groups that have tokens: frameworks leave the others out of the call.
  std::vector<ExpertMatrices<Bf16>> experts(const Case& c) {
    std::vector<ExpertMatrices<Bf16>> found;
    std::int64_t first = 0;
    std::int64_t group = 0;
    for (const std::int64_t tokens : tokens_of_groups(c.distribution, c.groups, c.tokens)) {
      if (tokens > 0)
        found.push_back(
            {x.data() + first * c.k, w.data() + group * c.n * c.k, y.data() + first * c.n, tokens});
      first += tokens;
      ++group;
    }
    return found;
  }

  DeviceBuffer<Bf16> x;
  DeviceBuffer<Bf16> w;
  DeviceBuffer<Bf16> y;
};

/// An fp8 product of one group, as LinearProduct has them: out, rows x columns, is left, rows x
/// inner, times the transpose of right, columns x inner.
struct Fp8Sizes {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t inner = 0;

  Fp8Sizes(const Case& c, std::int64_t tokens) {
    if (c.pass == Pass::forward) // x * w^T
      *this = {tokens, c.n, c.k};
    else if (c.pass == Pass::data_gradient) // y * (w^T)^T
      *this = {tokens, c.k, c.n};
    else // y^T * (x^T)^T
      *this = {c.n, c.k, tokens};
  }
  Fp8Sizes(std::int64_t rows, std::int64_t columns, std::int64_t inner)
      : rows(rows), columns(columns), inner(inner) {}
};

/// The memory of a case in fp8: the operands of one group behind those of another.
struct Fp8Memory {
  Fp8Memory(const Case& c, const std::vector<std::int64_t>& tokens)
      : left(
            random_buffer<Fp8>(count(c, tokens, [](const Fp8Sizes& s) { return s.rows * s.inner; }),
                               seed_x, -1.0f, 1.0f)),
        right(random_buffer<Fp8>(
            count(c, tokens, [](const Fp8Sizes& s) { return s.columns * s.inner; }), seed_w, -1.0f,
            1.0f)),
        out(count(c, tokens, [](const Fp8Sizes& s) { return s.rows * s.columns; })) {}

  template <class Count>
  static std::size_t count(const Case& c, const std::vector<std::int64_t>& tokens,
                           const Count& count_of) {
    std::int64_t sum = 0;
    for (const std::int64_t of_group : tokens)
      sum += count_of(Fp8Sizes(c, of_group));
    return static_cast<std::size_t>(sum);
  }
  double bytes() const { return static_cast<double>(left.bytes() + right.bytes() + out.bytes()); }

  DeviceBuffer<Fp8> left;
  DeviceBuffer<Fp8> right;
  DeviceBuffer<Bf16> out;
};

/// Why the case's matrices are too large for the device; nothing if they are not.
std::optional<std::string> lacks_memory(const Case& c) {
  const double operand_bytes = c.operands == Operands::bf16 ? sizeof(Bf16) : sizeof(Fp8);
  const double weight = static_cast<double>(c.groups * c.n) * static_cast<double>(c.k);
  const auto tokens = static_cast<double>(c.tokens * (c.n + c.k));
  // The result is bf16; which of the matrices it is makes little difference.
  const double needed = operand_bytes * (weight + tokens) + sizeof(Bf16) * std::max(weight, tokens);
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  CUDA_CALL(cudaMemGetInfo(&free_bytes, &total_bytes));
  if (needed <= memory_share_max * static_cast<double>(free_bytes))
    return std::nullopt;
  return "needs " + std::to_string(static_cast<std::int64_t>(needed / 1e9)) + " GB, more than " +
         std::to_string(static_cast<int>(100 * memory_share_max)) + " % of the free memory";
}

/// FLOPs of all groups, and the bytes of the matrices of those that have tokens, each once.
Work work_of(const Case& c, std::size_t experts, std::size_t operand_bytes) {
  const double product = static_cast<double>(c.n) * static_cast<double>(c.k);
  const double operands =
      static_cast<double>(experts) * product + static_cast<double>(c.tokens * c.k);
  return {.flops = 2.0 * static_cast<double>(c.tokens) * product,
          .bytes = operands * static_cast<double>(operand_bytes) +
                   sizeof(Bf16) * static_cast<double>(c.tokens * c.n)};
}

/// The largest error of the results, once they are computed.
template <class T> double error_of(const std::vector<SampledProduct<T>>& products) {
  const auto count = static_cast<unsigned>(products.size());
  return sampled_error(products, std::max(samples_min, samples_max / count));
}

/// A stream that stands still until it is opened, or for 100 ms.
class HeldStream {
public:
  explicit HeldStream(cudaStream_t stream) : stream_(stream) {
    CUDA_CALL(cudaLaunchHostFunc(stream, wait, this));
  }
  HeldStream(const HeldStream&) = delete;
  HeldStream& operator=(const HeldStream&) = delete;
  ~HeldStream() {
    open_ = true; // after an exception the stream may still wait
    cudaStreamSynchronize(stream_);
  }

  /// Lets the stream go on, and waits for it. False if it went on before.
  bool open() {
    open_ = true;
    CUDA_CALL(cudaStreamSynchronize(stream_));
    return !timed_out_;
  }

private:
  static void wait(void* held_stream) {
    HeldStream& held = *static_cast<HeldStream*>(held_stream);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{100};
    while (!held.open_ && !held.timed_out_)
      held.timed_out_ = std::chrono::steady_clock::now() > end;
  }

  cudaStream_t stream_;
  std::atomic<bool> open_{false};
  std::atomic<bool> timed_out_{false};
};

/// Whether `launch` returns before the GPU comes to it, so that measure() can hold the stream back.
/// NVIDIA does not say so of cuBLAS's grouped call.
bool returns_at_once(cudaStream_t stream, const Launch& launch) {
  HeldStream held(stream);
  launch(stream);
  return held.open();
}

void run_bf16(Recorder& recorder, cublasHandle_t handle, const Case& c) {
  Bf16Memory memory(c);
  const std::vector<ExpertMatrices<Bf16>> experts = memory.experts(c);
  const GroupedProduct product(c.pass, experts, c.n, c.k);
  fill_with_nan(c.pass == Pass::forward         ? memory.y
                : c.pass == Pass::data_gradient ? memory.x
                                                : memory.w);
  const cublasStatus_t status = product.enqueue(handle, recorder.stream());
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_ARCH_MISMATCH)
    return recorder.skip(c.shape(),
                         "cuBLAS does not support it; it has grouped products from 12.5");
  CUBLAS_CALL(status);
  CUDA_CALL(cudaStreamSynchronize(recorder.stream()));
  std::vector<SampledProduct<Bf16>> sampled;
  for (const ExpertMatrices<Bf16>& expert : experts)
    sampled.push_back(pass_product(c.pass, expert, c.n, c.k));
  if (!recorder.verify(c.shape(), error_of(sampled), bf16_tolerance))
    return;
  const Launch launch = [&](cudaStream_t stream) { CUBLAS_CALL(product.enqueue(handle, stream)); };
  const MeasureOptions options{.blocking = returns_at_once(recorder.stream(), launch)};
  recorder.time(c.shape(), work_of(c, experts.size(), sizeof(Bf16)), launch, options);
}

void run_fp8(Recorder& recorder, LinearContext& context, const Case& c) {
  std::vector<std::int64_t> tokens = tokens_of_groups(c.distribution, c.groups, c.tokens);
  std::erase(tokens, 0);
  Fp8Memory memory(c, tokens);
  std::map<std::int64_t, LinearProduct> products; // by the tokens of a group
  std::vector<SampledProduct<Fp8>> sampled;
  const Fp8* left = memory.left.data();
  const Fp8* right = memory.right.data();
  const Bf16* out = memory.out.data();
  for (const std::int64_t of_group : tokens) {
    const Fp8Sizes size(c, of_group);
    const LinearProduct& product =
        products.try_emplace(of_group, context, c.operands, size.rows, size.columns, size.inner)
            .first->second;
    if (!product.is_supported())
      return recorder.skip(c.shape(),
                           "cuBLASLt has no algorithm for a group of " + std::to_string(of_group));
    sampled.push_back({.left = left,
                       .left_row_step = size.inner,
                       .left_inner_step = 1,
                       .right = right,
                       .right_row_step = size.inner,
                       .right_inner_step = 1,
                       .out = out,
                       .rows = size.rows,
                       .columns = size.columns,
                       .inner = size.inner,
                       .factor = product.factor()});
    left += size.rows * size.inner;
    right += size.columns * size.inner;
    out += size.rows * size.columns;
  }
  fill_with_nan(memory.out);
  const Launch launch = [&](cudaStream_t stream) {
    for (std::size_t group = 0; group < tokens.size(); ++group)
      products.at(tokens[group])
          .enqueue(stream, sampled[group].left, sampled[group].right,
                   const_cast<Bf16*>(sampled[group].out));
  };
  recorder.run_once(launch);
  Work work = work_of(c, tokens.size(), sizeof(Fp8));
  work.bytes = memory.bytes();
  if (recorder.verify(c.shape(), error_of(sampled), fp8_tolerance))
    recorder.time(c.shape(), work, launch);
}

Owned<cublasHandle_t, cublasDestroy> create_cublas() {
  cublasHandle_t handle = nullptr;
  CUBLAS_CALL(cublasCreate(&handle));
  return Owned<cublasHandle_t, cublasDestroy>(handle);
}

void run(Recorder& recorder) {
  const auto handle = create_cublas();
  LinearContext context;
  const Device& device = recorder.device();
  for (const Case& c : recorder.quick() ? quick_cases() : all_cases()) {
    recorder.attempt(importance_of(c), c.shape(), [&] {
      const std::string lack =
          lacks_operands(device.compute_major, device.compute_minor, c.operands);
      const std::optional<std::string> memory = lacks_memory(c);
      if (!lack.empty())
        recorder.skip(c.shape(), lack);
      else if (memory)
        recorder.skip(c.shape(), *memory);
      else if (c.operands == Operands::bf16)
        run_bf16(recorder, handle.get(), c);
      else
        run_fp8(recorder, context, c);
    });
  }
}

const Registration registration{
    {"expert_gemm",
     "Products of a rank's experts, weights of n x k: bf16 by one grouped call of cuBLAS (with "
     "the host's time if it waits for the GPU), fp8 by a call of cuBLASLt for each group.",
     {"precision", "pass", "distribution", "groups", "tokens", "n", "k"},
     run}};

} // namespace

} // namespace moesim::microbench::expert_gemm
