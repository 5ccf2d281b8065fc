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

/// One step of a rank's sequence of work: an amount of work, and its order.
struct Segment {
  OpKind kind = OpKind::compute;
  std::uint32_t work = 0;  ///< an index of Works::computes or collectives
  std::uint32_t label = 0; ///< an index of Works::labels
  /// Whether it runs beside the previous segment instead of after it (shared experts during
  /// dispatch). The next segment waits for both.
  bool beside_previous = false;
  /// Whether it runs beside all later segments, after other detached ones: data-parallel
  /// communication.
  bool detached = false;
  int mark = 0;           ///< mark of a detached segment, by which others wait for it; 0: none
  int awaits = 0;         ///< waits for the latest detached segment with this mark, if one exists
  bool joins_all = false; ///< waits for all detached segments
  /// Whether the pass's result, for which another stage waits, is complete before this segment:
  /// true for gradients of weights that end a pass.
  bool after_result = false;
  /// Whether it is a launch of the host, which runs on the host's stream, beside the segments
  /// before it.
  bool host = false;
  /// Whether the host then waits for the segments before it.
  bool synchronises = false;
};

/// Collects segments in order. Consecutive computes are joined; the result has the names of the
/// first and the last.
class Sequence {
public:
  /// Works and labels are added to `table`.
  explicit Sequence(WorkTable& table) : table_(table) {}

  void compute(Label label, KernelList kernels);
  void compute(Label label, KernelLists kernels);
  /// Adds a compute that is not joined to the previous one.
  void compute_alone(Label label, KernelList kernels);
  /// Adds a compute beside the previous segment, while `communication` holds part of the GPU.
  void compute_beside(Label label, KernelList kernels, const CollectiveWork& communication);
  /// Adds a compute that is not joined to the previous segment, or runs beside it. `communication`
  /// runs beside the compute.
  void compute_apart(Label label, KernelLists kernels, bool beside,
                     std::optional<std::uint32_t> communication = std::nullopt);
  /// Adds a compute after the pass's result, for which no other stage waits.
  void compute_after_result(Label label, KernelLists kernels);
  void collective(Label label, const CollectiveWork& work, bool beside = false);
  void collective(Label label, std::uint32_t work, bool beside);
  /// Adds a collective that runs beside all later segments, until a segment awaits its mark.
  void detached(Label label, const CollectiveWork& work, int mark);
  /// Makes the next segment wait for the latest detached collective with this mark.
  void await(int mark);
  /// Makes the next segment wait for all detached collectives.
  void join_all();
  /// Appends segments of another sequence over the same table, labelled for `layer`. Computes at
  /// the seam are joined.
  void append(const std::vector<Segment>& segments, LayerRef layer);
  std::vector<Segment> take();

private:
  void push(Label label, Segment segment);
  void close();

  WorkTable& table_;
  std::vector<Segment> segments_;
  int awaits_ = 0; ///< mark that the next segment awaits
  bool joins_all_ = false;
  /// The last compute, which later ones may join.
  struct Open {
    Segment segment;
    Label label;
    KernelLists kernels;
  };
  std::optional<Open> open_;
};

} // namespace moesim
