#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace moesim {

/// Load of each pair of ranks in a collective, as a multiple of the mean pair's load.
class LoadMatrix {
public:
  /// `counts` × `scale` are the loads, by source, then by sink; their mean must be 1.
  LoadMatrix(std::size_t ranks, std::vector<std::uint32_t> counts, double scale)
      : ranks_(ranks),
        counts_(std::make_shared<const std::vector<std::uint32_t>>(std::move(counts))),
        scale_(scale) {}
  std::size_t ranks() const { return ranks_; }
  double share(std::size_t source, std::size_t sink) const {
    const std::size_t pair = reversed_ ? sink * ranks_ + source : source * ranks_ + sink;
    return scale_ * (*counts_)[pair];
  }
  /// The loads of the way back: source and sink of each pair exchanged.
  LoadMatrix reversed() const {
    LoadMatrix other = *this;
    other.reversed_ = !reversed_;
    return other;
  }

private:
  std::size_t ranks_;
  std::shared_ptr<const std::vector<std::uint32_t>> counts_;
  double scale_;
  bool reversed_ = false;
};

} // namespace moesim
