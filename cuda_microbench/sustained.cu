// A large product when the GPU has rested, and when it has multiplied for seconds: power and heat
// lower its clock, as in a training step.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/harness/product_memory.hpp"

#include <chrono>
#include <thread>

namespace moesim::microbench::sustained {

namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::int64_t side = 8192; // 1.1 TFLOP: a millisecond or two
constexpr std::int64_t side_quick = 1024;
constexpr Seconds rest{3.0}; // before the cold samples
constexpr Seconds load{5.0}; // before the hot ones: longer than the control of power averages
constexpr Seconds pause_quick{0.1};
constexpr int products_at_once = 20; // between two looks at the time
constexpr int samples = 10;

std::vector<std::string> shape_of(Operands operands, std::int64_t size, const char* state) {
  return {name_of(operands), std::to_string(size), std::to_string(size), std::to_string(size),
          state};
}

/// Ten products after a rest: some 20 ms, shorter than the GPU takes to lower its clock.
MeasureOptions cold_options() {
  MeasureOptions options;
  options.cold = Cold::no;
  options.repeats_throttled = false; // the clock is what is measured
  options.limits.samples_min = samples;
  options.limits.samples_max = samples;
  return options;
}

/// Products without a pause between them.
MeasureOptions hot_options() {
  MeasureOptions options = cold_options();
  options.blocking = false;
  options.launches = products_at_once;
  return options;
}

/// Keeps the GPU busy for so long.
void heat(Recorder& recorder, const Launch& launch, Seconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end)
    recorder.run_once(launch);
}

/// A product with its operands, checked.
template <class T>
void run_case(Recorder& recorder, Operands operands, std::int64_t size, bool is_hot,
              const std::vector<std::string>& shape) {
  LinearContext context;
  const LinearProduct product(context, operands, Pass::forward, Accumulate::none, size, size, size);
  if (!product.is_supported())
    return recorder.skip(shape, "cuBLASLt has no algorithm for it");
  ProductMemory<T> memory({product.layout()}, Accumulate::none);
  const ExpertProduct<T> matrices = memory.products().front();
  const Launch once = [&](cudaStream_t stream) {
    product.enqueue(stream, matrices.a, matrices.b, matrices.c);
  };
  const Launch several = [&](cudaStream_t stream) {
    for (int i = 0; i < products_at_once; ++i)
      once(stream);
  };
  recorder.run_once(once);
  if (!recorder.verify(shape, memory.error(product.factor()), tolerance_of(operands)))
    return;
  if (is_hot)
    heat(recorder, several, recorder.quick() ? pause_quick : load);
  else
    std::this_thread::sleep_for(recorder.quick() ? pause_quick : rest);
  recorder.time(shape, memory.work(), is_hot ? several : once,
                is_hot ? hot_options() : cold_options());
}

void run(Recorder& recorder) {
  const std::int64_t size = recorder.quick() ? side_quick : side;
  const Device& device = recorder.device();
  for (const Operands operands : all_operands)
    for (const bool is_hot : {false, true}) {
      const std::vector<std::string> shape = shape_of(operands, size, is_hot ? "hot" : "cold");
      recorder.attempt(Importance::shipped, shape, [&] {
        const std::string lack =
            lacks_operands(device.compute_major, device.compute_minor, operands);
        if (!lack.empty())
          recorder.skip(shape, lack);
        else if (operands == Operands::bf16)
          run_case<__nv_bfloat16>(recorder, operands, size, is_hot, shape);
        else
          run_case<__nv_fp8_e4m3>(recorder, operands, size, is_hot, shape);
      });
    }
}

const Registration registration{
    {"sustained",
     "A large product after a rest of three seconds (cold), and after five seconds of products "
     "without a pause (hot): what power and heat take from the clock.",
     {"precision", "m", "n", "k", "state"},
     run}};

} // namespace

} // namespace moesim::microbench::sustained
