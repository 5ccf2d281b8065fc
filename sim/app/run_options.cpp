#include "sim/app/run_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace moesim {

void add_output_options(CLI::App& command, RunOptions& options, const std::string& file) {
  command.add_option("--out", options.folder, "Folder for the results")
      ->type_name("DIR")
      ->required();
  command.add_option("--jobs", options.jobs, "Processes at a time (default: one for each core)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
  command.add_flag(
      "--restart", options.restart,
      fmt::format("Replace the results that another {}, or another version, left in DIR", file));
  command.add_flag(
      "--sensitivity", options.sensitivity,
      "Also write sensitivity.csv: how far each constant of the costs moves the answer, "
      "and what to measure before signing (some seconds)");
  add_format_option(command, options.format);
}

void add_run_options(CLI::App& command, RunOptions& options, const std::string& file) {
  add_output_options(command, options, file);
  add_settings_option(command, options.settings);
}

SweepOptions sweep_options(const RunOptions& options, const AppContext& context) {
  SweepOptions of;
  of.folder = options.folder;
  of.calibration = context.calibration;
  of.version = version_text();
  of.jobs = options.jobs > 0 ? options.jobs : std::max(1U, std::thread::hardware_concurrency());
  of.restart = options.restart;
  return of;
}

} // namespace moesim
