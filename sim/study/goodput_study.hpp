#pragma once

#include "sim/cost/costs.hpp"
#include "sim/metrics/step_result.hpp"
#include "sim/report/result_table.hpp"
#include "sim/study/simulated_run.hpp"

#include <filesystem>
#include <optional>

namespace moesim {

/// Failures of a training, and what they cost it in expectation.
struct Goodput {
  FailureRates rates;
  JobFailures job;
  bool interval_given = false;
  Seconds interval; ///< between checkpoints
  RunTime expected;

  /// Work over all time, in percent.
  double percent() const { return 100.0 * (expected.work / expected.total()); }
};

/// Goodput of a training of `tokens` by a scenario under its plan, whose step took `step`. The step
/// without a NIC is replayed where the scenario goes on so. Nothing if the training spends more
/// than 99 % of its time on failures and checkpoints: it would get nowhere. Throws InputError.
std::optional<Goodput> goodput_of(const Scenario& planned, double tokens, const StepResult& step,
                                  const Costs& costs, const std::filesystem::path& calibration);

/// Rows `quantity,value,unit,note`: checkpoints, failures by part, time lost by cause, and the runs
/// that were simulated.
ResultTable goodput_table(const Scenario& planned, const Goodput& goodput,
                          const SimulatedRuns& simulated, std::uint64_t runs);

} // namespace moesim
