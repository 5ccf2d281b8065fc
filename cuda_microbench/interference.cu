// How much a matrix product slows while another kernel holds SMs, or streams through memory, as
// communication beside compute does.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/harness/product_memory.hpp"
#include "cuda_microbench/interference/background.hpp"

#include <cmath>
#include <optional>

namespace moesim::microbench::interference {

namespace {

constexpr int products_a_sample = 8; // a sample lasts a millisecond or more
constexpr std::size_t streamed_bytes = std::size_t{512} << 20; // larger than the L2 cache
constexpr int static_shared_bytes = 1024; // at least what the kernels have beside it
constexpr auto copy_alone = std::chrono::milliseconds(50);

constexpr unsigned held_sms[] = {0, 4, 8, 16, 20, 24, 32, 48, 64};
constexpr unsigned copying_sms[] = {8, 16, 32};

struct Sizes {
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
};
constexpr Sizes sizes[] = {{4096, 4096, 4096}, {8192, 4096, 4096}};
constexpr Sizes sizes_quick[] = {{1024, 1024, 1024}};

std::vector<std::string> shape_of(const char* operation, unsigned sms, int percent,
                                  const Sizes& size) {
  return {operation,
          std::to_string(sms),
          std::to_string(percent),
          std::to_string(size.m),
          std::to_string(size.n),
          std::to_string(size.k)};
}

/// A product with its operands.
struct Product {
  Sizes size;
  LinearProduct product;
  ProductMemory<__nv_bfloat16> memory;
  ExpertProduct<__nv_bfloat16> matrices;

  Product(LinearContext& context, const Sizes& size)
      : size(size),
        product(context, Operands::bf16, Pass::forward, Accumulate::none, size.m, size.n, size.k),
        memory({product.layout()}, Accumulate::none), matrices(memory.products().front()) {}

  void enqueue(cudaStream_t stream) { product.enqueue(stream, matrices.a, matrices.b, matrices.c); }
  double error() { return memory.error(product.factor()); }
  Work work() const { return memory.work(); }
};

/// The kernels in the background. A block takes all the shared memory that a block may have, so
/// that it is alone on its SM: a product's blocks, which need much of it, run on the others.
class Holder {
public:
  explicit Holder(const Device& device)
      : sms_(static_cast<unsigned>(device.multiprocessors)), background_(sms_),
        from_(streamed_bytes / sizeof(uint4)), to_(from_.size()), bytes_(sms_), nanoseconds_(sms_) {
    from_.clear();
    to_.clear();
    CUDA_CALL(cudaDeviceGetAttribute(&shared_bytes_, cudaDevAttrMaxSharedMemoryPerBlockOptin,
                                     device.ordinal));
    shared_bytes_ -= static_shared_bytes;
    CUDA_CALL(
        cudaFuncSetAttribute(hold_sm, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes_));
    CUDA_CALL(cudaFuncSetAttribute(hold_bandwidth, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   shared_bytes_));
  }

  unsigned sms() const { return sms_; }
  bool start_holding(unsigned blocks) {
    return background_.start(blocks, [&](cudaStream_t stream, const BackgroundFlags& flags) {
      hold_sm<<<blocks, background_threads, shared_bytes_, stream>>>(flags);
    });
  }
  bool start_copying(unsigned blocks) {
    return background_.start(blocks, [&](cudaStream_t stream, const BackgroundFlags& flags) {
      hold_bandwidth<<<blocks, background_threads, shared_bytes_, stream>>>(
          flags, from_.data(), to_.data(), from_.size(), {bytes_.data(), nanoseconds_.data()});
    });
  }
  void stop() { background_.stop(); }

