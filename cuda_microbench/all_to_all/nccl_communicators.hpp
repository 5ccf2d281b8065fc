#pragma once

#include "cuda_microbench/all_to_all/exchange.hpp"
#include "cuda_microbench/core/nccl_library.hpp"

namespace moesim::microbench {

/// A communicator of NCCL on each of the devices 0 … gpus - 1, all in this thread.
class Communicators {
public:
  /// Throws std::runtime_error where NCCL cannot connect the devices.
  explicit Communicators(int gpus) : communicators_(gpus, nullptr) {
    const OnDevice restored(0);
    nccl().check(nccl()->comm_init_all(communicators_.data(), gpus, nullptr), "ncclCommInitAll");
  }
  Communicators(const Communicators&) = delete;
  Communicators& operator=(const Communicators&) = delete;
  ~Communicators() {
    for (const NcclComm communicator : communicators_)
      nccl()->comm_destroy(communicator);
  }

  /// Ends what is under way, so that its streams go on; nothing can be sent afterwards.
  void abort() {
    for (const NcclComm communicator : communicators_)
      nccl()->comm_abort(communicator);
    communicators_.clear();
  }

  /// Enqueues every transfer as one group. If that fails it is aborted: a part of it may be under
  /// way, waiting for the rest.
  void send_receive(const Shares& shares, Buffers& buffers, const Streams& streams) {
    int first_failure = 0;
    const auto keep = [&](int status) { first_failure = first_failure ? first_failure : status; };
    nccl().check(nccl()->group_start(), "ncclGroupStart");
    for (int own = 0; own < shares.gpus(); ++own)
      for (int other = 0; other < shares.gpus(); ++other) {
        keep(nccl()->send(buffers.source(own, other), shares.words(own, other), NcclType::uint32,
                          other, communicators_[own], streams.of(own)));
        keep(nccl()->receive(buffers.target(other, own), shares.words(other, own), NcclType::uint32,
                             other, communicators_[own], streams.of(own)));
      }
    keep(nccl()->group_end()); // in any case, or all later calls belong to this group
    if (first_failure != 0)
      abort();
    nccl().check(first_failure, "an exchange");
  }

private:
  std::vector<NcclComm> communicators_;
};

} // namespace moesim::microbench
