#pragma once

#include <functional>
#include <string>

namespace moesim::microbench {

/// A process among those that measure together, one a GPU.
struct ProcessPlace {
  int rank = 0;
  int ranks = 1;
  int local_rank = 0;   ///< among those of its node
  std::string node;     ///< the same text for all processes of a node
  std::string job;      ///< the same text for all processes of a run, another for another run
  std::string launcher; ///< "srun", "mpirun" or "PMI"; empty for a process alone

  bool is_alone() const { return ranks == 1; }
};

/// The value of a variable of the environment; nullptr if it is not set.
using Environment = std::function<const char*(const char*)>;

/// Reads where this process is from its environment: Open MPI's variables (OMPI_COMM_WORLD_*)
/// first, as mpirun may run in a job of Slurm; then Slurm's (SLURM_PROCID, SLURM_NTASKS,
/// SLURM_LOCALID), unless it is a job's script outside of srun; then PMI's (PMI_RANK, PMI_SIZE,
/// MPI_LOCALRANKID), as MPICH and Intel MPI set them. Alone without any of them.
///
/// Throws std::invalid_argument for a variable that is missing beside the others, or no number that
/// fits.
ProcessPlace find_place(const Environment& environment);

/// The GPU of a process: of `visible` ones that with its local rank, or the only one. Throws
/// std::invalid_argument if it has none.
int gpu_of(const ProcessPlace& place, int visible);

} // namespace moesim::microbench
