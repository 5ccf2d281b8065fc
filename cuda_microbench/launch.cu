// What it costs to start a kernel: the floor under the time of every small operation.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/harness/cuda_call.hpp"

#include <chrono>
#include <stdexcept>

namespace moesim::microbench::launch {

namespace {

constexpr int kernels = 20;          // in one sample on the device
constexpr int host_launches = 2000;  // each one a sample
constexpr int launches_at_once = 50; // far fewer than fill the queue, where a launch has to wait

__global__ void empty() {}

void launch_empty_kernels(cudaStream_t stream) {
  for (int kernel = 0; kernel < kernels; ++kernel)
    empty<<<1, 32, 0, stream>>>();
  CUDA_CALL(cudaGetLastError());
}

/// The same kernels, recorded once and launched as one graph.
class Graph {
public:
  explicit Graph(cudaStream_t stream) {
    CUDA_CALL(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    launch_empty_kernels(stream);
    CUDA_CALL(cudaStreamEndCapture(stream, &graph_));
    std::size_t nodes = 0;
    CUDA_CALL(cudaGraphGetNodes(graph_, nullptr, &nodes));
    if (nodes != kernels)
      throw std::runtime_error("the graph has " + std::to_string(nodes) + " nodes");
    CUDA_CALL(cudaGraphInstantiate(&executable_, graph_, 0));
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() {
    cudaGraphExecDestroy(executable_);
    cudaGraphDestroy(graph_);
  }
  void launch(cudaStream_t stream) const { CUDA_CALL(cudaGraphLaunch(executable_, stream)); }

private:
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

/// How long the host is busy with one launch, on a stream that is not full.
Measurement measure_host_launch(cudaStream_t stream) {
  using Clock = std::chrono::steady_clock;
  Samples samples;
  launch_empty_kernels(stream);
  for (int launch = 0; launch < host_launches; ++launch) {
    if (launch % launches_at_once == 0)
      CUDA_CALL(cudaStreamSynchronize(stream));
    const Clock::time_point start = Clock::now();
    empty<<<1, 32, 0, stream>>>();
    const std::chrono::duration<double, std::micro> elapsed = Clock::now() - start;
    samples.add(elapsed.count());
  }
  CUDA_CALL(cudaGetLastError());
  CUDA_CALL(cudaStreamSynchronize(stream));
  return {samples.median_us(), 100.0 * samples.noise(), samples.count()};
}

void run(Recorder& recorder) {
  const auto attempt = [&](const char* quantity, const std::function<void()>& measure_case) {
    recorder.attempt(Importance::shipped, {quantity}, measure_case);
  };
  MeasureOptions options;
  options.cold = Cold::no;
  attempt("event_pair", [&] {
    recorder.time(
        {"event_pair"}, {}, [](cudaStream_t) {}, options);
  });
  options.launches = kernels;
  attempt("empty_kernel",
          [&] { recorder.time({"empty_kernel"}, {}, launch_empty_kernels, options); });
  attempt("graph_node", [&] {
    const Graph graph(recorder.stream());
    recorder.time(
        {"graph_node"}, {}, [&](cudaStream_t stream) { graph.launch(stream); }, options);
  });
  attempt("host_launch",
          [&] { recorder.record({"host_launch"}, {}, measure_host_launch(recorder.stream())); });
}

const Registration registration{
    {"launch",
     "Nothing between the two events of a sample (event_pair); the device's time for an empty "
     "kernel, one of 20 launched (empty_kernel) or in a graph (graph_node); the host's for a "
     "launch.",
     {"quantity"},
     run}};

} // namespace

} // namespace moesim::microbench::launch
