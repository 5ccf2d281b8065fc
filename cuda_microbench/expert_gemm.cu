// Products of the experts of one rank: forward, data gradient and weight gradient of y = x * w^T.
//
// To keep the whole file to some minutes, not all combinations are measured:
//   bf16 forward, equal    all numbers of groups, all tokens a group
//   fp8 forward, equal     1, 8 and 64 groups
//   gradients, equal       1, 8 and 64 groups, at least 16 tokens a group
//   zipf and trace, of     8 and 64 groups, 64 and 1024 tokens a group in the mean; no weight
//   all of these           gradient in fp8, which wants multiples of 16 tokens
// and of each at most 131072 tokens; weight gradients that overwrite in bf16 alone. fp8 gradients
// multiply transposed copies, as frameworks keep them: cuBLASLt has fp8 products in one layout
// only. Their cast is not in the time.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/core/expert_tokens.hpp"
#include "cuda_microbench/harness/held_stream.hpp"
#include "cuda_microbench/harness/product_memory.hpp"
#include "cuda_microbench/model_weights.hpp"

#include <map>

namespace moesim::microbench::expert_gemm {

namespace {

constexpr std::int64_t tokens_max = 131072;
constexpr std::int64_t group_counts[] = {1, 2, 4, 8, 16, 32, 64};
constexpr std::int64_t tokens_per_group[] = {1, 4, 16, 64, 256, 1024, 4096};

/// How the products of several experts are run.
enum class Implementation {
  grouped, ///< one call of cuBLAS
  streams  ///< a call of cuBLASLt for each over several streams, as Transformer Engine does
};
constexpr Implementation implementations[] = {Implementation::grouped, Implementation::streams};

const char* name_of(Implementation implementation) {
  return implementation == Implementation::grouped ? "grouped" : "streams";
}

struct Case {
  Operands operands = Operands::bf16;
  Pass pass = Pass::forward;
  Distribution distribution = Distribution::equal;
  std::int64_t groups = 0;
  std::int64_t tokens = 0; ///< of all groups together
  Weight weight;
  Implementation implementation = Implementation::grouped;
  Accumulate accumulate = Accumulate::none;

  std::vector<std::string> shape() const {
    return {
        microbench::name_of(operands), microbench::name_of(pass), microbench::name_of(distribution),
        std::to_string(groups),        std::to_string(tokens),    std::to_string(weight.n),
        std::to_string(weight.k),      name_of(implementation),   microbench::name_of(accumulate)};
  }
  std::int64_t mean_tokens() const { return tokens / groups; }
};

/// Whether a combination is one of the list at the head of this file.
bool is_chosen(const Case& c) {
  const bool is_bf16 = c.operands == Operands::bf16;
  const std::int64_t mean = c.mean_tokens();
  if (c.tokens > tokens_max || (c.implementation == Implementation::grouped && !is_bf16))
    return false;
  if (c.accumulate == Accumulate::fp32 && c.pass != Pass::weight_gradient)
    return false;
  if (c.accumulate == Accumulate::none && c.pass == Pass::weight_gradient && !is_bf16)
    return false;
  if (c.distribution != Distribution::equal)
    return (c.groups == 8 || c.groups == 64) && (mean == 64 || mean == 1024) &&
           (is_bf16 || c.pass != Pass::weight_gradient);
  if (is_bf16 && c.pass == Pass::forward)
    return true;
  return (c.groups == 1 || c.groups == 8 || c.groups == 64) &&
         (c.pass == Pass::forward || mean >= 16);
}

/// A rank of the shipped plans has 1 to 32 experts, with some hundred tokens or more each, and adds
/// its weight gradients in fp32.
Importance importance_of(const Case& c) {
  const bool is_trained = (c.pass == Pass::weight_gradient) == (c.accumulate == Accumulate::fp32);
  return is_trained && c.mean_tokens() >= 256 && (c.groups == 1 || c.groups == 8)
             ? Importance::shipped
             : Importance::grid;
}

/// The cases of one number format and weight.
void add_cases(std::vector<Case>& all, Operands operands, const Weight& weight) {
  for (const Pass pass : passes)
    for (const Implementation implementation : implementations)
      for (const Accumulate accumulate : {Accumulate::none, Accumulate::fp32})
        for (const Distribution distribution :
             {Distribution::equal, Distribution::zipf, Distribution::trace})
          for (const std::int64_t groups : group_counts)
            for (const std::int64_t mean : tokens_per_group) {
              const Case c{operands,      pass,   distribution,   groups,
                           groups * mean, weight, implementation, accumulate};
              if (is_chosen(c))
                all.push_back(c);
            }
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const Operands operands : all_operands)
    for (const Weight& weight : expert_weights)
      add_cases(all, operands, weight);
  return all;
}

/// Small ones of each kind; with 8 tokens, two of the 8 zipf groups have none.
std::vector<Case> quick_cases() {
  const Weight weight{2048, 768};
  std::vector<Case> all{{Operands::bf16, Pass::forward, Distribution::equal, 4, 64, {1536, 2048}},
                        {Operands::bf16, Pass::forward, Distribution::zipf, 8, 8, weight},
                        {Operands::bf16, Pass::forward, Distribution::trace, 8, 512, weight}};
  for (const Operands operands : all_operands)
    for (const Pass pass : passes)
      for (const Implementation implementation : implementations)
        for (const Accumulate accumulate : {Accumulate::none, Accumulate::fp32}) {
          const Case c{operands, pass,   Distribution::equal, 8,
                       8 * 64,   weight, implementation,      accumulate};
          if (is_chosen(c))
            all.push_back(c);
        }
  return all;
}

/// The products of the groups that have tokens: frameworks leave the others out.
std::vector<std::int64_t> group_tokens(const Case& c) {
  std::vector<std::int64_t> tokens = tokens_of_groups(c.distribution, c.groups, c.tokens);
  std::erase(tokens, 0);
  return tokens;
}

std::vector<ProductLayout> layouts_of(const Case& c) {
  std::vector<ProductLayout> layouts;
  for (const std::int64_t tokens : group_tokens(c))
    layouts.push_back(layout_of(c.operands, c.pass, tokens, c.weight.n, c.weight.k));
  return layouts;
}

void run_grouped(Recorder& recorder, cublasHandle_t handle, const Case& c) {
  ProductMemory<__nv_bfloat16> memory(layouts_of(c), c.accumulate);
  const GroupedProduct product(memory.products(), c.accumulate);
  const cublasStatus_t status = product.enqueue(handle, recorder.stream());
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_ARCH_MISMATCH)
    return recorder.skip(c.shape(),
                         "cuBLAS does not support it; it has grouped products from 12.5");
  CUBLAS_CALL(status);
  CUDA_CALL(cudaStreamSynchronize(recorder.stream()));
  if (!recorder.verify(c.shape(), memory.error(1.0), tolerance_of(c.operands)))
    return;
  const Launch launch = [&](cudaStream_t stream) { CUBLAS_CALL(product.enqueue(handle, stream)); };
  MeasureOptions options;
  options.blocking = returns_at_once(recorder.stream(), launch);
  recorder.time(c.shape(), memory.work(), launch, options);
}

