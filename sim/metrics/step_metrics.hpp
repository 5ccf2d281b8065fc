#pragma once

#include "sim/metrics/error_bar.hpp"
#include "sim/replay/compute_times.hpp"
#include "sim/replay/timeline.hpp"
#include "sim/schedule/step_graph.hpp"

#include <array>
#include <string>
#include <vector>

namespace moesim {

/// The time of one device by state. At each moment the device is in one state, the first of this
/// list that applies, so the parts add up to the step time.
struct Waterfall {
  Seconds optimizer;
  Seconds compute;
  Seconds ep_exposed; ///< dispatch or combine while nothing computes
  Seconds tp_exposed;
  Seconds dp_exposed; ///< gradient reduction and weight gathering
  Seconds pp_bubble;  ///< waits for another pipeline stage
  Seconds other;      ///< waiting for its host; without a pipeline, also the time after its last
                      ///< operation

  Seconds total() const;
  bool operator==(const Waterfall&) const = default;
};

/// The numbers of a step, computed from its timeline.
struct StepMetrics {
  Seconds step_time;
  Waterfall waterfall; ///< of the critical device
  Seconds ep_total;    ///< its all-to-all time, hidden or not
  Seconds dispatch;    ///< of that: tokens, or gradients of results, to the experts
  Seconds combine;     ///< of that: results, or gradients of tokens, back
  /// Part of the waterfall's ep_exposed: between scale-up domains, the rest is inside domains. Its
  /// share is that of the busiest link between domains in the sum of two times: the time that this
  /// link needs alone for all bytes of dispatch and combine that it carries in the step, and the
  /// same of the busiest link inside domains.
  Seconds ep_scale_out;
  /// Its compute by part of the model, indexed by KernelPart.
  std::array<Seconds, enumerator_count<KernelPart>> parts{};
  Seconds extrapolated;                             ///< compute time that no measured table covers
  std::vector<ExtrapolatedCost> extrapolated_costs; ///< kinds of such compute, the longest first
  /// Compute costs that come from another GPU kind or interconnect, with its name.
  std::vector<std::string> stand_ins;
  /// Error of the step time at a confidence of 90 %: the errors of the critical device's costs (see
  /// ErrorBar), with its bubbles in proportion.
  Seconds error_bar;
  std::string bottleneck;      ///< the resource with the highest use, by its simulated name
  double bottleneck_use = 0.0; ///< busy share of the step, 0 … 1
  std::string ep_limit;        ///< the cause of most of ep_total (`limit_of`); empty if that is 0

  bool operator==(const StepMetrics&) const = default;
};

/// Measures a step. The critical device is the one that works longest (computing or in a
/// collective): the others wait for it. Of equal devices, the first.
StepMetrics measure_step(const StepGraph& graph, const Timeline& timeline, const Topology& topology,
                         const ComputeTimes& times);

} // namespace moesim
