#pragma once

#include "sim/schedule/step_graph.hpp"

#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace moesim {

/// The latest operations of one device in a pass; each of two passes side by side has its own lane.
struct Lane {
  std::vector<OpId> last;        ///< the next operation waits for these
  std::vector<OpId> before_last; ///< the operations of `last` wait for these
  std::optional<OpId> first;     ///< first operation of the pass
  /// The operations that make the pass's result, if the pass continues after them.
  std::optional<std::vector<OpId>> result;

  const std::vector<OpId>& made() const { return result ? *result : last; }
  void start_pass() {
    first.reset();
    result.reset();
  }

  /// Adds an operation after the last, or beside it.
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
/// Lanes by device.
using Lanes = std::vector<Lane>;

/// The last operation of each stream of a device, while passes run side by side. Operations of one
/// stream run one after the other.
using StreamEnds = std::array<std::optional<OpId>, enumerator_count<Stream>>;

/// The pending operations of a device beside its passes.
struct Background {
  std::optional<OpId> detached; ///< the last detached operation, until something joins it
  bool quiet = true;            ///< an operation has waited for the last detached one, if any
  std::map<int, OpId> marked;   ///< the latest detached operation of each mark
  std::vector<OpId> host;       ///< the next launch waits for these
};

} // namespace moesim
