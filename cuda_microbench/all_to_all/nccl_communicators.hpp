#pragma once

#ifdef MOESIM_HAS_NCCL

#include "cuda_microbench/all_to_all/exchange.hpp"

namespace moesim::microbench {

/// A communicator of NCCL on each of the devices 0 … gpus - 1, all in this thread.
class Communicators {
public:
  /// Throws std::runtime_error where NCCL cannot connect the devices.
  explicit Communicators(int gpus) : communicators_(gpus, nullptr) {
    const OnDevice restored(0);
    NCCL_CALL(ncclCommInitAll(communicators_.data(), gpus, nullptr));
  }
  Communicators(const Communicators&) = delete;
  Communicators& operator=(const Communicators&) = delete;
  ~Communicators() {
    for (const ncclComm_t communicator : communicators_)
      ncclCommDestroy(communicator);
  }

  /// Ends what is under way, so that its streams go on; nothing can be sent afterwards.
  void abort() {
    for (const ncclComm_t communicator : communicators_)
      ncclCommAbort(communicator);
    communicators_.clear();
  }

  /// Enqueues every transfer as one group. If that fails it is aborted: a part of it may be under
  /// way, waiting for the rest.
  void send_receive(const Shares& shares, Buffers& buffers, const Streams& streams) {
    ncclResult_t first_failure = ncclSuccess;
    const auto keep = [&](ncclResult_t result) {
      if (first_failure == ncclSuccess)
        first_failure = result;
    };
    NCCL_CALL(ncclGroupStart());
    for (int own = 0; own < shares.gpus(); ++own)
      for (int other = 0; other < shares.gpus(); ++other) {
        keep(ncclSend(buffers.source(own, other), shares.words(own, other), ncclUint32, other,
                      communicators_[own], streams.of(own)));
        keep(ncclRecv(buffers.target(other, own), shares.words(other, own), ncclUint32, other,
                      communicators_[own], streams.of(own)));
      }
    keep(ncclGroupEnd()); // in any case, or all later calls belong to this group
    if (first_failure != ncclSuccess)
      abort();
    NCCL_CALL(first_failure);
  }

private:
  std::vector<ncclComm_t> communicators_;
};

} // namespace moesim::microbench

#endif
