#pragma once

#include "sim/scenario/scenario.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// One point of a sweep: a scenario with a value for each axis.
struct SweepPoint {
  std::vector<std::string> values;  ///< by axis, as text
  std::optional<Scenario> scenario; ///< nothing if it is illegal
  std::string illegal_reason;
};

/// A sweep file, read and checked: every point is known before the first is simulated.
struct SweepPlan {
  std::vector<std::string> axes;     ///< dotted keys, in the order of the file
  std::vector<std::string> settings; ///< KEY=VALUE for every point: [set], then the command line
  std::vector<SweepPoint> points;    ///< the first axis changes slowest
  std::vector<std::filesystem::path> inputs; ///< every file read, once, in the order of reading
  std::string seed;
};

/// Reads `scenario = "…"`, `[axes]` with dotted keys and lists, and `[set]` with settings that hold
/// for every point; `settings` are those of the command line and win over `[set]`. Paths are
/// relative to the sweep file. Throws InputError for malformed input and for an axis whose values
/// no scenario understands; an impossible plan is a point with a reason.
SweepPlan read_sweep(const std::filesystem::path& path, const std::vector<std::string>& settings);

} // namespace moesim
