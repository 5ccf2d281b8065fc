#pragma once

#include "sim/schedule/step_graph.hpp"

#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace moesim {

/// The latest operations of one device in a pass; of two passes side by side, each has its own.
struct Lane {
  std::vector<OpId> last;        ///< its next operation waits for these
  std::vector<OpId> before_last; ///< those waited for these
  std::optional<OpId> first;     ///< of the pass
  /// Another stage waits for these, where the pass goes on behind them.
  std::optional<std::vector<OpId>> result;

  const std::vector<OpId>& made() const { return result ? *result : last; }
  void start_pass() {
    first.reset();
    result.reset();
  }

  /// An operation that ran behind the last, or beside it.
  void add(OpId op, bool beside) {
    if (!beside) {
      before_last.swap(last); // keeps the memory of both
      last.clear();
    }
    last.push_back(op);
    if (!first)
      first = op;
  }
};
/// By device.
using Lanes = std::vector<Lane>;

/// The last operation of each stream of a device, while passes run side by side: those of one
/// stream follow each other.
using StreamEnds = std::array<std::optional<OpId>, enumerator_count<Stream>>;

/// The operations that a device has under way beside its passes.
struct Background {
  std::optional<OpId> detached; ///< the last detached operation, until something joins it
  bool quiet = true;            ///< an operation has waited for the last detached one, if any
  std::map<int, OpId> marked;   ///< the latest detached operation of each mark
  std::vector<OpId> host;       ///< the next launches wait for these
};

} // namespace moesim
