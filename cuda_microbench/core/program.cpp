#include "cuda_microbench/core/program.hpp"

#include "cuda_microbench/core/device_names.hpp"
#include "cuda_microbench/core/measure_all.hpp"
#include "cuda_microbench/core/nccl_id_file.hpp"
#include "cuda_microbench/core/ranks.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

namespace moesim::microbench {

namespace {

enum ExitCode { exit_measured, exit_failed, exit_usage, exit_device_lost };

constexpr const char* description =
    "Measures the times that moesim computes with, on the first visible GPU; under srun or mpirun "
    "the collectives of all GPUs, one process a GPU.";

constexpr const char* epilogue = R"(Examples:
  cuda_microbench --list                      the benchmarks and their columns
  cuda_microbench --filter copy               one benchmark, as a table
  cuda_microbench --csv measurements          all of them, files in measurements/<kind>/measured/
  CUDA_VISIBLE_DEVICES=3 cuda_microbench      another GPU
  srun -N 2 --ntasks-per-node 8 cuda_microbench --csv measurements --nccl-id-file ~/nccl-id
                                              collectives of 16 GPUs on two nodes

How a time is measured: after three runs to warm up, each sample starts with a
cold L2 cache and is enqueued while the GPU is held back, so that the host's
time for a launch is not in it. Samples are taken until the standard error of
their mean is below 0.5 %, between 10 and 300 of them; time_us is their median,
noise_percent their standard deviation over their mean, sm_clock_mhz the mean
clock of the SMs meanwhile. Shapes of the shipped models come first, those of
all benchmarks before the rest. A case that fails, lacks memory or has a wrong
result is skipped, with the reason; one measured while the GPU could not hold
its clock is marked "throttled" in the CSV file.

stdout has the results, stderr the progress. Exit codes: 0 measured, 1 a
benchmark failed, 2 no CUDA device or wrong options, 3 the GPU failed on the
way; all that was finished is written in any case.)";

struct Options {
  bool list = false;
  bool quick = false;
  bool device_folder = false;
  std::vector<std::string> filters;
  std::string csv_folder;
  double minutes = 0.0; ///< 0: as long as it takes
  std::string nccl_library;
  std::string nccl_id_file;
  double nccl_timeout_s = 120.0;
};

void add_options(CLI::App& app, Options& options) {
  app.add_flag("--list", options.list, "Name, description and columns of each benchmark");
  app.add_option("--filter", options.filters,
                 "Only benchmarks with TEXT in their name; may be given again for more")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  app.add_option("--csv", options.csv_folder,
                 "Also write DIR/<kind>/measured/<benchmark>.csv, <kind> as --device-folder prints")
      ->type_name("DIR");
  app.add_option("--minutes", options.minutes,
                 "Share so much time out between the benchmarks; what is left then is not measured")
      ->type_name("M")
      ->check(CLI::PositiveNumber);
  app.add_flag("--quick", options.quick, "Few and small cases: a test that all of it works");
  app.add_flag("--device-folder", options.device_folder,
               "Only print the name of the GPU's folder in calibration/");
  app.add_option("--nccl-library", options.nccl_library, "NCCL's library (default: libnccl.so.2)")
      ->type_name("FILE");
  app.add_option("--nccl-id-file", options.nccl_id_file,
                 "Of several processes: a file on a disk that all nodes see, by which they find "
                 "each other; not needed with NCCL_COMM_ID=HOST:PORT in the environment")
      ->type_name("FILE");
  app.add_option("--nccl-timeout-s", options.nccl_timeout_s, "How long to wait for that file")
      ->type_name("S")
      ->check(CLI::PositiveNumber);
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

/// Throws the user's mistake.
[[noreturn]] void refuse(const std::string& reason) {
  throw std::invalid_argument(reason);
}

/// Leaves out the benchmarks that this number of processes cannot measure, and says so on stderr.
std::vector<Benchmark> runnable(std::vector<Benchmark> benchmarks, const ProcessPlace& place) {
  std::vector<std::string> left_out;
  std::vector<Benchmark> kept;
  for (Benchmark& benchmark : benchmarks)
    if (benchmark.needs_ranks == place.is_alone())
      left_out.push_back(benchmark.name);
    else
      kept.push_back(std::move(benchmark));
  const char* reason = place.is_alone() ? "measured by several processes, one a GPU: see srun in "
                                          "--help"
                                        : "measured by one process, without srun or mpirun";
  if (!left_out.empty() && place.rank == 0)
    fmt::print(stderr, "cuda_microbench: left out: {}: {}\n", fmt::join(left_out, ", "), reason);
  if (kept.empty())
    refuse("nothing is left to be measured");
  return kept;
}

/// NCCL's id, the same in all processes of the run. Throws std::invalid_argument without a way to
/// exchange it.
NcclId exchange_id(const ProcessPlace& place, const Options& options) {
  NcclId id;
  const auto create = [&] { nccl().check(nccl()->get_unique_id(&id), "ncclGetUniqueId"); };
  if (std::getenv("NCCL_COMM_ID") != nullptr) { // NCCL derives the same id from it everywhere
    create();
    return id;
  }
  if (options.nccl_id_file.empty())
    refuse(fmt::format("{} started {} processes: they need --nccl-id-file FILE on a disk that all "
                       "nodes see, or NCCL_COMM_ID=HOST:PORT",
                       place.launcher, place.ranks));
  const NcclIdFile file(options.nccl_id_file, place.job);
  if (place.rank != 0)
    return file.wait(std::chrono::milliseconds(static_cast<int>(1e3 * options.nccl_timeout_s)));
  create();
  file.write(id);
  return id;
}

/// The directions for the way from the GPU to the simulation.
void print_directions(const std::string& folder, const Device& device, const DeviceKind& kind) {
  fmt::print(stderr,
             "written: {0}/{1}/measured\n"
             "carry the folder {0} to a machine with moesim, and run there:\n"
             "  moesim calibrate {0}/{1}/measured/*.csv --out my-calibration\n"
             "  moesim --calibration my-calibration simulate SCENARIO.toml\n",
             folder, kind.name);
  if (!kind.is_known)
    fmt::print(stderr,
               "{0} is no kind that moesim knows: for a topology with gpu.kind = \"{1}\" add the "
               "row {1},… with its peaks to calibration/gpus.csv\n",
               device.name, kind.name);
}

int exit_code(Ending ending) {
  switch (ending) {
  case Ending::measured:
    return exit_measured;
  case Ending::failed:
    return exit_failed;
  case Ending::device_lost:
    return exit_device_lost;
  }
  throw std::logic_error("no such ending");
}

/// Measures with the processes of the run, or alone; the first one prints.
int measure(const std::vector<Benchmark>& benchmarks, Machine& machine, const Device& device,
            const ProcessPlace& place, const Options& options) {
  std::unique_ptr<Ranks> ranks;
  if (!place.is_alone()) {
    const NcclId id = exchange_id(place, options);
    ranks = std::make_unique<Ranks>(machine, place, id);
    if (place.rank == 0 && !options.nccl_id_file.empty())
      NcclIdFile(options.nccl_id_file, place.job).remove(); // all are connected: all have read it
  }
  const DeviceKind kind = device_kind(device.name);
  RunOptions run{
      .quick = options.quick, .minutes = options.minutes, .csv_folder = {}, .ranks = ranks.get()};
  if (place.rank != 0) {
    std::ostringstream unread;
    std::ostringstream log;
    const Ending ending = measure_all(benchmarks, machine, device, run, unread, log);
    if (ending != Ending::measured)
      fmt::print(stderr, "rank {}: {}", place.rank, log.str());
    return exit_code(ending);
  }
  if (!options.csv_folder.empty())
    run.csv_folder = std::filesystem::path(options.csv_folder) / kind.name / "measured";
  const Ending ending = measure_all(benchmarks, machine, device, run, std::cout, std::cerr);
  std::cout.flush();
  if (!options.csv_folder.empty())
    print_directions(options.csv_folder, device, kind);
  return exit_code(ending);
}

int run_options(const Options& options, Machine& machine) {
  std::vector<Benchmark> benchmarks = selected(options.filters);
  if (benchmarks.empty())
    refuse(fmt::format("no benchmark's name has {} in it: see --list",
                       fmt::join(options.filters, " or ")));
  if (options.list) {
    list(benchmarks);
    return exit_measured;
  }
  const ProcessPlace place = find_place([](const char* name) { return std::getenv(name); });
  std::string reason;
  const int devices = machine.count_devices(reason);
  if (devices == 0)
    refuse(fmt::format("no CUDA device ({}): nothing was measured", reason));
  const Device device = machine.read_device(gpu_of(place, devices));
  if (const std::string refused = refusal(device.name); !refused.empty())
    refuse(refused);
  if (options.device_folder) {
    fmt::print("{}\n", device_kind(device.name).name);
    return exit_measured;
  }
  if (!options.nccl_library.empty())
    choose_nccl(options.nccl_library);
  machine.close_stream(machine.open_stream(device.ordinal)); // makes it the current device
  return measure(runnable(std::move(benchmarks), place), machine, device, place, options);
}

} // namespace

int run_program(int count, char** arguments, Machine& machine) {
  CLI::App app(description, "cuda_microbench");
  Options options;
  add_options(app, options);
  try {
    app.parse(count, arguments);
    return run_options(options, machine);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_measured : exit_usage;
  } catch (const std::invalid_argument& error) {
    std::cerr << "cuda_microbench: " << error.what() << '\n';
    return exit_usage;
  } catch (const std::exception& error) {
    std::cerr << "cuda_microbench: " << error.what() << '\n';
    return exit_failed;
  }
}

} // namespace moesim::microbench
