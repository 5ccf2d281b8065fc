#pragma once

#include "cuda_microbench/core/machine.hpp"

#include <array>
#include <string>

namespace moesim::microbench {

/// NCCL's types, declared here as its interface of version 2 fixes them: its header is not needed
/// to build, and the library is opened at run time.
using NcclComm = void*;
struct NcclId {
  std::array<char, 128> bytes{};
};
enum class NcclType : int { uint32 = 3, float32 = 7, float64 = 8 };
constexpr int nccl_sum = 0; ///< the operation of a reduction

/// The functions of NCCL that are used. Each returns 0 for success.
struct NcclFunctions {
  int (*get_version)(int*) = nullptr;
  const char* (*get_error_string)(int) = nullptr;
  int (*get_unique_id)(NcclId*) = nullptr;
  int (*comm_init_rank)(NcclComm*, int ranks, NcclId, int rank) = nullptr;
  int (*comm_init_all)(NcclComm*, int devices, const int*) = nullptr;
  int (*comm_destroy)(NcclComm) = nullptr;
  int (*comm_abort)(NcclComm) = nullptr;
  int (*group_start)() = nullptr;
  int (*group_end)() = nullptr;
  int (*send)(const void*, std::size_t, NcclType, int peer, NcclComm, Stream) = nullptr;
  int (*receive)(void*, std::size_t, NcclType, int peer, NcclComm, Stream) = nullptr;
  int (*all_reduce)(const void*, void*, std::size_t, NcclType, int operation, NcclComm,
                    Stream) = nullptr;
  int (*all_gather)(const void*, void*, std::size_t, NcclType, NcclComm, Stream) = nullptr;
  int (*reduce_scatter)(const void*, void*, std::size_t, NcclType, int operation, NcclComm,
                        Stream) = nullptr;
};

/// An opened library of NCCL, or one with the same functions.
class NcclLibrary {
public:
  static constexpr const char* default_name = "libnccl.so.2";

  /// Opens the library, and keeps it open to the end of the process. Throws std::runtime_error
  /// where it cannot be opened, lacks a function or is older than 2.7, which has no send.
  explicit NcclLibrary(const std::string& path);

  const NcclFunctions* operator->() const { return &functions_; }
  /// "2.28.3"
  std::string version() const;
  /// Throws std::runtime_error `call: error` unless `status` is success.
  void check(int status, const char* call) const;

private:
  NcclFunctions functions_;
};

/// The library that measurements of this process use: the one that was chosen by choose_nccl, or
/// `default_name`. Opened by the first call. Throws as the constructor does.
const NcclLibrary& nccl();
/// Has nccl() open this library.
void choose_nccl(const std::string& path);

} // namespace moesim::microbench
