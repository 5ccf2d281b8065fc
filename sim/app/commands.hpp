#pragma once

#include "sim/report/result_table.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace moesim {

/// Inputs of all commands beside their own options.
struct AppContext {
  std::string command_line;          ///< as typed
  std::filesystem::path calibration; ///< folder of measured costs
  std::filesystem::path workloads;   ///< folder of the shipped models and scenarios
  std::filesystem::path topologies;  ///< folder of the shipped clusters
  std::filesystem::path assets;      ///< folder of the report's template and scripts
};

/// "moesim 0.1.0 (1d50b70)".
std::string version_text();

/// Thrown by `validate` after it has printed its result: exit code 1.
struct OutsideTolerance {};
/// Thrown by a command whose results are written, some of them as failed: exit code 1.
class PointsFailed : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Each function adds a sub-command to `app`, with its own help. Its callback prints the result to
/// stdout and throws InputError or InternalError.
void add_simulate_command(CLI::App& app, const AppContext& context);
void add_sweep_command(CLI::App& app, const AppContext& context);
void add_merge_command(CLI::App& app, const AppContext& context);
void add_plan_command(CLI::App& app, const AppContext& context);
void add_compare_command(CLI::App& app, const AppContext& context);
void add_break_even_command(CLI::App& app, const AppContext& context);
void add_sensitivity_command(CLI::App& app, const AppContext& context);
void add_goodput_command(CLI::App& app, const AppContext& context);
void add_collective_command(CLI::App& app, const AppContext& context);
void add_show_command(CLI::App& app, const AppContext& context);
void add_import_command(CLI::App& app, const AppContext& context);
void add_report_command(CLI::App& app, const AppContext& context);
void add_serve_command(CLI::App& app, const AppContext& context);
void add_calibrate_command(CLI::App& app, const AppContext& context);
void add_validate_command(CLI::App& app, const AppContext& context);

/// Adds the imports of a Megatron command, and of a run's log, to `import`.
void add_megatron_import(CLI::App& import);
void add_megatron_log_import(CLI::App& import, const AppContext& context);

/// Adds `--set KEY=VALUE` and `--format table|csv|json`.
void add_settings_option(CLI::App& command, std::vector<std::string>& settings);
void add_format_option(CLI::App& command, TableFormat& format);

} // namespace moesim
