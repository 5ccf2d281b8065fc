#include "cuda_microbench/harness/measure.hpp"

#include "cuda_microbench/harness/device.hpp"
#include "cuda_microbench/harness/device_buffer.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace moesim::microbench {

namespace {

constexpr int warm_up_runs = 3;
constexpr double hold_seconds_max = 1.0;
constexpr int throttled_runs_max = 3;
constexpr std::chrono::milliseconds throttled_pause{200};

/// Signals between host and device, in memory that both see.
struct Signals {
  volatile int open;      ///< by the host: the stream may go on
  volatile int timed_out; ///< by the device: it went on without
};

/// One thread that ends when the host opens the gate, or after `cycles_max`.
__global__ void hold(Signals* signals, long long cycles_max) {
  const long long start = clock64();
  while (signals->open == 0)
    if (clock64() - start > cycles_max) {
      signals->timed_out = 1;
      return;
    }
}

/// Holds back a stream until the host has enqueued what comes behind.
class Gate {
public:
  explicit Gate(int device) {
    int clock_khz = 0;
    CUDA_CALL(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, device));
    cycles_max_ = static_cast<long long>(hold_seconds_max * 1e3 * clock_khz);
    CUDA_CALL(cudaHostAlloc(&signals_, sizeof(Signals), cudaHostAllocMapped));
    signals_->open = 1;
    signals_->timed_out = 0;
    CUDA_CALL(cudaHostGetDevicePointer(&on_device_, signals_, 0));
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() {
    open(); // after an exception the stream may still wait
    cudaDeviceSynchronize();
    cudaFreeHost(signals_);
  }

  /// Work enqueued from here on waits. Nothing enqueued before may wait any more.
  void close(cudaStream_t stream) {
    signals_->open = 0;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    hold<<<1, 1, 0, stream>>>(on_device_, cycles_max_);
    CUDA_CALL(cudaGetLastError());
  }
  void open() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    signals_->open = 1;
  }
  /// Throws if the stream did not wait for open(); call it when the stream's work is done.
  void check() const {
    if (signals_->timed_out != 0)
      throw std::runtime_error("the launch waits for the GPU or enqueues too much to be held back: "
                               "measure it with blocking = false");
  }

private:
  Signals* signals_ = nullptr;
  Signals* on_device_ = nullptr;
  long long cycles_max_ = 0;
};

/// The counters of each SM, by its number: cycles of its clock, and the GPU's time.
struct SmTime {
  long long cycles;
  long long nanoseconds;
};

__global__ void read_sm_times(SmTime* times, unsigned sms) {
  unsigned sm = 0;
  long long nanoseconds = 0;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(nanoseconds));
  if (sm < sms)
    times[sm] = {clock64(), nanoseconds};
}

/// Tells the mean clock of the SMs between two moments of a stream.
class ClockMeter {
public:
  explicit ClockMeter(int device) : sms_(count_sms(device)), before_(sms_), after_(sms_) {}

  void start(cudaStream_t stream) { read(stream, before_); }
  void stop(cudaStream_t stream) { read(stream, after_); }

  /// In MHz, the median of the SMs that were read at both moments; 0 if none was, or the time
  /// between is too short for the GPU's own clock. The stream's work is done.
  double mean_mhz() const {
    constexpr long long shortest_ns = 200'000; // globaltimer moves in steps of up to 1 us
    const std::vector<SmTime> before = before_.download();
    const std::vector<SmTime> after = after_.download();
    std::vector<double> clocks;
    for (unsigned sm = 0; sm < sms_; ++sm) {
      const long long elapsed_ns = after[sm].nanoseconds - before[sm].nanoseconds;
      if (before[sm].nanoseconds != 0 && after[sm].nanoseconds != 0 && elapsed_ns >= shortest_ns)
        clocks.push_back(1e3 * static_cast<double>(after[sm].cycles - before[sm].cycles) /
                         static_cast<double>(elapsed_ns));
    }
    return clocks.empty() ? 0.0 : median(clocks);
  }

private:
  static unsigned count_sms(int device) {
    int sms = 0;
    CUDA_CALL(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device));
    return static_cast<unsigned>(sms);
  }
  /// Two blocks for each SM: most of them get one, whatever the order.
  void read(cudaStream_t stream, DeviceBuffer<SmTime>& times) {
    CUDA_CALL(cudaMemsetAsync(times.data(), 0, times.bytes(), stream));
    read_sm_times<<<2 * sms_, 1, 0, stream>>>(times.data(), sms_);
    CUDA_CALL(cudaGetLastError());
  }

  unsigned sms_;
  DeviceBuffer<SmTime> before_;
  DeviceBuffer<SmTime> after_;
};

