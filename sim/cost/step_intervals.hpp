#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/base/units.hpp"
#include "sim/workload/cuda_graphs.hpp"

#include <array>
#include <filesystem>

namespace moesim {

/// How the kernels of a step are started: steps of both ways are off by different amounts.
enum class StepLaunch {
  by_host, ///< one by one
  captured ///< CUDA graphs hold some or all of them
};

/// The names in `step_intervals.csv`.
inline constexpr auto step_launch_names = std::to_array<Named<StepLaunch>>(
    {{StepLaunch::by_host, "host"}, {StepLaunch::captured, "graphs"}});
static_assert(names_each(step_launch_names));

StepLaunch launch_of(const CudaGraphs& graphs);

/// Where nine in ten published steps lie around their predictions, each predicted by constants that
/// were fitted without its source.
struct StepInterval {
  double low_ratio = 1.0;  ///< lower end of measured over predicted time, at most 1
  double high_ratio = 1.0; ///< upper end, at least 1
  /// Relative error of the costs of these steps (ErrorBar), the median.
  double typical_cost_error = 0.0;
};

/// The ends of a 90 % interval.
struct TimeInterval {
  Seconds low;
  Seconds high;
};

/// The intervals of step times, from `step_intervals.csv` of the calibration folder (launch,
/// low_ratio, high_ratio, typical_cost_error_percent, steps, folds), which `moesim validate --cross
/// --intervals` writes.
class StepIntervals {
public:
  /// No file: the errors of costs alone. Throws InputError if the file is malformed, or lacks or
  /// repeats a launch.
  static StepIntervals read(const std::filesystem::path& calibration);

  /// The interval of a step whose costs have the error `cost_error`, half a width at a confidence
  /// of 90 %. If that is more than the published steps have, the interval is as much wider, in
  /// quadrature.
  TimeInterval around(Seconds time, Seconds cost_error, StepLaunch launch) const;

private:
  std::array<StepInterval, enumerator_count<StepLaunch>> intervals_;
};

} // namespace moesim
