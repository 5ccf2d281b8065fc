#pragma once

#include <string>
#include <vector>

namespace moesim::microbench {

/// The time of one case.
struct Measurement {
  double time_us = 0.0;       ///< median of the samples
  double noise_percent = 0.0; ///< standard deviation over mean
  int samples = 0;
  bool throttled = false;    ///< the SM clock stayed below 90 % of its maximum
  double sm_clock_mhz = 0.0; ///< mean while the samples were taken; 0: not known
};

/// The work of one case, as its benchmark declares it: for the rates in the table.
struct Work {
  double flops = 0.0; ///< floating-point operations, a multiply-add is two; 0: no rate is printed
  double bytes = 0.0; ///< bytes read and written; 0: no rate is printed
};

/// A measured case; `shape` has a cell for each column of its benchmark.
struct Row {
  std::vector<std::string> shape;
  Work work;
  Measurement measurement;
};

/// A case that was not measured, and why.
struct Skipped {
  std::vector<std::string> shape;
  std::string reason; ///< one line
};

/// All that a benchmark leaves.
struct Results {
  std::vector<std::string> columns; ///< those that describe a case
  std::vector<Row> rows;
  std::vector<Skipped> skipped;
  bool stopped = false; ///< the time given was over: cases are missing
  std::string failure;  ///< why the benchmark ended before its last case; empty if it did not
};

} // namespace moesim::microbench
