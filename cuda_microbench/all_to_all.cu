// Exchanges in which each GPU sends something else to each other one, as experts' tokens travel.

#include "cuda_microbench/all_to_all/exchange.hpp"
#include "cuda_microbench/all_to_all/nccl_communicators.hpp"
#include "cuda_microbench/all_to_all/pack.hpp"
#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/core/statistics.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

namespace moesim::microbench::all_to_all {

namespace {

constexpr std::size_t bytes_min = std::size_t{64} << 10;
constexpr std::size_t bytes_max = std::size_t{256} << 20;
constexpr std::size_t bytes_max_quick = std::size_t{256} << 10;
constexpr std::size_t bytes_factor = 4;
constexpr std::chrono::seconds exchange_time_max{60}; // connecting the GPUs included

/// Enqueues the transfers of an exchange on the devices' streams.
using Transfers = std::function<void(const Shares&, Buffers&, const Streams&)>;

std::size_t largest(const Recorder& recorder) {
  return recorder.quick() ? bytes_max_quick : bytes_max;
}

std::vector<std::string> shape_of(const char* operation, int gpus, Distribution distribution,
                                  std::size_t bytes) {
  return {operation, std::to_string(gpus), name_of(distribution), std::to_string(bytes)};
}

/// Waits for a stream. Throws std::runtime_error where GPUs seem to wait for each other for ever;
/// `abort` is called before, or no buffer of theirs could be freed.
void wait_for(cudaStream_t stream, const std::function<void()>& abort) {
  const auto deadline = std::chrono::steady_clock::now() + exchange_time_max;
  cudaError_t status = cudaStreamQuery(stream);
  for (; status == cudaErrorNotReady; status = cudaStreamQuery(stream)) {
    if (std::chrono::steady_clock::now() > deadline) {
      abort();
      throw std::runtime_error("the first exchange did not end within a minute");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CUDA_CALL(status);
  static_cast<void>(cudaGetLastError()); // "not ready", which is no failure
}

/// Measures an exchange of equal or uneven shares between all devices of `streams`.
void run_exchange(Recorder& recorder, const std::vector<std::string>& shape, const Shares& shares,
                  Streams& streams, const Transfers& transfers,
                  const std::function<void()>& abort) {
  Buffers buffers(shares);
  const Launch launch = [&](cudaStream_t stream) {
    streams.fork(stream);
    transfers(shares, buffers, streams);
    streams.join(stream);
  };
  buffers.fill();
  launch(recorder.stream());
  wait_for(recorder.stream(), abort);
  const Work work{.bytes = static_cast<double>(shares.sent(0) * sizeof(Word))};
  if (recorder.verify(shape, buffers.wrong_share(), 0.0))
    recorder.time(shape, work, launch);
}

/// Calls `run_case` for both distributions and all sizes.
void for_each_case(const Recorder& recorder,
                   const std::function<void(Distribution, std::size_t)>& run_case) {
  for (const Distribution distribution : general_distributions)
    for (std::size_t bytes = bytes_min; bytes <= largest(recorder); bytes *= bytes_factor)
      run_case(distribution, bytes);
}

void skip_all(Recorder& recorder, const char* operation, int gpus, const std::string& reason) {
  for_each_case(recorder, [&](Distribution distribution, std::size_t bytes) {
    recorder.skip(shape_of(operation, gpus, distribution, bytes), reason);
  });
}

/// Every copy is enqueued by its sender, one after the other, the next GPU's first.
void copy_to_peers(const Shares& shares, Buffers& buffers, const Streams& streams) {
  for (int sender = 0; sender < shares.gpus(); ++sender)
    for (int step = 1; step <= shares.gpus(); ++step) {
      const int receiver = (sender + step) % shares.gpus();
      CUDA_CALL(cudaMemcpyPeerAsync(
          buffers.target(sender, receiver), receiver, buffers.source(sender, receiver), sender,
          shares.words(sender, receiver) * sizeof(Word), streams.of(sender)));
    }
}

void run_peer_exchanges(Recorder& recorder, int gpus) {
  constexpr const char* operation = "peer_all_to_all";
  if (gpus < 2)
    return skip_all(recorder, operation, gpus, "it needs two GPUs, and one is visible");
  for (int own = 0; own < gpus; ++own)
    for (int other = 0; other < gpus; ++other)
      if (own != other && !enable_peer_access(own, other))
        return skip_all(recorder, operation, gpus, "not all GPUs reach each other directly");
  Streams streams(gpus);
  for_each_case(recorder, [&](Distribution distribution, std::size_t bytes) {
    const std::vector<std::string> shape = shape_of(operation, gpus, distribution, bytes);
    recorder.attempt(Importance::shipped, shape, [&] {
      const Shares shares(gpus, distribution, bytes);
      run_exchange(recorder, shape, shares, streams, copy_to_peers, [] {});
    });
  });
}

/// An error's text without the folders of the source file that it names.
std::string reason_of(const std::exception& error) {
  const std::string text = error.what();
  const std::size_t folders_end = text.substr(0, text.find(": ")).rfind('/');
  return "NCCL failed: " + (folders_end == std::string::npos ? text : text.substr(folders_end + 1));
}

/// Communicators that are given up at the first failure, as NCCL demands, so that the measurements
/// which need none go on.
class NcclSession {
public:
  explicit NcclSession(int gpus) {
    attempt([&] { communicators_ = std::make_unique<Communicators>(gpus); });
  }
  bool has_failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  Communicators& communicators() { return *communicators_; }
  void abort() {
    if (communicators_)
      communicators_->abort();
  }
  /// Runs what uses the communicators. Throws only if the devices cannot be used any more.
  void attempt(const std::function<void()>& use) {
    try {
      use();
    } catch (const std::runtime_error& error) {
      failure_ = reason_of(error);
      abort();
      static_cast<void>(cudaGetLastError());
      CUDA_CALL(cudaDeviceSynchronize());
    }
  }

private:
  std::unique_ptr<Communicators> communicators_;
  std::string failure_;
};

void run_nccl_exchanges(Recorder& recorder, int gpus) {
  constexpr const char* operation = "nccl_all_to_all";
  if (gpus < 2)
    return skip_all(recorder, operation, gpus, "it needs two GPUs, and one is visible");
  Streams streams(gpus);
  NcclSession session(gpus);
  for_each_case(recorder, [&](Distribution distribution, std::size_t bytes) {
    const std::vector<std::string> shape = shape_of(operation, gpus, distribution, bytes);
    const Shares shares(gpus, distribution, bytes);
    recorder.attempt(Importance::shipped, shape, [&] {
      if (session.has_failed())
        return recorder.skip(shape, session.failure());
      session.attempt([&] {
        const Transfers transfers = [&](const Shares& all, Buffers& buffers, const Streams& own) {
          session.communicators().send_receive(all, buffers, own);
        };
        run_exchange(recorder, shape, shares, streams, transfers, [&] { session.abort(); });
      });
      if (session.has_failed())
        recorder.skip(shape, session.failure());
    });
  });
}

/// How long the host is busy with the call, on a stream that is not full.
Measurement measure_host_time(cudaStream_t stream, const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  constexpr int calls = 2000;       // each one a sample
  constexpr int calls_at_once = 20; // far fewer than fill the queue, where a launch has to wait
  Samples samples;
  for (int sample = 0; sample < calls; ++sample) {
    if (sample % calls_at_once == 0)
      CUDA_CALL(cudaStreamSynchronize(stream));
    const Clock::time_point start = Clock::now();
    call();
    const std::chrono::duration<double, std::micro> elapsed = Clock::now() - start;
    samples.add(elapsed.count());
  }
  CUDA_CALL(cudaStreamSynchronize(stream));
  return {samples.median_us(), 100.0 * samples.noise(), samples.count()};
}

void run_host_launch(Recorder& recorder) {
  const std::vector<std::string> shape = shape_of("host_launch", 1, Distribution::equal, bytes_min);
  Streams streams(1);
  NcclSession session(1);
  if (!session.has_failed())
    session.attempt([&] {
      const Shares shares(1, Distribution::equal, bytes_min);
      Buffers buffers(shares);
      const auto call = [&] { session.communicators().send_receive(shares, buffers, streams); };
      buffers.fill();
      call();
      wait_for(streams.of(0), [&] { session.abort(); });
      if (recorder.verify(shape, buffers.wrong_share(), 0.0))
        recorder.record(shape, {}, measure_host_time(streams.of(0), call));
    });
  if (session.has_failed())
    recorder.skip(shape, session.failure());
}

void run_packed_copy(Recorder& recorder, Distribution distribution, std::size_t bytes,
                     const std::vector<std::string>& shape) {
  PackedCopy packed_copy(bytes, distribution);
  const Launch launch = [&](cudaStream_t stream) { packed_copy.enqueue(stream); };
  recorder.run_once(launch);
  const Work work{.bytes = packed_copy.bytes()};
  if (recorder.verify(shape, packed_copy.wrong_share(), 0.0))
    recorder.time(shape, work, launch);
}

void run(Recorder& recorder) {
  if (!recorder.is_turn(Importance::shipped)) // all cases are: any step may need them
    return;
  int gpus = 0;
  CUDA_CALL(cudaGetDeviceCount(&gpus));
  for_each_case(recorder, [&](Distribution distribution, std::size_t bytes) {
    const std::vector<std::string> shape = shape_of("pack_copy_unpack", 1, distribution, bytes);
    recorder.attempt(Importance::shipped, shape,
                     [&] { run_packed_copy(recorder, distribution, bytes, shape); });
  });
  run_host_launch(recorder);
  run_nccl_exchanges(recorder, gpus);
  run_peer_exchanges(recorder, gpus);
}

const Registration registration{
    {"all_to_all",
     "Every GPU sends to every GPU, equal shares or Zipf's (exponent 1, turned by the sender), by "
     "NCCL or peer copies; rows packed for 8 destinations and unpacked on one GPU, its own copied; "
     "the "
     "host's time for one group of NCCL's. bytes: sent by one GPU, its own share included.",
     {"operation", "gpus", "distribution", "bytes"},
     run}};

} // namespace

} // namespace moesim::microbench::all_to_all
