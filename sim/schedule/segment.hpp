#pragma once

#include "sim/schedule/step_graph.hpp"

#include <string>
#include <variant>
#include <vector>

namespace moesim {

/// One step of a rank's sequence of work.
struct Segment {
  std::variant<ComputeWork, CollectiveWork> work;
  /// Runs beside the segment before it instead of after it (shared experts during dispatch); the
  /// segment after waits for both.
  bool beside_previous = false;
};

/// Collects segments in order; neighbouring computes become one, named by its first and its last.
class Sequence {
public:
  void compute(const std::string& name, const std::vector<Kernel>& kernels);
  /// A compute that is never joined to the one before it.
  void compute_apart(const ComputeWork& work, bool beside);
  void collective(const CollectiveWork& work, bool beside = false);
  /// Segments of another sequence, joined where they meet.
  void append(const std::vector<Segment>& segments);
  std::vector<Segment> take() { return std::move(segments_); }

private:
  std::vector<Segment> segments_;
  std::string first_name_; ///< of the last segment, if it is a compute
};

} // namespace moesim
