#pragma once

#include "sim/schedule/step_graph.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace moesim {

/// Which detached segments before it a segment waits for.
enum class Join : std::uint8_t {
  none,
  gathers, ///< all but reductions: the weights that it computes with
  all
};

/// One step of a rank's sequence of work.
struct Segment {
  std::variant<ComputeWork, CollectiveWork> work;
  /// Runs beside the segment before it instead of after it (shared experts during dispatch); the
  /// segment after waits for both.
  bool beside_previous = false;
  /// Runs beside all that follows, behind other detached segments: data-parallel communication.
  bool detached = false;
  Join join = Join::none;
};

/// Collects segments in order; neighbouring computes become one, named by its first and its last.
class Sequence {
public:
  void compute(const std::string& name, const std::vector<Kernel>& kernels);
  /// A compute that is never joined to the one before it.
  void compute_apart(const ComputeWork& work, bool beside);
  void collective(const CollectiveWork& work, bool beside = false);
  /// A collective that nothing waits for before the next `join`.
  void detached(const CollectiveWork& work);
  /// What comes next waits for detached collectives.
  void join(Join join) { join_ = join; }
  /// Segments of another sequence, joined where they meet.
  void append(const std::vector<Segment>& segments);
  std::vector<Segment> take() { return std::move(segments_); }

private:
  void push(Segment segment);

  std::vector<Segment> segments_;
  Join join_ = Join::none; ///< of the next segment
  std::string first_name_; ///< of the last segment, if it is a compute
};

} // namespace moesim
