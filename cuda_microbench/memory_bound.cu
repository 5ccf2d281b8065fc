// Operations between the matrix products of a training step, whose time is that of their bytes.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/memory_bound/elementwise.hpp"
#include "cuda_microbench/memory_bound/norms.hpp"

namespace moesim::microbench::memory_bound {

namespace {

/// Relative to the sum of the amounts that a value is the sum of. bf16: half a unit of its 8
/// significant bits is 2^-8; a sixteenth more for the fp32 before. e4m3: half a unit of its 4
/// significant bits is 2^-4, likewise. fp32: sums of at most 64 terms in a row and some 20 other
/// roundings of 2^-24 are 5e-6.
constexpr double bf16_tolerance = 0x1.1p-8;
constexpr double fp8_tolerance = 0x1.1p-4;
constexpr double fp32_tolerance = 1e-5;

template <class Operation>
void run_case(Recorder& recorder, const Sizes& sizes, const std::vector<std::string>& shape) {
  const std::size_t bytes = Operation::bytes(sizes);
  if (!fits(static_cast<double>(bytes)))
    return recorder.skip(shape, "not enough memory");
  Operation operation(sizes);
  const Launch launch = [&](cudaStream_t stream) {
    operation.launch(stream);
    CUDA_CALL(cudaGetLastError());
  };
  recorder.run_once(launch);
  const Errors errors = operation.errors();
  if (recorder.verify(shape, errors.bf16, bf16_tolerance) &&
      recorder.verify(shape, errors.fp8, fp8_tolerance) &&
      recorder.verify(shape, errors.fp32, fp32_tolerance))
    recorder.time(shape, {.bytes = static_cast<double>(bytes)}, launch);
}

template <class Operation> void run_sizes(Recorder& recorder) {
  const bool quick = recorder.quick();
  const std::size_t tokens_max = quick ? 1024 : 65536;
  const std::vector<std::size_t> hidden_sizes =
      quick ? std::vector<std::size_t>{2048, 7168} : std::vector<std::size_t>{2048, 4096, 7168};
  for (const std::size_t hidden : hidden_sizes)
    for (std::size_t tokens = 1024; tokens <= tokens_max; tokens *= 4) {
      const Sizes sizes{.tokens = tokens, .hidden = hidden};
      const std::vector<std::string> shape{Operation::name, std::to_string(tokens),
                                           std::to_string(hidden),
                                           std::to_string(Operation::bytes(sizes))};
      // A micro-batch of the shipped models has some thousand tokens.
      recorder.attempt(tokens >= 4096 && tokens <= 16384 ? Importance::shipped : Importance::grid,
                       shape, [&] { run_case<Operation>(recorder, sizes, shape); });
    }
}

void run(Recorder& recorder) {
  run_sizes<RmsNorm>(recorder);
  run_sizes<RmsNormBackward>(recorder);
  run_sizes<Swiglu>(recorder);
  run_sizes<SwigluBackward>(recorder);
  run_sizes<CastFp8>(recorder);
  run_sizes<ResidualAdd>(recorder);
  run_sizes<Adam>(recorder);
}

const Registration registration{
    {"memory_bound",
     "Norms, SwiGLU, casts to fp8, sums and Adam: the operations between the matrix products.",
     {"operation", "tokens", "hidden", "bytes"},
     run}};

} // namespace

} // namespace moesim::microbench::memory_bound
