// cuda_microbench with an emulated GPU: the benchmarks here stand for those of kernels, and fail as
// MOESIM_FAULT says; collectives are the program's own.

#include "cuda_microbench/core/benchmark.hpp"
#include "cuda_microbench/core/program.hpp"
#include "tests/microbench/emulated_machine.hpp"

#include <cstdlib>
#include <string>

namespace moesim::microbench {

namespace {

EmulatedMachine machine;

bool has_fault(const std::string& fault) {
  const char* named = std::getenv("MOESIM_FAULT");
  return named != nullptr && fault == named;
}

/// Products of three sizes: memory lacks for 1024 rows, and the GPU is lost in that of 4096.
void run_gemm(Recorder& recorder) {
  for (const int m : {256, 1024, 4096}) {
    const std::vector<std::string> shape{"bf16", std::to_string(m), "4096", "4096"};
    recorder.attempt(m == 256 ? Importance::grid : Importance::shipped, shape, [&] {
      recorder.time(shape, {}, [&](Stream) {
        machine.is_lost = m == 4096 && has_fault("sticky");
        if (m == 1024 && has_fault("out-of-memory"))
          throw std::runtime_error("cudaMalloc: out of memory");
      });
    });
  }
}

void run_memory_bound(Recorder& recorder) {
  const std::vector<std::string> shape{"swiglu", "4096", "4096", "100663296"};
  if (has_fault("benchmark"))
    throw std::runtime_error("no handle");
  recorder.attempt(Importance::shipped, shape, [&] { recorder.time(shape, {}, [](Stream) {}); });
}

void run_copy(Recorder& recorder) {
  const std::vector<std::string> shape{"peer", "4096"};
  recorder.attempt(Importance::shipped, shape, [&] { recorder.skip(shape, "no other device"); });
}

const Registration gemm{{"gemm", "Products.", {"precision", "m", "n", "k"}, run_gemm}};
const Registration memory_bound{
    {"memory_bound", "Operations.", {"operation", "tokens", "hidden", "bytes"}, run_memory_bound}};
const Registration copy{{"copy", "Copies.", {"kind", "bytes"}, run_copy}};

} // namespace

} // namespace moesim::microbench

int main(int count, char** arguments) {
  using moesim::microbench::machine;
  if (const char* name = std::getenv("MOESIM_GPU"))
    machine.name = name;
  if (const char* devices = std::getenv("MOESIM_GPUS"))
    machine.devices = std::atoi(devices);
  return moesim::microbench::run_program(count, arguments, machine);
}
