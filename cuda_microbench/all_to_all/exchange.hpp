#pragma once

#include "cuda_microbench/harness/device_buffer.hpp"
#include "cuda_microbench/harness/measure.hpp"

#include <memory>
#include <string>
#include <vector>

/// An all-to-all of several devices from one process. Only for .cu files.
namespace moesim::microbench {

/// How the bytes travel: grouped sends and receives of NCCL, or copies between peers.
enum class Transport { nccl, peer };
/// "nccl_all_to_all" or "peer_all_to_all".
const char* name_of(Transport transport);

/// How a device's bytes are spread over the destinations: alike, or by Zipf's law with exponent 1,
/// where each sender has another favourite.
enum class Spread { equal, zipf };
/// "equal" or "zipf".
const char* name_of(Spread spread);

/// Why so many devices cannot exchange that way; empty if they can.
std::string lacks_transport(Transport transport, int gpus);

/// The bytes that `sender` sends to each of `gpus` devices, multiples of 16 that add up to `bytes`,
/// itself a multiple of 16.
std::vector<std::size_t> shares_of(int sender, int gpus, Spread spread, std::size_t bytes);

/// An exchange of the first `gpus` devices in which each sends so many bytes, its own share
/// included. Device 0 is the current one before and after every call.
class Exchange {
public:
  /// Throws std::runtime_error where memory or a call fails.
  Exchange(Transport transport, int gpus, Spread spread, std::size_t bytes);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  int gpus() const { return gpus_; }
  std::size_t bytes() const { return bytes_; }
  /// Fills what is sent with a pattern of sender and place, and clears what is received.
  void fill();
  /// Enqueues the exchange behind the stream's work, on a stream of each device, and the stream's
  /// later work behind it.
  Launch launch();
  /// The share of received words that are not what their sender filled in.
  double wrong_share() const;

private:
  struct Member; ///< a device with its stream, event and memory
  void exchange_by_nccl();
  void exchange_by_copies();
  std::size_t sent_offset(int sender, int receiver) const;
  std::size_t received_offset(int sender, int receiver) const;

  Transport transport_;
  int gpus_;
  std::size_t bytes_;
  std::vector<std::vector<std::size_t>> shares_; ///< by sender, then receiver
  std::vector<std::unique_ptr<Member>> members_;
  cudaEvent_t start_ = nullptr;
};

} // namespace moesim::microbench
