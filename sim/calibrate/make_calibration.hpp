#pragma once

#include "sim/calibrate/calibration_report.hpp"
#include "sim/calibrate/constants_fit.hpp"
#include "sim/calibrate/measurement.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace moesim {

/// The inputs of a calibration, beside the costs that are known.
struct CalibrationInputs {
  std::vector<std::filesystem::path> tables = {}; ///< of kernel times
  std::vector<Measurement> measurements = {};     ///< of collectives
  std::vector<Measurement> token_exchanges = {};  ///< of DeepEP's kernels, by their own tests
  /// The curves of `measurements` that the user measured: no other measurement scales them.
  std::set<CurveName> logged = {};
  std::optional<RankLinks> links = std::nullopt; ///< of the measured ranks; nothing: those inside a
                                                 ///< node, of the row of gpus.csv
};

/// The tables of one device that were given, and the constants fitted to them.
struct DeviceResult {
  std::vector<std::filesystem::path> tables;
  std::vector<MeasuredConstant> constants;
};

/// The findings, for the report and for people.
struct CalibrationResult {
  CalibrationFindings findings;
  std::map<std::string, DeviceResult> devices; ///< of the given tables, by GPU kind
};

/// Makes `out` a folder that --calibration takes: the costs of `known`, changed by the inputs. The
/// network is fitted to the measurements, then to all_to_all.csv and collectives.csv, then scaled
/// to the token exchanges; constants of a device, and its throughput under long load, to its
/// tables. Nothing is written to `out`, which may be `known`, before all has succeeded.
///
/// Throws InputError for what a table, a fit or a file lacks; positions are in the given files.
CalibrationResult make_calibration(const std::filesystem::path& known,
                                   const CalibrationInputs& inputs,
                                   const std::filesystem::path& out);

} // namespace moesim
