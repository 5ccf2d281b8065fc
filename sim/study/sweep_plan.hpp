#pragma once

#include "sim/scenario/scenario.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// One point of a sweep: a scenario with a value for each axis.
struct SweepPoint {
  std::vector<std::string> values;  ///< by column, as text
  std::optional<Scenario> scenario; ///< nothing if it is illegal
  std::string illegal_reason;
};

/// Text of the values, of the first input and of the settings, on which answers depend. Values that
/// enter after a search, as prices do, are left out.
struct AnswerInputs {
  std::string shared;              ///< by all points: the journal belongs to them
  std::vector<std::string> points; ///< of each alone: other points keep their answers if it changes
};

/// A sweep file, read and checked: every point is known before the first is simulated.
struct SweepPlan {
  std::vector<std::string> axes; ///< dotted keys and names of rows, in the order of the file
  /// The keys of each axis of rows, by its name: they vary with it.
  std::map<std::string, std::vector<std::string>> row_keys;
  std::vector<std::string> columns;          ///< each axis, one of rows followed by its keys
  std::vector<std::string> settings;         ///< KEY=VALUE of the command line, for every point
  std::vector<SweepPoint> points;            ///< the first axis changes slowest
  std::vector<std::filesystem::path> inputs; ///< every file read, once, in the order of reading
  std::string seed;
  /// Values on which answers depend, if the journal keeps the answer of each point by itself.
  /// Nothing: it keeps none once an input, a setting or a point changes.
  std::optional<AnswerInputs> answer_inputs = std::nullopt;
};

/// The files of a topology that the scenario does not name itself: those of an explicit graph.
std::vector<std::filesystem::path> graph_files(const TopologySpec& topology);
/// The files of a scenario, of a folder those in it: its inputs, then those of its graph.
std::vector<std::filesystem::path> input_files(const Scenario& scenario);

/// Adds a point whose scenario an input describes, and its files to the inputs of the plan.
void add_point(const ScenarioInput& input, std::vector<std::string> values, SweepPlan& plan);

/// Reads a sweep file (workloads/SWEEP.md) and every point of it. `settings` are those of the
/// command line: they win over `[set]` and may not name a key that varies. Throws InputError for
/// malformed input, and for a key or value that no scenario understands at its place in the file;
/// an impossible plan is a point with a reason.
SweepPlan read_sweep(const std::filesystem::path& path, const std::vector<std::string>& settings);

} // namespace moesim
