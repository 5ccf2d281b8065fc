// Causal attention as it is trained: cuDNN's fused kernels, forward and backward, with the heads
// and dimensions of the shipped models.

#include "cuda_microbench/attention/shape.hpp"
#include "cuda_microbench/core/benchmark.hpp"

#ifdef MOESIM_HAS_CUDNN
#include "cuda_microbench/attention/passes.hpp"
#include "cuda_microbench/attention/reference.hpp"
#endif

namespace moesim::microbench::attention {

namespace {

struct Case {
  Shape shape;
  bool backward = false;
  Importance importance = Importance::grid;

  std::vector<std::string> cells() const {
    return {backward ? "backward" : "forward", std::to_string(shape.batch),
            std::to_string(shape.sequence),    std::to_string(shape.q_heads),
            std::to_string(shape.kv_heads),    std::to_string(shape.head_dim),
            std::to_string(shape.value_dim)};
  }
};

/// Query and key heads, and the dimensions of keys and values, of one GPU without tensor
/// parallelism.
struct Heads {
  std::int64_t q;
  std::int64_t kv;
  std::int64_t head_dim;
  std::int64_t value_dim;
};

constexpr Heads model_heads[] = {
    {32, 8, 128, 128},    // Mixtral-8x7B
    {48, 8, 128, 128},    // Mixtral-8x22B
    {128, 128, 192, 128}, // DeepSeek-V3: latent attention, as it is computed in training
    {32, 4, 128, 128},    // Qwen3-30B-A3B
    {64, 4, 128, 128},    // Qwen3-235B-A22B
    {64, 8, 128, 128},    // Llama-2-70B
    {12, 12, 64, 64},     // Switch
    {8, 1, 128, 128}};    // a part of eight of Llama-2-70B

constexpr std::int64_t sequences[] = {4096, 1024, 2048, 8192, 16384};

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const std::int64_t sequence : sequences)
    for (const std::int64_t batch : {1, 4})
      for (const Heads& heads : model_heads)
        for (const bool backward : {false, true}) {
          const Shape shape{batch, sequence, heads.q, heads.kv, heads.head_dim, heads.value_dim};
          if (batch * sequence <= 16384)
            all.push_back(
                {shape, backward,
                 sequence == 4096 && batch == 1 ? Importance::shipped : Importance::grid});
        }
  return all;
}

std::vector<Case> quick_cases() {
  std::vector<Case> all;
  for (const bool backward : {false, true}) {
    all.push_back({{2, 256, 8, 2, 128, 128}, backward, Importance::shipped});
    all.push_back({{1, 256, 4, 4, 192, 128}, backward, Importance::shipped});
  }
  return all;
}

#ifdef MOESIM_HAS_CUDNN

/// A handle of cuDNN.
class Cudnn {
public:
  Cudnn() { CUDNN_CALL(cudnnCreate(&handle_)); }
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;
  ~Cudnn() { cudnnDestroy(handle_); }
  cudnnHandle_t handle() const { return handle_; }

private:
  cudnnHandle_t handle_ = nullptr;
};

/// The memory of a case; results hold NaN until they are written.
struct Memory {
  explicit Memory(const Shape& shape)
      : q(random_buffer<Bf16>(shape.q_elements(), 1, -2.0f, 2.0f)),
        k(random_buffer<Bf16>(shape.k_elements(), 2, -2.0f, 2.0f)),
        v(random_buffer<Bf16>(shape.v_elements(), 3, -1.0f, 1.0f)),
        o_gradient(random_buffer<Bf16>(shape.o_elements(), 4, -1.0f, 1.0f)), o(shape.o_elements()),
        q_gradient(shape.q_elements()), k_gradient(shape.k_elements()),
        v_gradient(shape.v_elements()), stats(shape.rows()) {
    for (DeviceBuffer<Bf16>* buffer : {&o, &q_gradient, &k_gradient, &v_gradient})
      fill_with_nan(*buffer);
  }
  Matrices<Bf16> matrices() {
    return {q.data(),          k.data(),          v.data(),          o.data(),    o_gradient.data(),
            q_gradient.data(), k_gradient.data(), v_gradient.data(), stats.data()};
  }

