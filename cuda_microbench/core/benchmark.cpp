#include "cuda_microbench/core/benchmark.hpp"

#include "cuda_microbench/core/ranks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
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

Recorder::Recorder(const Benchmark& benchmark, Machine& machine, const Device& device, bool quick)
    : name_(benchmark.name), machine_(machine), device_(device), quick_(quick),
      stream_(machine.open_stream(device.ordinal)) {
  results_.columns = benchmark.columns;
}

Recorder::~Recorder() {
  machine_.close_stream(stream_);
}

void Recorder::start(Importance importance, Clock::time_point deadline) {
  importance_ = importance;
  deadline_ = deadline;
}

void Recorder::attempt(Importance importance, const std::vector<std::string>& shape,
                       const std::function<void()>& measure_case) {
  if (!is_turn(importance))
    return;
  if (is_over())
    throw OutOfTime{};
  try {
    measure_case();
  } catch (const std::runtime_error& error) {
    const std::string failure = machine_.failure();
    if (!has(shape))
      skip(shape, error.what());
    if (!failure.empty())
      throw DeviceLost(failure);
  }
}

/// Whether the time is over. All processes stop with the first one whose time is over.
bool Recorder::is_over() {
  const bool own = Clock::now() > deadline_;
  if (ranks_ == nullptr || deadline_ == Clock::time_point::max())
    return own;
  const std::vector<double> over = ranks_->gather(own ? 1.0 : 0.0);
  return *std::max_element(over.begin(), over.end()) > 0.0;
}

void Recorder::time(const std::vector<std::string>& shape, const Work& work, const Launch& launch,
                    const MeasureOptions& options) {
  check_shape(shape);
  record(shape, work, machine_.measure(stream_, launch, options));
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
  launch(stream_);
  machine_.wait(stream_);
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
  if (has(shape))
    throw std::logic_error(fmt::format("the case {} comes twice", fmt::join(shape, ",")));
}

bool Recorder::has(const std::vector<std::string>& shape) const {
  const auto is_case = [&](const auto& known) { return known.shape == shape; };
  return std::any_of(results_.rows.begin(), results_.rows.end(), is_case) ||
         std::any_of(results_.skipped.begin(), results_.skipped.end(), is_case);
}

void Recorder::show_progress() const {
  if (isatty(STDERR_FILENO) != 0)
    fmt::print(stderr, "\r{}: {} cases, {} skipped", name_, results_.rows.size(),
               results_.skipped.size());
}

} // namespace moesim::microbench