class Event {
public:
  Event() { CUDA_CALL(cudaEventCreate(&event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }
  void record(cudaStream_t stream) { CUDA_CALL(cudaEventRecord(event_, stream)); }
  double microseconds_since(const Event& start) const {
    float milliseconds = 0.0f;
    CUDA_CALL(cudaEventElapsedTime(&milliseconds, start.event_, event_));
    return 1e3 * milliseconds;
  }

private:
  cudaEvent_t event_ = nullptr;
};

/// Bytes that fill the L2 cache twice over; 0 if the cache may stay as it is.
std::size_t flush_bytes(int device, Cold cold) {
  int l2_bytes = 0;
  if (cold == Cold::yes)
    CUDA_CALL(cudaDeviceGetAttribute(&l2_bytes, cudaDevAttrL2CacheSize, device));
  return 2 * static_cast<std::size_t>(l2_bytes);
}

/// Takes the samples of one launch, with all that they need.
class Sampler {
public:
  Sampler(int device, cudaStream_t stream, const Launch& launch, const MeasureOptions& options)
      : stream_(stream), launch_(launch), options_(options),
        flush_(flush_bytes(device, options.cold)), meter_(device), gate_(device) {}

  void warm_up() {
    for (int run = 0; run < warm_up_runs; ++run)
      launch_(stream_);
    CUDA_CALL(cudaStreamSynchronize(stream_));
  }

  Samples take_samples() {
    Samples samples;
    meter_.start(stream_);
    while (!samples.enough(options_.limits))
      samples.add(take_sample() / options_.launches);
    meter_.stop(stream_);
    CUDA_CALL(cudaStreamSynchronize(stream_));
    return samples;
  }

  /// Of the samples that were taken last.
  double sm_clock_mhz() const { return meter_.mean_mhz(); }

private:
  double take_sample() {
    if (flush_.size() > 0)
      CUDA_CALL(cudaMemsetAsync(flush_.data(), 0, flush_.bytes(), stream_));
    if (options_.blocking)
      gate_.close(stream_);
    start_.record(stream_);
    launch_(stream_);
    stop_.record(stream_);
    gate_.open();
    CUDA_CALL(cudaStreamSynchronize(stream_));
    gate_.check();
    return stop_.microseconds_since(start_);
  }

  cudaStream_t stream_;
  const Launch& launch_;
  const MeasureOptions& options_;
  DeviceBuffer<unsigned char> flush_;
  ClockMeter meter_;
  Event start_;
  Event stop_;
  Gate gate_; // destroyed first: the rest waits for the stream
};

bool is_throttled(int device) {
  const std::optional<Clocks> clocks = read_clocks(device);
  return clocks && clocks->is_throttled();
}

} // namespace

Measurement measure(cudaStream_t stream, const Launch& launch, const MeasureOptions& options) {
  int device = 0;
  CUDA_CALL(cudaGetDevice(&device));
  Sampler sampler(device, stream, launch, options);
  sampler.warm_up();
  Samples samples = sampler.take_samples();
  bool throttled = is_throttled(device);
  const int runs_max = options.repeats_throttled ? throttled_runs_max : 0;
  for (int run = 0; throttled && run < runs_max; ++run) {
    std::this_thread::sleep_for(throttled_pause);
    sampler.warm_up();
    samples = sampler.take_samples();
    throttled = is_throttled(device);
  }
  return {samples.median_us(), 100.0 * samples.noise(), samples.count(), throttled,
          sampler.sm_clock_mhz()};
}

} // namespace moesim::microbench
