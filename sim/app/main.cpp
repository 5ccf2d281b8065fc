#include "sim/app/commands.hpp"
#include "sim/base/check.hpp"
#include "sim/base/output_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace {

constexpr int exit_outside = 1;
constexpr int exit_usage = 2;
constexpr int exit_internal = 70;

constexpr const char* description =
    "moesim predicts the training step of a Mixture-of-Experts model on a GPU cluster: how much of "
    "the\n"
    "compute saving is left, and what ate the rest.\n\n"
    "Start with: moesim simulate workloads/mixtral-8x7b/scenario.toml";

constexpr const char* definitions =
    "model FLOPs: 3 x the forward FLOPs of the published "
    "architecture, a multiply-add counted as two,\n"
    "causal attention counted half, recomputation not counted. MFU "
    "is model FLOPs over step time over\n"
    "the dense datasheet peak.\n\n"
    "Exit codes: 0 ok, 1 a validation is outside its tolerance or "
    "points of a sweep have failed, 2 wrong\n"
    "input or usage, or an output that cannot be written, 70 a defect of moesim. Results go to "
    "stdout, everything else to stderr.";

/// Finds the folders that moesim reads beside its input, next to the program in the build's layout.
moesim::AppContext find_folders(int count, char** arguments) {
  namespace fs = std::filesystem;
  moesim::AppContext context;
  for (int i = 0; i < count; ++i)
    context.command_line += (i > 0 ? " " : "") + std::string(i > 0 ? arguments[i] : "moesim");
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  context.assets = folder / "report-assets";
  context.workloads = folder / "../../workloads";
  context.topologies = folder / "../../topologies";
  const char* calibration = std::getenv("MOESIM_CALIBRATION");
  context.calibration = calibration ? fs::path(calibration) : folder / "../../calibration";
  return context;
}

/// Suggests the nearest command for an unknown one.
void print_suggestion(const CLI::App& app, const std::string& command) {
  std::vector<std::string> names;
  for (const CLI::App* known : app.get_subcommands({}))
    names.push_back(known->get_name());
  if (std::find(names.begin(), names.end(), command) == names.end())
    std::cerr << moesim::suggest_name(command, names) << '\n';
}

/// Opens the standard descriptors that the caller has closed, so that no file gets their numbers.
void open_standard_descriptors() {
  for (int descriptor = 0; descriptor <= STDERR_FILENO; ++descriptor)
    if (fcntl(descriptor, F_GETFD) < 0)
      open("/dev/null", O_RDWR); // the lowest number that is free
}

/// The error of a result that did not reach stdout, and its exit code.
int flush_results(int code) {
  if (std::cout.flush())
    return code;
  // The stream has lost the reason: the system tells it again.
  std::cerr << moesim::cannot_be_written("stdout", moesim::write_all(STDOUT_FILENO, "\n")).what()
            << '\n';
  return exit_usage;
}

int run(int count, char** arguments) {
  CLI::App app(description, "moesim");
  app.set_version_flag("--version", moesim::version_text());
  app.require_subcommand(1);
  try {
    moesim::AppContext context = find_folders(count, arguments);
    app.add_option("--calibration", context.calibration,
                   "Folder of measured costs (default: the project's, or $MOESIM_CALIBRATION)")
        ->type_name("DIR")
        ->check([](const std::string& folder) {
          return std::filesystem::is_directory(folder)
                     ? std::string()
                     : folder + " is no folder; `moesim calibrate … --out " + folder +
                           "` makes one, and without the option the project's own counts";
        });
    app.fallthrough(); // --calibration may follow the sub-command
    moesim::add_simulate_command(app, context);
    moesim::add_sweep_command(app, context);
    moesim::add_merge_command(app, context);
    moesim::add_plan_command(app, context);
    moesim::add_compare_command(app, context);
    moesim::add_break_even_command(app, context);
    moesim::add_sensitivity_command(app, context);
    moesim::add_goodput_command(app, context);
    moesim::add_collective_command(app, context);
    moesim::add_show_command(app, context);
    moesim::add_import_command(app, context);
    moesim::add_report_command(app, context);
    moesim::add_serve_command(app, context);
    moesim::add_calibrate_command(app, context);
    moesim::add_validate_command(app, context);
    app.footer(definitions); // last: a sub-command inherits settings made before it is added
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    if (code != 0 && count > 1)
      print_suggestion(app, arguments[1]);
    return code == 0 ? 0 : exit_usage;
  } catch (const moesim::OutsideTolerance&) {
    return exit_outside;
  } catch (const moesim::PointsFailed& failed) {
    std::cerr << failed.what() << '\n';
    return exit_outside;
  } catch (const moesim::InputError& error) {
    std::cerr << error.what() << '\n';
    return exit_usage;
  } catch (const std::filesystem::filesystem_error& error) {
    std::cerr << moesim::InputError({error.path1().string()}, error.code().message()).what()
              << '\n';
    return exit_usage;
  } catch (const std::exception& error) {
    std::cerr << "moesim: a defect of moesim, please report it: " << error.what() << '\n';
    return exit_internal;
  }
  return 0;
}

} // namespace

int main(int count, char** arguments) {
  open_standard_descriptors();
  return flush_results(run(count, arguments));
}