  /// What the last copying kernel of so many blocks moved, read and written, in bytes a second.
  double copied_bytes_per_s(unsigned blocks) const {
    const std::vector<unsigned long long> bytes = bytes_.download();
    const std::vector<unsigned long long> nanoseconds = nanoseconds_.download();
    double rate = 0.0;
    for (unsigned block = 0; block < blocks; ++block)
      rate += static_cast<double>(bytes[block]) / static_cast<double>(nanoseconds[block]) * 1e9;
    return rate;
  }

private:
  unsigned sms_;
  Background background_;
  DeviceBuffer<uint4> from_;
  DeviceBuffer<uint4> to_;
  DeviceBuffer<unsigned long long> bytes_;
  DeviceBuffer<unsigned long long> nanoseconds_;
  int shared_bytes_ = 0;
};

/// Times of the product while what `start` starts runs in the background; no value if it does not
/// run. `after` is called when it has ended.
template <class Start, class After>
std::optional<Measurement> measure_beside(cudaStream_t stream, Product& product, Holder& holder,
                                          const Start& start, const After& after) {
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  CUDA_CALL(cudaEventCreate(&begin));
  CUDA_CALL(cudaEventCreate(&end));
  Samples samples;
  const SampleLimits limits;
  bool runs = true;
  while (runs && !samples.enough(limits)) {
    runs = start();
    if (!runs)
      break;
    product.enqueue(stream); // the first one after a pause is slower
    CUDA_CALL(cudaEventRecord(begin, stream));
    for (int i = 0; i < products_a_sample; ++i)
      product.enqueue(stream);
    CUDA_CALL(cudaEventRecord(end, stream));
    CUDA_CALL(cudaEventSynchronize(end));
    holder.stop();
    after();
    float milliseconds = 0.0f;
    CUDA_CALL(cudaEventElapsedTime(&milliseconds, begin, end));
    samples.add(1e3 * milliseconds / products_a_sample);
  }
  CUDA_CALL(cudaEventDestroy(begin));
  CUDA_CALL(cudaEventDestroy(end));
  if (!runs)
    return std::nullopt;
  return Measurement{samples.median_us(), 100.0 * samples.noise(), samples.count()};
}

constexpr const char* not_running = "its background kernel did not start within two seconds";

void hold_sms(Recorder& recorder, Product& product, Holder& holder) {
  for (const unsigned sms : held_sms) {
    const std::vector<std::string> shape = shape_of("hold_sms", sms, 0, product.size);
    if (sms >= holder.sms()) {
      recorder.skip(shape, "the device has no more SMs than that");
      continue;
    }
    recorder.attempt(Importance::shipped, shape, [&] {
      const auto start = [&] { return sms == 0 || holder.start_holding(sms); };
      if (const auto time = measure_beside(recorder.stream(), product, holder, start, [] {}))
        recorder.record(shape, product.work(), *time);
      else
        recorder.skip(shape, not_running);
    });
  }
}

/// The bytes a second of a copy on all SMs, with nothing beside it; 0 if it does not run.
double copy_rate_alone(Holder& holder) {
  if (!holder.start_copying(holder.sms()))
    return 0.0;
  std::this_thread::sleep_for(copy_alone);
  holder.stop();
  return holder.copied_bytes_per_s(holder.sms());
}

void hold_bandwidths(Recorder& recorder, Product& product, Holder& holder) {
  const double alone = copy_rate_alone(holder);
  for (const unsigned sms : copying_sms) {
    const std::vector<std::string> unmeasured = shape_of("hold_bandwidth", sms, 0, product.size);
    recorder.attempt(Importance::shipped, unmeasured, [&] {
      Samples rates;
      const auto time = measure_beside(
          recorder.stream(), product, holder, [&] { return holder.start_copying(sms); },
          [&] { rates.add(holder.copied_bytes_per_s(sms)); });
      if (!time || alone <= 0.0)
        return recorder.skip(unmeasured, not_running);
      const int percent = static_cast<int>(std::lround(100.0 * rates.median_us() / alone));
      recorder.record(shape_of("hold_bandwidth", sms, percent, product.size), product.work(),
                      *time);
    });
  }
}

void run(Recorder& recorder) {
  if (!recorder.is_turn(Importance::shipped)) // all cases are: any step may need them
    return;
  LinearContext context;
  Holder holder(recorder.device());
  // Kernels are loaded when they first run, which waits for those that are running.
  if (holder.start_holding(1))
    holder.stop();
  if (holder.start_copying(1))
    holder.stop();
  const std::vector<Sizes> all =
      recorder.quick() ? std::vector<Sizes>(std::begin(sizes_quick), std::end(sizes_quick))
                       : std::vector<Sizes>(std::begin(sizes), std::end(sizes));
  for (const Sizes& size : all) {
    Product product(context, size);
    const std::vector<std::string> shape = shape_of("hold_sms", 0, 0, size);
    if (!product.product.is_supported()) {
      recorder.skip(shape, "cuBLASLt has no algorithm for it");
      continue;
    }
    recorder.run_once([&](cudaStream_t stream) { product.enqueue(stream); });
    if (!recorder.verify(shape, product.error(), bf16_tolerance))
      continue;
    hold_sms(recorder, product, holder);
    hold_bandwidths(recorder, product, holder);
  }
}

const Registration registration{
    {"interference",
     "A bf16 product, its data in the L2 cache as far as it fits, while another kernel holds SMs "
     "(hold_sms) or also copies through memory on them (hold_bandwidth: what it reached, in "
     "percent of a copy on all SMs).",
     {"operation", "held_sms", "held_bandwidth_percent", "m", "n", "k"},
     run}};

} // namespace

} // namespace moesim::microbench::interference
