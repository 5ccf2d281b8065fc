#pragma once

#include "sim/cost/compute_cost.hpp"
#include "sim/schedule/step_graph.hpp"

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// A kind of cost outside the measurements, and the time of its kernels.
struct ExtrapolatedCost {
  std::string cost; ///< "grouped products: other expert sizes", …
  Seconds time;

  bool operator==(const ExtrapolatedCost&) const = default;
};

/// The error of one device's times at a confidence of 90 %. Errors of one kind of kernel, or of one
/// stream of collectives, are assumed to be fully correlated; those of different kinds to be
/// independent.
class ErrorBar {
public:
  explicit ErrorBar(const ComputeCost& cost) : cost_(cost) {}

  /// Adds `runs` runs of a kernel with this time.
  void add_kernel(const Kernel& kernel, const KernelTime& time, double runs);
  /// Adds a collective that took `time` and has the relative error `error`.
  void add_collective(Stream stream, Seconds time, double error);

  /// Adds work of the device's host.
  void add_host(const HostWork& work) { host_ += work; }

  /// Half the width of the interval of the device's time, from the exposed time of collectives by
  /// stream and the time that the device waited for its host.
  Seconds half_width(const std::map<Stream, Seconds>& exposed, Seconds waited_for_host = {}) const;
  /// Extrapolated costs of the kernels, the longest first.
  std::vector<ExtrapolatedCost> extrapolated() const;
  /// Kernels timed by the table of another GPU kind: "attention: the table of h200-sxm".
  const std::set<std::string>& stand_ins() const { return stand_ins_; }

private:
  struct Collectives {
    Seconds time;
    Seconds error;
  };

  const ComputeCost& cost_;
  std::array<Seconds, enumerator_count<KernelKind>> errors_{}; ///< error by KernelKind
  Seconds
      gemms_and_attention_; ///< time of GEMMs and attention, which share ComputeCost::common_error
  std::map<Stream, Collectives> collectives_;
  HostWork host_;
  std::map<std::pair<KernelKind, CostBasis>, Seconds> extrapolated_;
  std::set<std::string> stand_ins_;
};

} // namespace moesim
