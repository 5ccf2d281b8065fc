#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/core/collective_exchange.hpp"
#include "cuda_microbench/core/ranks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

/// Collectives of all GPUs of a run of several processes, as nccl-tests times them.
namespace moesim::microbench::collectives {

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t bytes_min = mebibyte / 16;
constexpr std::size_t bytes_max = 1024 * mebibyte;
constexpr std::size_t bytes_max_quick = mebibyte / 4;
constexpr std::size_t bytes_factor = 4;

/// Micro-batches of the shipped models move 1 to 256 MiB a collective.
Importance importance_of(std::size_t bytes) {
  return bytes >= mebibyte && bytes <= 256 * mebibyte ? Importance::shipped : Importance::grid;
}

/// The way to time a collective of this size. The number of samples is fixed: it must be the same
/// in every process, as each takes part in all samples.
MeasureOptions options_of(std::size_t bytes) {
  constexpr int samples = 10;
  MeasureOptions options;
  options.cold = Cold::no;
  options.blocking = false;
  options.launches = bytes <= 16 * mebibyte ? 20 : 5;
  options.repeats_throttled = false;
  options.limits.samples_min = samples;
  options.limits.samples_max = samples;
  options.limits.long_samples_min = samples;
  return options;
}

/// One measurement from those of all ranks: the mean of their times, as nccl-tests prints it, the
/// largest noise and the lowest clock.
Measurement merged(Ranks& ranks, const Measurement& own) {
  const std::vector<double> times = ranks.gather(own.time_us);
  const std::vector<double> noises = ranks.gather(own.noise_percent);
  const std::vector<double> clocks = ranks.gather(own.sm_clock_mhz);
  const std::vector<double> throttled = ranks.gather(own.throttled ? 1.0 : 0.0);
  Measurement all = own;
  all.time_us =
      std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(times.size());
  all.noise_percent = *std::max_element(noises.begin(), noises.end());
  all.sm_clock_mhz = *std::min_element(clocks.begin(), clocks.end());
  all.throttled = *std::max_element(throttled.begin(), throttled.end()) > 0.0;
  return all;
}

/// The exchange of a case, or nothing in all processes if one of them lacks the memory.
std::unique_ptr<Exchange> prepare(Recorder& recorder, const ExchangeCase& c,
                                  const std::vector<std::string>& shape) {
  std::unique_ptr<Exchange> exchange;
  try {
    exchange = std::make_unique<Exchange>(recorder.machine(), *recorder.ranks(), c);
  } catch (const std::runtime_error&) {
    static_cast<void>(recorder.machine().failure()); // clears what is no failure of the device
  }
  const std::vector<double> lacking = recorder.ranks()->gather(exchange ? 0.0 : 1.0);
  const auto first = std::find(lacking.begin(), lacking.end(), 1.0);
  if (first == lacking.end())
    return exchange;
  recorder.skip(shape, fmt::format("rank {} has not the memory", first - lacking.begin()));
  return nullptr;
}

void run_case(Recorder& recorder, const ExchangeCase& c, const std::vector<std::string>& shape) {
  Ranks& ranks = *recorder.ranks();
  const std::unique_ptr<Exchange> exchange = prepare(recorder, c, shape);
  if (!exchange)
    return;
  exchange->fill();
  recorder.run_once([&](Stream stream) { exchange->enqueue(stream); });
  const std::vector<double> errors = ranks.gather(exchange->wrong_share());
  if (!recorder.verify(shape, *std::max_element(errors.begin(), errors.end()), 0.0))
    return;
  const MeasureOptions options = options_of(c.bytes);
  const Launch launch = [&](Stream stream) {
    for (int i = 0; i < options.launches; ++i)
      exchange->enqueue(stream);
  };
  const Measurement own = recorder.machine().measure(recorder.stream(), launch, options);
  recorder.record(shape, {.bytes = static_cast<double>(c.bytes)}, merged(ranks, own));
}

void run(Recorder& recorder) {
  const Ranks& ranks = *recorder.ranks();
  const std::size_t largest = recorder.quick() ? bytes_max_quick : bytes_max;
  for (const auto& [collective, distribution] : exchange_kinds)
    for (std::size_t bytes = bytes_min; bytes <= largest; bytes *= bytes_factor) {
      const ExchangeCase c{collective, distribution, bytes};
      const std::vector<std::string> shape{name_of(collective), name_of(distribution),
                                           std::to_string(ranks.ranks()),
                                           std::to_string(ranks.nodes()), std::to_string(bytes)};
      recorder.attempt(importance_of(bytes), shape, [&] {
        if (distribution == ExchangeDistribution::rails &&
            (ranks.nodes() < 2 || ranks.gpus_a_node() < 2))
          return recorder.skip(shape, "it needs two nodes of two GPUs");
        run_case(recorder, c, shape);
      });
    }
}

const Registration registration{
    {"collectives",
     "Collectives of NCCL between all processes of srun or mpirun, bytes as nccl-tests counts "
     "size. point_to_point: each GPU sends to that of its rail on the next node (equal; on one "
     "node to the next GPU) or to the next rail there (rails). zipf: shares 1, 1/2, 1/3 …, turned "
     "by the sender.",
     {"collective", "distribution", "ranks", "nodes", "bytes"},
     run,
     true}};

} // namespace

} // namespace moesim::microbench::collectives
