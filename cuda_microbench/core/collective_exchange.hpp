#pragma once

#include "cuda_microbench/core/ranks.hpp"
#include "cuda_microbench/core/shares.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace moesim::microbench::collectives {

enum class CollectiveKind { all_to_all, all_reduce, all_gather, reduce_scatter, point_to_point };

enum class ExchangeDistribution {
  equal,
  zipf, ///< all-to-all only: uneven shares
  rails ///< point-to-point only: sender and receiver are on different rails
};

/// The names in the CSV file.
const char* name_of(CollectiveKind collective);
const char* name_of(ExchangeDistribution distribution);

/// A measured collective and its shares.
struct ExchangeKind {
  CollectiveKind collective;
  ExchangeDistribution distribution;
};
/// All of them, in the order of the run.
constexpr ExchangeKind exchange_kinds[] = {
    {CollectiveKind::all_to_all, ExchangeDistribution::equal},
    {CollectiveKind::all_to_all, ExchangeDistribution::zipf},
    {CollectiveKind::all_reduce, ExchangeDistribution::equal},
    {CollectiveKind::all_gather, ExchangeDistribution::equal},
    {CollectiveKind::reduce_scatter, ExchangeDistribution::equal},
    {CollectiveKind::point_to_point, ExchangeDistribution::equal},
    {CollectiveKind::point_to_point, ExchangeDistribution::rails}};

/// One case. `bytes` as nccl-tests counts size: what a rank sends to all, its own share included
/// (all-to-all), the buffer that is reduced (all-reduce), what a rank receives in all (all-gather),
/// what it gives in all (reduce-scatter), what it sends (point-to-point).
struct ExchangeCase {
  CollectiveKind collective = CollectiveKind::all_to_all;
  ExchangeDistribution distribution = ExchangeDistribution::equal;
  std::size_t bytes = 0; ///< a multiple of 16; cut to whole elements a rank
};

/// The rank that `rank` sends to, of nodes of `gpus_a_node`: of the next node, the GPU of the same
/// rail or of the next one. On one node the next GPU.
int receiver_of(int rank, int ranks, int gpus_a_node, ExchangeDistribution distribution);

/// The buffers of one rank, and the call of NCCL that exchanges them. The elements are floats of
/// small whole numbers, so that every sum is exact.
class Exchange {
public:
  /// Throws std::runtime_error where memory lacks.
  Exchange(Machine& machine, const Ranks& ranks, const ExchangeCase& c);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();

  /// Writes what is sent, and something else to the place of what is received.
  void fill();
  /// Enqueues the collective. All ranks must do so. Throws std::runtime_error if NCCL fails.
  void enqueue(Stream stream);
  /// The share of received elements that are not as they must be.
  double wrong_share() const;

private:
  using Expected = std::function<float(std::size_t)>; ///< of an element of what is received
  Expected expected() const;
  Expected expected_of_all_to_all() const;
  void send_receive(Stream stream);
  int sender() const; ///< the rank that sends to this one, point to point

  Machine& machine_;
  const Ranks& ranks_;
  ExchangeCase case_;
  Shares shares_;            ///< of an all-to-all
  std::size_t sent_ = 0;     ///< elements
  std::size_t received_ = 0; ///< elements
  void* send_ = nullptr;
  void* receive_ = nullptr;
};

} // namespace moesim::microbench::collectives
