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

/// A kind of cost that lies outside what was measured, and the time that it makes up.
struct ExtrapolatedCost {
  std::string cost; ///< "grouped products: other expert sizes", …
  Seconds time;

  bool operator==(const ExtrapolatedCost&) const = default;
};

/// Adds up how far the times of one device may be off, with a confidence of 90 %. Errors of one
/// kind of kernel, or of one stream of collectives, are taken to go all the same way; those of
/// different kinds to be independent.
class ErrorBar {
public:
  explicit ErrorBar(const ComputeCost& cost) : cost_(cost) {}

  /// `runs` runs of a kernel of that time.
  void add_kernel(const Kernel& kernel, const KernelTime& time, double runs);
  /// A collective that took `time`, of which the cost may be off by a share of `error`.
  void add_collective(Stream stream, Seconds time, double error);

  /// What the device's host did.
  void add_host(const HostWork& work) { host_ += work; }

  /// Half the width of the interval of the device's time, if collectives were exposed, and its host
  /// was waited for, for so long.
  Seconds half_width(const std::map<Stream, Seconds>& exposed, Seconds waited_for_host = {}) const;
  /// Of the kernels, the longest first.
  std::vector<ExtrapolatedCost> extrapolated() const;
  /// Kernels that the table of another GPU kind stands in for: "attention: the table of h200-sxm".
  const std::set<std::string>& stand_ins() const { return stand_ins_; }

private:
  struct Collectives {
    Seconds time;
    Seconds error;
  };

  const ComputeCost& cost_;
  std::array<Seconds, enumerator_count<KernelKind>> errors_{}; ///< by KernelKind
  Seconds products_; ///< whose times share the error that is common to all
  std::map<Stream, Collectives> collectives_;
  HostWork host_;
  std::map<std::pair<KernelKind, CostBasis>, Seconds> extrapolated_;
  std::set<std::string> stand_ins_;
};

} // namespace moesim
