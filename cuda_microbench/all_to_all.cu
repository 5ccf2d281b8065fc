// The all-to-all of expert parallelism: what the device does around it, what the host does to start
// it, and the exchange itself where there are GPUs to exchange with.

#include "cuda_microbench/all_to_all/exchange.hpp"
#include "cuda_microbench/harness/benchmark.hpp"

#include <chrono>

namespace moesim::microbench {

namespace {

constexpr std::size_t bytes_min = std::size_t{64} << 10;
constexpr std::size_t bytes_max = std::size_t{256} << 20;
constexpr std::size_t bytes_max_quick = std::size_t{256} << 10;
constexpr std::size_t bytes_factor = 4;
constexpr std::size_t row_bytes = 8192; // of one token: 4096 values in bf16
constexpr unsigned destinations = 8;    // that rows are packed for on one device

std::vector<std::string> shape_of(const char* operation, int gpus, const char* distribution,
                                  std::size_t bytes) {
  return {operation, std::to_string(gpus), distribution, std::to_string(bytes)};
}

/// Copies row `rows[i]` to row i, or back if `scatter`; a block a row.
__global__ void move_rows(const uint4* from, uint4* to, const unsigned* rows, bool scatter) {
  constexpr std::size_t vectors = row_bytes / sizeof(uint4);
  const std::size_t packed = blockIdx.x * vectors;
  const std::size_t loose = rows[blockIdx.x] * vectors;
  for (std::size_t i = threadIdx.x; i < vectors; i += blockDim.x)
    to[(scatter ? loose : packed) + i] = from[(scatter ? packed : loose) + i];
}

/// The rows in the order of their destinations, which are random.
std::vector<unsigned> packed_order(unsigned rows) {
  constexpr std::uint64_t seed = 31;
  std::vector<unsigned> order;
  for (unsigned destination = 0; destination < destinations; ++destination)
    for (unsigned row = 0; row < rows; ++row)
      if (hash_counter(seed, row) % destinations == destination)
        order.push_back(row);
  return order;
}

/// Pack by destination, copy of the own share, unpack: of one device, on its own memory.
void run_pack(Recorder& recorder, std::size_t bytes) {
  const auto shape = shape_of("pack_copy_unpack", 1, "equal", bytes);
  const auto rows = static_cast<unsigned>(bytes / row_bytes);
  const std::size_t vectors = bytes / sizeof(uint4);
  std::vector<std::uint32_t> words(bytes / sizeof(std::uint32_t));
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = static_cast<std::uint32_t>(hash_counter(32, i));
  const DeviceBuffer<std::uint32_t> source(words);
  DeviceBuffer<uint4> packed(vectors);
  DeviceBuffer<uint4> received(vectors);
  DeviceBuffer<std::uint32_t> result(words.size());
  const DeviceBuffer<unsigned> order(packed_order(rows));
  const std::size_t own_bytes = bytes / destinations;
  const Launch launch = [&](cudaStream_t stream) {
    move_rows<<<rows, 256, 0, stream>>>(reinterpret_cast<const uint4*>(source.data()),
                                        packed.data(), order.data(), false);
    CUDA_CALL(cudaMemcpyAsync(received.data(), packed.data(), own_bytes, cudaMemcpyDeviceToDevice,
                              stream));
    move_rows<<<rows, 256, 0, stream>>>(received.data(), reinterpret_cast<uint4*>(result.data()),
                                        order.data(), true);
    CUDA_CALL(cudaGetLastError());
  };
  // What other devices would send stands in `received` already: the same rows.
  move_rows<<<rows, 256>>>(reinterpret_cast<const uint4*>(source.data()), received.data(),
                           order.data(), false);
  CUDA_CALL(cudaGetLastError());
  CUDA_CALL(cudaMemset(received.data(), 0, own_bytes));
  result.clear();
  recorder.run_once(launch);
  const double wrong = result.download() == words ? 0.0 : 1.0;
  const Work work{.bytes = 4.0 * static_cast<double>(bytes) + 2.0 * static_cast<double>(own_bytes)};
  if (recorder.verify(shape, wrong, 0.0))
    recorder.time(shape, work, launch);
}

/// Adds the time that the host needs to enqueue an exchange, on streams that are not full.
void run_host_launch(Recorder& recorder, Exchange& exchange) {
  using Clock = std::chrono::steady_clock;
  constexpr int launches = 500;
  constexpr int launches_at_once = 20;
  Samples samples;
  const Launch launch = exchange.launch();
  recorder.run_once(launch);
  for (int i = 0; i < launches; ++i) {
    if (i % launches_at_once == 0)
      CUDA_CALL(cudaStreamSynchronize(recorder.stream()));
    const Clock::time_point start = Clock::now();
    launch(recorder.stream());
    const std::chrono::duration<double, std::micro> elapsed = Clock::now() - start;
    samples.add(elapsed.count());
  }
  CUDA_CALL(cudaStreamSynchronize(recorder.stream()));
  recorder.record(shape_of("host_launch", exchange.gpus(), "equal", exchange.bytes()), {},
                  {samples.median_us(), 100.0 * samples.noise(), samples.count()});
}

void run_exchange(Recorder& recorder, Transport transport, int gpus, Spread spread,
                  std::size_t bytes) {
  const auto shape = shape_of(name_of(transport), gpus, name_of(spread), bytes);
  if (gpus < 2)
    return recorder.skip(shape, "only one GPU is visible");
  if (const std::string lack = lacks_transport(transport, gpus); !lack.empty())
    return recorder.skip(shape, lack);
  Exchange exchange(transport, gpus, spread, bytes);
  exchange.fill();
  const Launch launch = exchange.launch();
  recorder.run_once(launch);
  MeasureOptions options;
  options.cold = Cold::no;  // the data comes from other devices
  options.blocking = false; // other devices' streams are not held back
  if (recorder.verify(shape, exchange.wrong_share(), 0.0))
    recorder.time(shape, {.bytes = static_cast<double>(bytes)}, launch, options);
}

void run(Recorder& recorder) {
  int gpus = 0;
  CUDA_CALL(cudaGetDeviceCount(&gpus));
  const std::size_t largest = recorder.quick() ? bytes_max_quick : bytes_max;
  for (std::size_t bytes = bytes_min; bytes <= largest; bytes *= bytes_factor) {
    run_pack(recorder, bytes);
    for (const Transport transport : {Transport::nccl, Transport::peer})
      for (const Spread spread : {Spread::equal, Spread::zipf})
        run_exchange(recorder, transport, gpus, spread, bytes);
  }
  if (const std::string lack = lacks_transport(Transport::nccl, 1); !lack.empty())
    return recorder.skip(shape_of("host_launch", 1, "equal", bytes_min), lack);
  Exchange alone(Transport::nccl, 1, Spread::equal, bytes_min);
  run_host_launch(recorder, alone);
}

const Registration registration{
    {"all_to_all",
     "All-to-all of the visible GPUs (nccl_all_to_all, peer_all_to_all); its part on one device "
     "(pack_copy_unpack); the host's time to start it (host_launch). bytes: what one GPU sends, "
     "its "
     "own share included.",
     {"operation", "gpus", "distribution", "bytes"},
     run}};

} // namespace

} // namespace moesim::microbench
