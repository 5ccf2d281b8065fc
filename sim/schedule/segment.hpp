#pragma once

#include "sim/schedule/works.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace moesim {

enum class OpKind : std::uint8_t {
  compute,
  collective,
  transfer,
  run ///< operations of a stage that follow each other
};

/// One step of a rank's sequence of work: a piece of work, and how it is ordered.
struct Segment {
  OpKind kind = OpKind::compute;
  std::uint32_t work = 0;  ///< an index of Works::computes or collectives
  std::uint32_t label = 0; ///< an index of Works::labels
  /// Runs beside the segment before it instead of after it (shared experts during dispatch); the
  /// segment after waits for both.
  bool beside_previous = false;
  /// Runs beside all that follows, behind other detached segments: data-parallel communication.
  bool detached = false;
  int mark = 0;           ///< of a detached segment: others wait for it by this number; 0: none
  int awaits = 0;         ///< waits for the latest detached segment of this mark, if there is one
  bool joins_all = false; ///< waits for all detached segments
  /// The result that another stage waits for is there before this segment: gradients of weights
  /// that end a pass.
  bool after_result = false;
  /// Launches of the host: they run beside the segments before them, on the host's stream.
  bool host = false;
  /// The host then waits for the segments before it.
  bool synchronises = false;
};

/// Collects segments in order; neighbouring computes become one, named by its first and its last.
class Sequence {
public:
  /// Works and labels are added to `table`.
  explicit Sequence(WorkTable& table) : table_(table) {}

  void compute(Label label, KernelList kernels);
  void compute(Label label, KernelLists kernels);
  /// A compute that is not joined to the one before it.
  void compute_alone(Label label, KernelList kernels);
  /// A compute that runs beside the segment before it, while `communication` takes part of the GPU.
  void compute_beside(Label label, KernelList kernels, const CollectiveWork& communication);
  /// A compute that is not joined to the one before it, or runs beside it. `communication` runs
  /// beside the compute.
  void compute_apart(Label label, KernelLists kernels, bool beside,
                     std::optional<std::uint32_t> communication = std::nullopt);
  /// A compute that another stage does not wait for.
  void compute_after_result(Label label, KernelLists kernels);
  void collective(Label label, const CollectiveWork& work, bool beside = false);
  void collective(Label label, std::uint32_t work, bool beside);
  /// A collective that runs beside all that follows, until something awaits its mark.
  void detached(Label label, const CollectiveWork& work, int mark);
  /// The next segment waits for the latest detached collective of this mark.
  void await(int mark);
  /// The next segment waits for all detached collectives.
  void join_all();
  /// Segments of another sequence over the same table, joined where they meet, for `layer`.
  void append(const std::vector<Segment>& segments, LayerRef layer);
  std::vector<Segment> take();

private:
  void push(Label label, Segment segment);
  void close();

  WorkTable& table_;
  std::vector<Segment> segments_;
  int awaits_ = 0; ///< of the next segment
  bool joins_all_ = false;
  /// The compute at the end, to which others may be joined.
  struct Open {
    Segment segment;
    Label label;
    KernelLists kernels;
  };
  std::optional<Open> open_;
};

} // namespace moesim
