#pragma once

#include "cuda_microbench/core/machine.hpp"
#include "cuda_microbench/core/nccl_library.hpp"
#include "cuda_microbench/core/process_place.hpp"

#include <vector>

namespace moesim::microbench {

/// The processes that measure together, connected by NCCL: one a GPU, `gpus_a_node` on each node.
class Ranks {
public:
  /// Connects this process, on its current device, with the others that have the same id. Throws
  /// std::runtime_error where NCCL cannot connect them, and if their nodes have different numbers
  /// of processes or ranks of a node are not in a row.
  Ranks(Machine& machine, const ProcessPlace& place, const NcclId& id);
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;
  ~Ranks();

  int rank() const { return place_.rank; }
  int ranks() const { return place_.ranks; }
  int nodes() const { return nodes_; }
  int gpus_a_node() const { return place_.ranks / nodes_; }
  NcclComm communicator() const { return communicator_; }

  /// One value of each rank, in the order of the ranks, the same in all processes. All must call
  /// it.
  std::vector<double> gather(double value);

private:
  int count_nodes();

  Machine& machine_;
  ProcessPlace place_;
  int nodes_ = 1;
  NcclComm communicator_ = nullptr;
  Stream stream_ = nullptr;
  void* own_ = nullptr; ///< one number in the device's memory
  void* all_ = nullptr; ///< one of each rank
};

} // namespace moesim::microbench
