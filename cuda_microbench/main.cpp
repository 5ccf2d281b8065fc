#include "cuda_microbench/core/program.hpp"
#include "cuda_microbench/harness/cuda_machine.hpp"

int main(int count, char** arguments) {
  moesim::microbench::CudaMachine machine;
  return moesim::microbench::run_program(count, arguments, machine);
}
