#pragma once

#include "sim/importer/megatron_arguments.hpp"

namespace moesim {

/// Measurements in the log of a run. Nothing: the log has no such line.
struct LoggedRun {
  MegatronArguments arguments;          ///< as Megatron resolved them
  int iteration_lines = 0;              ///< lines with a time
  int warm_up_lines = 0;                ///< the first of them, which the medians leave out
  std::optional<double> step_time_ms;   ///< median
  std::optional<double> tflops_per_gpu; ///< median; Megatron's own count of FLOPs
  std::optional<double> allocated_gib;  ///< most that an allocator of a rank counted
};

/// Reads the log that Megatron prints: the block of arguments, in which each value is as Python
/// prints it, and the lines of iterations. Anything before them in a line, as the number of a rank
/// or a time, is left out. Of several blocks the last counts, with the iterations after it. Throws
/// InputError for a log without a whole block.
LoggedRun read_megatron_log(const std::filesystem::path& file);

} // namespace moesim
