#pragma once

#include "cuda_microbench/core/distribution.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace moesim::microbench {

/// `total` in parts that relate as `weights`; each is a multiple of `unit`, as `total` must be.
inline std::vector<std::size_t> split(std::size_t total, std::size_t unit,
                                      const std::vector<double>& weights) {
  double sum = 0.0;
  for (const double weight : weights)
    sum += weight;
  std::vector<std::size_t> parts;
  std::size_t before = 0;
  double weights_so_far = 0.0;
  for (std::size_t part = 0; part < weights.size(); ++part) {
    weights_so_far += weights[part];
    const double exact = static_cast<double>(total / unit) * weights_so_far / sum;
    const bool is_last = part + 1 == weights.size();
    const std::size_t end = is_last ? total : static_cast<std::size_t>(exact) * unit;
    parts.push_back(end - before);
    before = end;
  }
  return parts;
}

/// How many words each GPU sends to each, itself included: the words to receiver 0 come first in a
/// sender's buffer, those of sender 0 in a receiver's. Uneven shares turn with the sender: the
/// next GPU gets the largest, the own share is the smallest, so that all receive about the same.
class Shares {
public:
  static constexpr std::size_t word_bytes = 4;

  /// `bytes` is what one GPU sends in all, a multiple of 16; so is every transfer.
  Shares(int gpus, Distribution distribution, std::size_t bytes) : gpus_(gpus) {
    for (int sender = 0; sender < gpus; ++sender) {
      std::vector<double> weights;
      for (int receiver = 0; receiver < gpus; ++receiver) {
        const int rank = (receiver + gpus - 1 - sender) % gpus;
        weights.push_back(distribution == Distribution::equal ? 1.0 : 1.0 / (rank + 1));
      }
      words_.push_back(split(bytes / word_bytes, 16 / word_bytes, weights));
    }
  }

  int gpus() const { return gpus_; }
  std::size_t words(int sender, int receiver) const { return words_[sender][receiver]; }
  std::size_t send_offset(int sender, int receiver) const {
    std::size_t offset = 0;
    for (int before = 0; before < receiver; ++before)
      offset += words(sender, before);
    return offset;
  }
  std::size_t receive_offset(int receiver, int sender) const {
    std::size_t offset = 0;
    for (int before = 0; before < sender; ++before)
      offset += words(before, receiver);
    return offset;
  }
  std::size_t sent(int sender) const { return send_offset(sender, gpus_); }
  std::size_t received(int receiver) const { return receive_offset(receiver, gpus_); }

private:
  int gpus_;
  std::vector<std::vector<std::size_t>> words_; // of a sender, to each receiver
};

} // namespace moesim::microbench
