#pragma once

#include "sim/workload/failure_spec.hpp"

#include <array>
#include <filesystem>
#include <string>

namespace moesim {

/// Mean times between failures of one part of each kind; infinite where none are counted.
struct FailureRates {
  PartTimes mtbf;
  /// Where each is from: a source of `calibration/failures.csv`, or "given"; empty for none.
  std::array<std::string, enumerator_count<FailingPart>> sources;
};

/// The rows of the fleet of `spec` in `calibration`/failures.csv, and the times that `spec` has in
/// their place. Throws InputError if the file is malformed or has no such fleet.
FailureRates read_failure_rates(const std::filesystem::path& calibration, const FailureSpec& spec);

} // namespace moesim