  DeviceBuffer<Bf16> q, k, v, o_gradient, o, q_gradient, k_gradient, v_gradient;
  DeviceBuffer<float> stats;
};

/// FLOPs of the causal half: forward two products, backward five; the matrices' bytes once.
Work work_of(const Case& c) {
  const Shape& s = c.shape;
  const double pairs =
      0.5 * static_cast<double>(s.batch * s.q_heads * s.sequence) * static_cast<double>(s.sequence);
  const auto of_keys = static_cast<double>(s.head_dim);
  const auto of_values = static_cast<double>(s.value_dim);
  const double dims = c.backward ? 3.0 * of_keys + 2.0 * of_values : of_keys + of_values;
  const auto elements =
      static_cast<double>(s.q_elements() + s.k_elements() + s.v_elements() + s.o_elements());
  return {2.0 * pairs * dims, (c.backward ? 2.0 : 1.0) * sizeof(Bf16) * elements};
}

/// The largest error of the pass's results, of which weights are rounded to bf16; stats are fp32
/// sums of exponentials, wrong by far less than 1e-2 of a unit of the exponent.
bool verify(Recorder& recorder, const Case& c, const Matrices<Bf16>& matrices) {
  constexpr double stats_tolerance = 1e-2;
  const Errors errors = errors_of(c.shape, matrices, c.backward);
  const auto is_right = [&](double error, double tolerance) {
    return recorder.verify(c.cells(), error, tolerance);
  };
  return is_right(errors.stats, stats_tolerance) && is_right(errors.output, bf16_tolerance) &&
         (!c.backward || (is_right(errors.q_gradient, bf16_tolerance) &&
                          is_right(errors.k_gradient, bf16_tolerance) &&
                          is_right(errors.v_gradient, bf16_tolerance)));
}

void run_case(Recorder& recorder, const Cudnn& cudnn, const Case& c) {
  constexpr const char* unsupported = "this cuDNN has no fused kernel for it";
  Memory memory(c.shape);
  Forward forward(cudnn.handle(), c.shape, memory.matrices());
  if (!forward.graph.build())
    return recorder.skip(c.cells(), unsupported);
  recorder.run_once([&](cudaStream_t stream) { forward.graph.run(stream); });
  if (!c.backward) {
    if (verify(recorder, c, memory.matrices()))
      recorder.time(c.cells(), work_of(c), [&](cudaStream_t s) { forward.graph.run(s); });
    return;
  }
  Backward backward(cudnn.handle(), c.shape, memory.matrices());
  if (!backward.graph.build())
    return recorder.skip(c.cells(), unsupported);
  recorder.run_once([&](cudaStream_t stream) { backward.run(stream); });
  if (verify(recorder, c, memory.matrices()))
    recorder.time(c.cells(), work_of(c), [&](cudaStream_t s) { backward.run(s); });
}

#else

struct Cudnn {};

void run_case(Recorder& recorder, const Cudnn&, const Case& c) {
  recorder.skip(c.cells(), "built without cuDNN, whose headers were not found");
}

#endif

void run(Recorder& recorder) {
  const Cudnn cudnn;
  for (const Case& c : recorder.quick() ? quick_cases() : all_cases())
    recorder.attempt(c.importance, c.cells(), [&] { run_case(recorder, cudnn, c); });
}

const Registration registration{
    {"attention",
     "Causal attention in bf16 by cuDNN's fused kernels: softmax(q k^T) v and its gradients.",
     {"operation", "batch", "sequence", "q_heads", "kv_heads", "head_dim", "value_dim"},
     run}};

} // namespace

} // namespace moesim::microbench::attention
