// The router of one rank: from its tokens' hidden states to the experts of each token.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/harness/product_layout.hpp"
#include "cuda_microbench/harness/reference.hpp"
#include "cuda_microbench/router/gradient.hpp"
#include "cuda_microbench/router/reference.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace moesim::microbench::router {

namespace {

constexpr std::uint64_t token_seed = 1;
constexpr std::uint64_t weight_seed = 2;
constexpr std::uint64_t bias_seed = 3;
constexpr std::uint64_t sample_seed = 4;
/// Of the logits, by the range of the weights: the spread that makes scores of all sizes.
constexpr double logit_deviation = 2.0;
constexpr float bias_max = 0.05f;
constexpr int grouped_experts_min = 64; // fewer are not selected by sigmoid and groups here

class Cublas {
public:
  Cublas() { CUBLAS_CALL(cublasCreate(&handle_)); }
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;
  ~Cublas() { cublasDestroy(handle_); }
  cublasHandle_t handle() const { return handle_; }

private:
  cublasHandle_t handle_ = nullptr;
};

/// Weights between -limit and limit make logits of `logit_deviation`: of hidden products of two
/// uniform numbers, one between -1 and 1, each with the variance limit^2 / 9.
float weight_limit(int hidden) {
  return static_cast<float>(3.0 * logit_deviation / std::sqrt(hidden));
}

/// What the cases of one hidden size read: rows of `hidden` for the most tokens and experts.
struct Operands {
  Operands(int tokens, int hidden, int experts)
      : hidden_states(random_buffer<__nv_bfloat16>(static_cast<std::size_t>(tokens) * hidden,
                                                   token_seed, -1.0f, 1.0f)),
        weights(random_buffer<__nv_bfloat16>(static_cast<std::size_t>(experts) * hidden,
                                             weight_seed, -weight_limit(hidden),
                                             weight_limit(hidden))),
        bias(random_buffer<float>(static_cast<std::size_t>(experts), bias_seed, -bias_max,
                                  bias_max)) {}
  DeviceBuffer<__nv_bfloat16> hidden_states;
  DeviceBuffer<__nv_bfloat16> weights;
  DeviceBuffer<float> bias;
};

/// What a case writes.
struct Choices {
  explicit Choices(const Router& router)
      : logits(static_cast<std::size_t>(router.tokens) * router.experts),
        ids(static_cast<std::size_t>(router.tokens) * router.top_k), weights(ids.size()),
        histogram(static_cast<std::size_t>(router.experts)) {}
  DeviceBuffer<float> logits;
  DeviceBuffer<int> ids;
  DeviceBuffer<float> weights;
  DeviceBuffer<int> histogram;
};

/// Enqueues a product of bf16 operands on the handle's stream; the result is of `type`.
void multiply(const Cublas& cublas, const ProductLayout& layout,
              const DeviceBuffer<__nv_bfloat16>& a, const DeviceBuffer<__nv_bfloat16>& b, void* c,
              cudaDataType_t type, float beta) {
  const float one = 1.0f;
  const auto size = [](std::int64_t value) { return static_cast<int>(value); };
  CUBLAS_CALL(cublasGemmEx(cublas.handle(), layout.transpose_a, layout.transpose_b, size(layout.m),
                           size(layout.n), size(layout.k), &one, a.data(), CUDA_R_16BF,
                           size(layout.a_step), b.data(), CUDA_R_16BF, size(layout.b_step), &beta,
                           c, type, size(layout.c_step), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
}

/// Enqueues the router.
void launch(const Router& router, const Cublas& cublas, const Operands& operands, Choices& choices,
            cudaStream_t stream) {
  CUBLAS_CALL(cublasSetStream(cublas.handle(), stream));
  multiply(cublas, pass_layout(Pass::forward, router.tokens, router.experts, router.hidden),
           operands.weights, operands.hidden_states, choices.logits.data(), CUDA_R_32F, 0.0f);
  CUDA_CALL(cudaMemsetAsync(choices.histogram.data(), 0, choices.histogram.bytes(), stream));
  const std::size_t token_bytes = static_cast<std::size_t>(router.experts) * sizeof(float);
  const int warps =
      static_cast<int>(std::clamp<std::size_t>(shared_bytes_max / token_bytes, 1, warps_max));
  const unsigned blocks = static_cast<unsigned>((router.tokens + warps - 1) / warps);
  score_and_select<<<blocks, static_cast<unsigned>(warps * warp), warps * token_bytes, stream>>>(
      router, choices.logits.data(), operands.bias.data(), choices.ids.data(),
      choices.weights.data(), choices.histogram.data());
  CUDA_CALL(cudaGetLastError());
}

constexpr int samples = 64;                  // tokens of a case that are checked
constexpr std::size_t replacements_max = 32; // few tokens need any
/// Sums of `hidden` products in fp32: even if each of the hidden / 16 steps of a tensor core lost
/// 2^-22 of a partial sum of 8, 7168 of them would lose 9e-4. A wrong operand is wrong by about
/// `logit_deviation`.
constexpr double logit_tolerance = 4e-3;
/// Relative. A sum of 4096 exponentials in fp32 has 128 + 5 roundings of 2^-24, that is 8e-6; the
/// exponentials and the quotient are an order more precise.
constexpr double weight_tolerance = 2e-5;
/// Sigmoid scores below 1, their bias and the sums of two have errors of a few 2^-24 on the device:
/// a selection decided by less than this may go either way. Logits are compared as they are.
constexpr double sigmoid_margin = 4e-6;

struct Errors {
  double logits = 0.0;    ///< largest difference of the sampled logits
  double choices = 0.0;   ///< share of the sampled tokens whose experts are wrong
  double weights = 0.0;   ///< largest relative error of the sampled weights
  double histogram = 0.0; ///< experts with a wrong count, or 1 of ids that are no experts
};

/// The error of one logit of a token, an expert that the token's number chooses.
double logit_error(const Router& router, std::size_t token, const std::vector<float>& logits) {
  const std::size_t expert = hash_counter(sample_seed, token) % logits.size();
  const auto hidden = static_cast<std::size_t>(router.hidden);
  const float limit = weight_limit(router.hidden);
  double sum = 0.0;
  for (std::size_t i = 0; i < hidden; ++i)
    sum += random_element<__nv_bfloat16>(token_seed, token * hidden + i, -1.0f, 1.0f) *
           random_element<__nv_bfloat16>(weight_seed, expert * hidden + i, -limit, limit);
  return std::fabs(logits[expert] - sum);
}

/// Compares a token's experts, as a set, and their weights.
void compare_choice(const Expected& expected, const std::vector<int>& ids,
                    const std::vector<float>& weights, Errors& errors) {
  for (std::size_t i = 0; i < expected.ids.size(); ++i) {
    const auto found = std::find(ids.begin(), ids.end(), expected.ids[i]);
    if (found == ids.end()) {
      errors.choices += 1.0 / samples;
      return;
    }
    const double weight = weights[static_cast<std::size_t>(found - ids.begin())];
    errors.weights =
        worse(errors.weights, relative_error(weight, expected.weights[i], expected.weights[i]));
  }
}

/// Checks a token; false, with no error, if its experts are decided by too little to be compared.
bool compare_token(const Router& router, const Choices& choices, const std::vector<float>& bias,
                   std::size_t token, Errors& errors) {
  const auto experts = static_cast<std::size_t>(router.experts);
  const auto top_k = static_cast<std::size_t>(router.top_k);
  const std::vector<float> logits = download_range(choices.logits, token * experts, experts);
  errors.logits = worse(errors.logits, logit_error(router, token, logits));
  const Expected expected = expected_choice(router, logits, bias);
  if (router.scoring == Scoring::sigmoid && expected.margin < sigmoid_margin)
    return false;
  compare_choice(expected, download_range(choices.ids, token * top_k, top_k),
                 download_range(choices.weights, token * top_k, top_k), errors);
  return true;
}

/// Checks the first and the last token and others between; in the place of one that cannot be
/// compared, that behind it.
void compare_samples(const Router& router, const Choices& choices, const std::vector<float>& bias,
                     Errors& errors) {
  const auto tokens = static_cast<std::size_t>(router.tokens);
  for (std::size_t sample = 0; sample < samples; ++sample) {
    const std::size_t first = sample * (tokens - 1) / (samples - 1);
    bool is_compared = false;
    for (std::size_t i = 0; i < replacements_max && !is_compared; ++i)
      is_compared = compare_token(router, choices, bias, (first + i) % tokens, errors);
    if (!is_compared)
      errors.choices += 1.0 / samples;
  }
}

/// Experts whose count is not that of the ids; 1 at least if an id is no expert.
double histogram_error(const Router& router, const Choices& choices) {
  std::vector<int> counts(static_cast<std::size_t>(router.experts), 0);
  double wrong = 0.0;
  for (const int expert : choices.ids.download())
    if (expert >= 0 && expert < router.experts)
      ++counts[static_cast<std::size_t>(expert)];
    else
      wrong = 1.0;
  const std::vector<int> histogram = choices.histogram.download();
  for (std::size_t expert = 0; expert < counts.size(); ++expert)
    wrong += histogram[expert] != counts[expert] ? 1.0 : 0.0;
  return wrong;
}

/// The product, and each operand once; the logits are written and read.
Work work_of(const Router& router) {
  const double tokens = router.tokens;
  const double experts = router.experts;
  const double choice_bytes = router.top_k * (sizeof(int) + sizeof(float));
  return {.flops = 2.0 * tokens * router.hidden * experts,
          .bytes = sizeof(__nv_bfloat16) * router.hidden * (tokens + experts) +
                   2 * sizeof(float) * tokens * experts + tokens * choice_bytes +
                   experts * (sizeof(int) + (router.bias ? sizeof(float) : 0))};
}

std::vector<std::string> shape_of(const Router& router, const char* operation) {
  return {std::to_string(router.tokens),
          std::to_string(router.hidden),
          std::to_string(router.experts),
          std::to_string(router.top_k),
          router.scoring == Scoring::softmax ? "softmax" : "sigmoid",
          std::to_string(router.limited_groups ? groups_kept : 0),
          router.bias ? "1" : "0",
          operation};
}

void run_forward(Recorder& recorder, const Router& router, const Cublas& cublas,
                 const Operands& operands, const std::vector<std::string>& shape) {
  Choices choices(router);
  const Launch route = [&](cudaStream_t stream) {
    launch(router, cublas, operands, choices, stream);
  };
  recorder.run_once(route);
  Errors errors;
  errors.histogram = histogram_error(router, choices);
  compare_samples(router, choices, operands.bias.download(), errors);
  if (recorder.verify(shape, errors.logits, logit_tolerance) &&
      recorder.verify(shape, errors.choices, 0.0) &&
      recorder.verify(shape, errors.weights, weight_tolerance) &&
      recorder.verify(shape, errors.histogram, 0.0))
    recorder.time(shape, work_of(router), route);
}

/// The results of a gradient.
struct Gradients {
  explicit Gradients(const Router& router)
      : logits(static_cast<std::size_t>(router.tokens) * router.experts),
        hidden_states(static_cast<std::size_t>(router.tokens) * router.hidden),
        weights(random_buffer<float>(static_cast<std::size_t>(router.experts) * router.hidden,
                                     old_value_seed, -1.0f, 1.0f)),
        choices(random_buffer<float>(static_cast<std::size_t>(router.tokens) * router.top_k,
                                     gradient_seed, -1.0f, 1.0f)) {
    fill_with_nan(logits);
    fill_with_nan(hidden_states);
  }
  DeviceBuffer<__nv_bfloat16> logits;
  DeviceBuffer<__nv_bfloat16> hidden_states;
  DeviceBuffer<float> weights; ///< added to, as those of micro-batches are
  DeviceBuffer<float> choices; ///< given: of the chosen experts' weights
};

/// Enqueues the gradient: of the logits, then of the hidden states and of the weights.
void launch_backward(const Router& router, const Cublas& cublas, const Operands& operands,
                     const Choices& choices, Gradients& gradients, cudaStream_t stream) {
  const ChoiceGradient choice{choices.logits.data(), choices.ids.data(), choices.weights.data(),
                              gradients.choices.data(), gradients.logits.data()};
  const auto blocks = static_cast<unsigned>((router.tokens + warps_max - 1) / warps_max);
  select_backward<<<blocks, warps_max * warp, 0, stream>>>(router, choice);
  CUDA_CALL(cudaGetLastError());
  CUBLAS_CALL(cublasSetStream(cublas.handle(), stream));
  multiply(cublas, pass_layout(Pass::data_gradient, router.tokens, router.experts, router.hidden),
           operands.weights, gradients.logits, gradients.hidden_states.data(), CUDA_R_16BF, 0.0f);
  multiply(cublas, pass_layout(Pass::weight_gradient, router.tokens, router.experts, router.hidden),
           operands.hidden_states, gradients.logits, gradients.weights.data(), CUDA_R_32F, 1.0f);
}

/// The largest relative error of the sampled tokens' logit gradients.
double logit_gradient_error(const Router& router, const Choices& choices,
                            const Gradients& gradients) {
  const auto experts = static_cast<std::size_t>(router.experts);
  const auto top_k = static_cast<std::size_t>(router.top_k);
  double error = 0.0;
  for (std::size_t sample = 0; sample < samples; ++sample) {
    const std::size_t token =
        sample * (static_cast<std::size_t>(router.tokens) - 1) / (samples - 1);
    const std::vector<double> expected =
        expected_logit_gradients(router, download_range(choices.logits, token * experts, experts),
                                 download_range(choices.ids, token * top_k, top_k), token * top_k);
    const std::vector<__nv_bfloat16> found =
        download_range(gradients.logits, token * experts, experts);
    for (std::size_t expert = 0; expert < experts; ++expert)
      error = worse(error, relative_error(static_cast<float>(found[expert]), expected[expert],
                                          expected[expert]));
  }
  return error;
}

/// The largest error of both products of the gradient.
double product_gradient_error(const Router& router, const Operands& operands,
                              const Gradients& gradients) {
  constexpr unsigned elements = 256; // of each result
  const auto layout = [&](Pass pass) {
    return pass_layout(pass, router.tokens, router.experts, router.hidden);
  };
  const auto of_states =
      sampled_product(layout(Pass::data_gradient), Accumulate::none, operands.weights.data(),
                      gradients.logits.data(), gradients.hidden_states.data(), 0, 1.0);
  const auto of_weights = sampled_product(layout(Pass::weight_gradient), Accumulate::fp32,
                                          operands.hidden_states.data(), gradients.logits.data(),
                                          gradients.weights.data(), 0, 1.0);
  return sampled_error<__nv_bfloat16>({of_states, of_weights}, elements);
}

void run_backward(Recorder& recorder, const Router& router, const Cublas& cublas,
                  const Operands& operands, const std::vector<std::string>& shape) {
  constexpr double rounding_tolerance = 0x1.1p-8; // half a unit of bf16 and some of fp32
  Choices choices(router);
  Gradients gradients(router);
  launch(router, cublas, operands, choices, recorder.stream());
  const Launch backward = [&](cudaStream_t stream) {
    launch_backward(router, cublas, operands, choices, gradients, stream);
  };
  recorder.run_once(backward);
  Work work = work_of(router);
  work.flops *= 2.0; // two products; states and weights are read, and their gradients written
  work.bytes *= 2.0;
  if (recorder.verify(shape, logit_gradient_error(router, choices, gradients),
                      rounding_tolerance) &&
      recorder.verify(shape, product_gradient_error(router, operands, gradients), bf16_tolerance))
    recorder.time(shape, work, backward);
}

/// The ways to select with so many experts: softmax as in Mixtral; sigmoid with bias as in
/// DeepSeek-V3, with its groups and without.
std::vector<Router> selections(int experts) {
  std::vector<Router> routers;
  for (const int top_k : {1, 2, 4, 8}) {
    routers.push_back({.experts = experts, .top_k = top_k, .scoring = Scoring::softmax});
    if (experts >= grouped_experts_min && top_k >= 4)
      routers.push_back({.experts = experts,
                         .top_k = top_k,
                         .scoring = Scoring::sigmoid,
                         .limited_groups = true,
                         .bias = true});
    if (experts >= grouped_experts_min && top_k == 8)
      routers.push_back(
          {.experts = experts, .top_k = top_k, .scoring = Scoring::sigmoid, .bias = true});
  }
  return routers;
}

/// The routers of the shipped models: Mixtral, Qwen3, Switch and DeepSeek-V3, 4096 tokens.
Importance importance_of(const Router& router) {
  const bool is_softmax = router.scoring == Scoring::softmax;
  const bool is_shipped =
      (is_softmax && router.experts == 8 && router.top_k == 2) ||
      (is_softmax && router.experts == 128 && (router.top_k == 8 || router.top_k == 1)) ||
      (!is_softmax && router.experts == 256 && router.limited_groups && router.top_k == 8);
  return is_shipped && router.tokens == 4096 ? Importance::shipped : Importance::grid;
}

/// A case of a router and one of its operations.
struct Operation {
  const char* name;
  void (*run_case)(Recorder&, const Router&, const Cublas&, const Operands&,
                   const std::vector<std::string>&);
};
constexpr Operation operations[] = {{"forward", run_forward}, {"backward", run_backward}};

void run(Recorder& recorder) {
  const bool quick = recorder.quick();
  const std::vector<int> token_counts = quick ? std::vector{256} : std::vector{4096, 16384};
  const std::vector<int> hidden_sizes = quick ? std::vector{1024} : std::vector{4096, 7168};
  const std::vector<int> expert_counts =
      quick ? std::vector{64} : std::vector{8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};
  const Cublas cublas;
  for (const int hidden : hidden_sizes) {
    std::optional<Operands> operands; // made when the first case is to be measured
    for (const int tokens : token_counts)
      for (const int experts : expert_counts)
        for (Router router : selections(experts)) {
          router.tokens = tokens;
          router.hidden = hidden;
          for (const auto& [operation, run_case] : operations) {
            const std::vector<std::string> shape = shape_of(router, operation);
            recorder.attempt(importance_of(router), shape, [&] {
              if (!operands)
                operands.emplace(token_counts.back(), hidden, expert_counts.back());
              run_case(recorder, router, cublas, *operands, shape);
            });
          }
        }
  }
}

const Registration registration{
    {"router",
     "The router of a rank: product with the weights, scores, top-k with weights and histogram; "
     "backward the gradients of logits, tokens and weights.",
     {"tokens", "hidden", "experts", "top_k", "scoring", "limited_groups", "bias", "operation"},
     run}};

} // namespace

} // namespace moesim::microbench::router
