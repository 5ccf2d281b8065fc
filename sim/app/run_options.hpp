#pragma once

#include "sim/app/commands.hpp"
#include "sim/study/sweep.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace moesim {

/// The options of a command that simulates many points into a folder.
struct RunOptions {
  std::string folder;
  std::size_t jobs = 0; ///< 0: one for each core
  bool restart = false;
  bool sensitivity = false; ///< write sensitivity.csv
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
};

/// Adds `--out`, `--jobs`, `--restart`, `--sensitivity` and `--format`. `file` names the input file
/// in the help of `--restart`: "sweep".
void add_output_options(CLI::App& command, RunOptions& options, const std::string& file);
/// Adds `--set` too.
void add_run_options(CLI::App& command, RunOptions& options, const std::string& file);

/// The part of a sweep's options that these give: folder, calibration, version, jobs, restart.
SweepOptions sweep_options(const RunOptions& options, const AppContext& context);

} // namespace moesim
