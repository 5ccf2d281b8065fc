#include "cuda_microbench/core/nccl_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <memory>
#include <stdexcept>

namespace moesim::microbench {

namespace {

template <class Function>
void find(void* library, const std::string& path, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr)
    throw std::runtime_error(path + " has no " + name);
}

std::string& chosen_path() {
  static std::string path = NcclLibrary::default_name;
  return path;
}

} // namespace

NcclLibrary::NcclLibrary(const std::string& path) {
  constexpr int oldest_with_send = 2700;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw std::runtime_error(fmt::format("NCCL cannot be opened: {}", dlerror()));
  find(library, path, "ncclGetVersion", functions_.get_version);
  find(library, path, "ncclGetErrorString", functions_.get_error_string);
  int number = 0;
  check(functions_.get_version(&number), "ncclGetVersion");
  if (number < oldest_with_send)
    throw std::runtime_error(fmt::format("{} is version {}: 2.7 is needed", path, version()));
  find(library, path, "ncclGetUniqueId", functions_.get_unique_id);
  find(library, path, "ncclCommInitRank", functions_.comm_init_rank);
  find(library, path, "ncclCommInitAll", functions_.comm_init_all);
  find(library, path, "ncclCommDestroy", functions_.comm_destroy);
  find(library, path, "ncclCommAbort", functions_.comm_abort);
  find(library, path, "ncclGroupStart", functions_.group_start);
  find(library, path, "ncclGroupEnd", functions_.group_end);
  find(library, path, "ncclSend", functions_.send);
  find(library, path, "ncclRecv", functions_.receive);
  find(library, path, "ncclAllReduce", functions_.all_reduce);
  find(library, path, "ncclAllGather", functions_.all_gather);
  find(library, path, "ncclReduceScatter", functions_.reduce_scatter);
}

// Three digits up to 2.8, five from 2.9: 2804 and 22803.
std::string NcclLibrary::version() const {
  int number = 0;
  check(functions_.get_version(&number), "ncclGetVersion");
  const int major_step = number < 10000 ? 1000 : 10000;
  return fmt::format("{}.{}.{}", number / major_step, number % major_step / 100, number % 100);
}

void NcclLibrary::check(int status, const char* call) const {
  if (status != 0)
    throw std::runtime_error(fmt::format("{}: {}", call, functions_.get_error_string(status)));
}

const NcclLibrary& nccl() {
  static const NcclLibrary library(chosen_path());
  return library;
}

void choose_nccl(const std::string& path) {
  chosen_path() = path;
}

} // namespace moesim::microbench
