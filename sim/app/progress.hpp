#pragma once

#include "sim/study/sweep.hpp"

namespace moesim {

/// Progress on stderr: on a terminal a bar of one line, elsewhere a line for each tenth.
class ProgressBar {
public:
  void show(const SweepProgress& progress);

private:
  bool started_ = false;
  std::size_t shown_tenths_ = 0;
};

/// Throws InternalError if points failed, which show a defect of moesim. Call it after all results
/// are written.
void expect_no_failure(const ReportTable& results);

} // namespace moesim