/// `T` are the operands.
template <class T>
void run_streams(Recorder& recorder, LinearContext& context, const ForkedStreams& streams,
                 const Case& c) {
  ProductMemory<T> memory(layouts_of(c), c.accumulate);
  const std::vector<ExpertProduct<T>> experts = memory.products();
  const std::vector<std::int64_t> tokens = group_tokens(c);
  std::map<std::int64_t, LinearProduct> products; // by the tokens of a group
  double factor = 1.0;
  for (const std::int64_t of_group : tokens) {
    const LinearProduct& product = products
                                       .try_emplace(of_group, context, c.operands, c.pass,
                                                    c.accumulate, of_group, c.weight.n, c.weight.k)
                                       .first->second;
    if (!product.is_supported())
      return recorder.skip(c.shape(),
                           "cuBLASLt has no algorithm for a group of " + std::to_string(of_group));
    factor = product.factor();
  }
  const Launch launch = [&](cudaStream_t stream) {
    streams.fork(stream);
    for (std::size_t group = 0; group < tokens.size(); ++group) {
      const int number = static_cast<int>(group) % LinearContext::streams;
      products.at(tokens[group])
          .enqueue(streams.of(number), experts[group].a, experts[group].b, experts[group].c,
                   number);
    }
    streams.join(stream);
  };
  recorder.run_once(launch);
  if (recorder.verify(c.shape(), memory.error(factor), tolerance_of(c.operands)))
    recorder.time(c.shape(), memory.work(), launch);
}

Owned<cublasHandle_t, cublasDestroy> create_cublas() {
  cublasHandle_t handle = nullptr;
  CUBLAS_CALL(cublasCreate(&handle));
  return Owned<cublasHandle_t, cublasDestroy>(handle);
}

void run(Recorder& recorder) {
  const auto handle = create_cublas();
  LinearContext context;
  const ForkedStreams streams;
  const Device& device = recorder.device();
  for (const Case& c : recorder.quick() ? quick_cases() : all_cases())
    recorder.attempt(importance_of(c), c.shape(), [&] {
      const std::string lack =
          lacks_operands(device.compute_major, device.compute_minor, c.operands);
      if (!lack.empty())
        recorder.skip(c.shape(), lack);
      else if (c.implementation == Implementation::grouped)
        run_grouped(recorder, handle.get(), c);
      else if (c.operands == Operands::bf16)
        run_streams<__nv_bfloat16>(recorder, context, streams, c);
      else
        run_streams<__nv_fp8_e4m3>(recorder, context, streams, c);
    });
}

const Registration registration{
    {"expert_gemm",
     "Products of a rank's experts, weights of n x k: bf16 by one grouped call of cuBLAS (with the "
     "host's time if it waits for the GPU); all precisions by a call of cuBLASLt for each group, "
     "over four streams, as Transformer Engine runs them.",
     {"precision", "pass", "distribution", "groups", "tokens", "n", "k", "implementation",
      "accumulate"},
     run}};

} // namespace

} // namespace moesim::microbench::expert_gemm
