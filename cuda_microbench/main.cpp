#include "cuda_microbench/harness/benchmark.hpp"
#include "cuda_microbench/harness/csv_output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <iostream>

namespace {

using namespace moesim::microbench;

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_no_device = 2;

constexpr const char* description =
    "Measures the times that moesim computes with, on the first visible GPU.";

constexpr const char* epilogue = R"(Examples:
  cuda_microbench --list                      what can be measured
  cuda_microbench --filter copy               one benchmark, as a table
  cuda_microbench --csv measured/$(cuda_microbench --device-folder)
                                              all of them, a CSV file each
  CUDA_VISIBLE_DEVICES=3 cuda_microbench      another GPU

How a time is measured: after three runs to warm up, each sample starts with a
cold L2 cache and is enqueued while the GPU is held back, so that the host's
time for a launch is not in it. Samples are taken until the standard error of
their mean is below 0.5 %, between 10 and 300 of them; time_us is their median,
noise_percent their standard deviation over their mean. A case whose result is
wrong is skipped, with the reason; one measured while the GPU could not hold
its clock is marked "throttled" in the CSV file.

stdout has the results, stderr the progress. Exit codes: 0 measured, 1 a
benchmark failed, 2 no CUDA device or wrong options.)";

struct Options {
  bool list = false;
  bool quick = false;
  bool device_folder = false;
  std::vector<std::string> filters;
  std::string csv_folder;
  double minutes = 0.0; ///< 0: as long as it takes
};

void add_options(CLI::App& app, Options& options) {
  app.add_flag("--list", options.list, "Name, description and columns of each benchmark");
  app.add_option("--filter", options.filters,
                 "Only benchmarks with TEXT in their name; may be given again for more")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  app.add_option("--csv", options.csv_folder, "Also write DIR/<benchmark>.csv")->type_name("DIR");
  app.add_option("--minutes", options.minutes,
                 "Share so much time out between the benchmarks; what is left then is not measured")
      ->type_name("M")
      ->check(CLI::PositiveNumber);
  app.add_flag("--quick", options.quick, "Few and small cases: a test that all of it works");
  app.add_flag("--device-folder", options.device_folder,
               "Only print the name of the GPU's folder in calibration/");
  app.footer(epilogue);
}

/// The benchmarks whose name has one of the filters in it; all without a filter.
std::vector<Benchmark> selected(const std::vector<std::string>& filters) {
  std::vector<Benchmark> chosen;
  for (const Benchmark& benchmark : registered_benchmarks()) {
    bool matches = filters.empty();
    for (const std::string& filter : filters)
      matches |= benchmark.name.find(filter) != std::string::npos;
    if (matches)
      chosen.push_back(benchmark);
  }
  return chosen;
}

void list(const std::vector<Benchmark>& benchmarks) {
  for (const Benchmark& benchmark : benchmarks)
    fmt::print("{}: {}\n    {}\n", benchmark.name, benchmark.description,
               fmt::join(benchmark.columns, ","));
}

/// Runs all cases for which there is time.
void measure(const Benchmark& benchmark, Recorder& recorder) {
  try {
    benchmark.run(recorder);
  } catch (const OutOfTime&) {
    recorder.stop();
  }
}

/// Measures one benchmark; prints its table and writes its file. False if it failed.
bool run(const Benchmark& benchmark, const Device& device, const Options& options,
         Recorder::Clock::time_point deadline) {
  const auto start = std::chrono::steady_clock::now();
  try {
    Recorder recorder(benchmark, device, options.quick, deadline);
    measure(benchmark, recorder);
    const Results& results = recorder.results();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    fmt::print(stderr, "\r{}: {} cases, {} skipped, {:.1f} s\n", benchmark.name,
               results.rows.size(), results.skipped.size(), elapsed.count());
    fmt::print("{}\n{}\n", benchmark.name, table_text(results));
    std::fflush(stdout);
    if (!options.csv_folder.empty())
      write_csv(options.csv_folder, benchmark.name, csv_text(results, provenance(device)));
  } catch (const std::exception& error) {
    fmt::print(stderr, "\ncuda_microbench: {} failed: {}\n", benchmark.name, error.what());
    return false;
  }
  return true;
}

int run_all(const Options& options) {
  const std::vector<Benchmark> benchmarks = selected(options.filters);
  if (benchmarks.empty()) {
    fmt::print(stderr, "cuda_microbench: no benchmark's name has {} in it: see --list\n",
               fmt::join(options.filters, " or "));
    return exit_usage;
  }
  if (options.list) {
    list(benchmarks);
    return 0;
  }
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status != cudaSuccess || devices == 0) {
    fmt::print(stderr, "cuda_microbench: no CUDA device ({}): nothing was measured\n",
               cudaGetErrorString(status == cudaSuccess ? cudaErrorNoDevice : status));
    return exit_no_device;
  }
  const Device device = read_device(0);
  if (options.device_folder) {
    fmt::print("{}\n", device.slug());
    return 0;
  }
  const auto end =
      Recorder::Clock::now() + std::chrono::duration_cast<Recorder::Clock::duration>(
                                   std::chrono::duration<double>(60.0 * options.minutes));
  for (std::size_t number = 0; number < benchmarks.size(); ++number) {
    // What one leaves of its time is for those after it.
    const auto now = Recorder::Clock::now();
    const auto deadline = options.minutes > 0.0
                              ? now + (end - now) / static_cast<int>(benchmarks.size() - number)
                              : Recorder::Clock::time_point::max();
    if (!run(benchmarks[number], device, options, deadline))
      return exit_failed; // a failed kernel leaves the device unusable for the rest
  }
  return 0;
}

} // namespace

int main(int count, char** arguments) {
  CLI::App app(description, "cuda_microbench");
  Options options;
  add_options(app, options);
  try {
    app.parse(count, arguments);
    return run_all(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : exit_usage;
  } catch (const std::exception& error) {
    std::cerr << "cuda_microbench: " << error.what() << '\n';
    return exit_failed;
  }
}
