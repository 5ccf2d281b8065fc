#include "cuda_microbench/harness/benchmark.hpp"

#include "cuda_microbench/harness/cuda_call.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace moesim::microbench {

namespace {

/// Filled before main by the static objects of the benchmarks' files.
std::vector<Benchmark>& registry() {
  static std::vector<Benchmark> benchmarks;
  return benchmarks;
}

} // namespace

Registration::Registration(Benchmark benchmark) {
  registry().push_back(std::move(benchmark));
}

std::vector<Benchmark> registered_benchmarks() {
  std::vector<Benchmark> benchmarks = registry();
  std::sort(benchmarks.begin(), benchmarks.end(),
            [](const Benchmark& a, const Benchmark& b) { return a.name < b.name; });
  return benchmarks;
}

Recorder::Recorder(const Benchmark& benchmark, const Device& device, bool quick,
                   Clock::time_point deadline)
    : name_(benchmark.name), device_(device), quick_(quick), deadline_(deadline) {
  results_.columns = benchmark.columns;
  CUDA_CALL(cudaSetDevice(device.ordinal));
  CUDA_CALL(cudaStreamCreate(&stream_));
}

Recorder::~Recorder() {
  cudaStreamDestroy(stream_);
}

void Recorder::time(const std::vector<std::string>& shape, const Work& work, const Launch& launch,
                    Cold cold) {
  MeasureOptions options;
  options.cold = cold;
  time(shape, work, launch, options);
}

void Recorder::time(const std::vector<std::string>& shape, const Work& work, const Launch& launch,
                    const MeasureOptions& options) {
  check_time();
  check_shape(shape);
  record(shape, work, measure(stream_, launch, options));
}

void Recorder::record(const std::vector<std::string>& shape, const Work& work,
                      const Measurement& measurement) {
  check_shape(shape);
  results_.rows.push_back({shape, work, measurement});
  show_progress();
}

void Recorder::skip(const std::vector<std::string>& shape, const std::string& reason) {
  check_shape(shape);
  results_.skipped.push_back({shape, reason});
  show_progress();
}

void Recorder::run_once(const Launch& launch) {
  check_time();
  launch(stream_);
  CUDA_CALL(cudaStreamSynchronize(stream_));
}

bool Recorder::verify(const std::vector<std::string>& shape, double error, double tolerance) {
  if (error <= tolerance)
    return true;
  skip(shape, fmt::format("wrong by {:.3g}, tolerance {:.3g}", error, tolerance));
  return false;
}

void Recorder::check_shape(const std::vector<std::string>& shape) const {
  if (shape.size() != results_.columns.size())
    throw std::logic_error(fmt::format("{} cells ({}) for {} columns", shape.size(),
                                       fmt::join(shape, ","), results_.columns.size()));
  const auto has_shape = [&](const auto& known) { return known.shape == shape; };
  if (std::any_of(results_.rows.begin(), results_.rows.end(), has_shape) ||
      std::any_of(results_.skipped.begin(), results_.skipped.end(), has_shape))
    throw std::logic_error(fmt::format("the case {} comes twice", fmt::join(shape, ",")));
}

void Recorder::check_time() const {
  if (Clock::now() > deadline_)
    throw OutOfTime{};
}

void Recorder::show_progress() const {
  if (isatty(STDERR_FILENO) != 0)
    fmt::print(stderr, "\r{}: {} cases, {} skipped", name_, results_.rows.size(),
               results_.skipped.size());
}

} // namespace moesim::microbench
