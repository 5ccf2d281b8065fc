#pragma once

#include "cuda_microbench/core/machine.hpp"

namespace moesim::microbench {

/// The program over the registered benchmarks: reads the options, measures and prints. Returns the
/// exit code: 0 measured, 1 a benchmark failed, 2 no device that can be measured or wrong options,
/// 3 the GPU failed on the way.
int run_program(int count, char** arguments, Machine& machine);

} // namespace moesim::microbench
