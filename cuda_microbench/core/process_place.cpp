#include "cuda_microbench/core/process_place.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace moesim::microbench {

namespace {

/// The variables by which a launcher tells a process its place.
struct Launcher {
  const char* name;
  const char* rank;
  const char* ranks;
  const char* local_rank;
  const char* node; ///< may be missing: then the name of the host
  std::array<const char*, 2> job;
};

constexpr Launcher launchers[] = {
    {"mpirun",
     "OMPI_COMM_WORLD_RANK",
     "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_RANK",
     nullptr,
     {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"}},
    {"srun",
     "SLURM_PROCID",
     "SLURM_NTASKS",
     "SLURM_LOCALID",
     "SLURM_NODEID",
     {"SLURM_JOB_ID", "SLURM_STEP_ID"}},
    {"PMI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", nullptr, {nullptr, nullptr}},
};

int read_number(const Environment& environment, const char* name, int least, int most) {
  const char* text = environment(name);
  if (text == nullptr)
    throw std::invalid_argument(
        fmt::format("{} is not set, though the launcher's other variables are", name));
  int number = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  if (error != std::errc{} || stop != end || number < least || number > most)
    throw std::invalid_argument(
        fmt::format("{}={} is not a number from {} to {}", name, text, least, most));
  return number;
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// Whether the process is a job's script, which Slurm gives its variables as if it were rank 0.
bool is_batch_script(const Launcher& launcher, const Environment& environment) {
  return std::strcmp(launcher.name, "srun") == 0 && environment("SLURM_JOB_ID") != nullptr &&
         environment("SLURM_STEP_ID") == nullptr;
}

} // namespace

ProcessPlace find_place(const Environment& environment) {
  constexpr int ranks_max = 1 << 20;
  for (const Launcher& launcher : launchers) {
    if (environment(launcher.rank) == nullptr || is_batch_script(launcher, environment))
      continue;
    ProcessPlace place;
    place.launcher = launcher.name;
    place.ranks = read_number(environment, launcher.ranks, 1, ranks_max);
    place.rank = read_number(environment, launcher.rank, 0, place.ranks - 1);
    place.local_rank = read_number(environment, launcher.local_rank, 0, place.ranks - 1);
    const char* node = launcher.node == nullptr ? nullptr : environment(launcher.node);
    place.node = node == nullptr ? host_name() : node;
    for (const char* variable : launcher.job)
      if (const char* value = variable == nullptr ? nullptr : environment(variable))
        place.job += (place.job.empty() ? "" : ".") + std::string(value);
    return place;
  }
  return {};
}

int gpu_of(const ProcessPlace& place, int visible) {
  if (visible == 1)
    return 0;
  if (place.local_rank >= visible)
    throw std::invalid_argument(
        fmt::format("rank {} is process {} of its node, and {} GPUs are visible: start one process "
                    "a GPU",
                    place.rank, place.local_rank, visible));
  return place.local_rank;
}

} // namespace moesim::microbench
