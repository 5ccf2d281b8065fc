#pragma once

#include "sim/schedule/step_graph.hpp"

#include <cstdint>
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
  /// Runs beside all that follows, behind other detached segments: data-parallel communication.
  bool detached = false;
  int mark = 0;           ///< of a detached segment: what others wait for it by; 0: none
  int awaits = 0;         ///< waits for the latest detached segment of this mark, if there is one
  bool joins_all = false; ///< waits for all detached segments
  /// What another stage waits for is there before this segment: gradients of weights that end a
  /// pass.
  bool after_result = false;
};

/// Collects segments in order; neighbouring computes become one, named by its first and its last.
class Sequence {
public:
  void compute(const std::string& name, const std::vector<Kernel>& kernels);
  /// A compute that is never joined to the one before it.
  void compute_apart(const ComputeWork& work, bool beside);
  /// A compute that another stage does not wait for.
  void compute_after_result(const ComputeWork& work);
  void collective(const CollectiveWork& work, bool beside = false);
  /// A collective that runs beside all that follows, until something awaits its mark.
  void detached(const CollectiveWork& work, int mark);
  /// What comes next waits for the latest detached collective of this mark.
  void await(int mark) { awaits_ = mark; }
  /// What comes next waits for all detached collectives.
  void join_all() { joins_all_ = true; }
  /// Segments of another sequence, joined where they meet.
  void append(const std::vector<Segment>& segments);
  std::vector<Segment> take() { return std::move(segments_); }

private:
  void push(Segment segment);

  std::vector<Segment> segments_;
  int awaits_ = 0; ///< of the next segment
  bool joins_all_ = false;
  std::string first_name_; ///< of the last segment, if it is a compute
};

} // namespace moesim
