#include "sim/app/commands.hpp"

#include "sim/serve/web_pages.hpp"

#include <iostream>
#include <memory>

namespace moesim {

namespace {

constexpr int default_port = 8025;
constexpr int largest_port = 65535;

struct ServeOptions {
  std::string subject; ///< a scenario, or a folder of results
  WebAddress address = {.port = default_port};
};

constexpr const char* serve_help =
    "Open the address that it prints. Move a control: the step is replayed, compared with its "
    "dense\n"
    "twin, and the answer redrawn. \"Find the best plan\" searches all plans. The address holds "
    "what\n"
    "is set: send it, or reload it. \"Save as scenario\" gives the file for: moesim simulate\n"
    "scenario.toml\n\n"
    "Nothing is written on this machine. Ctrl-C ends it.\n\n"
    "  moesim serve workloads/mixtral-8x7b/scenario.toml\n"
    "  moesim serve out/demo --port 0          # the report of a sweep, on a free port";

void serve(const ServeOptions& options, const AppContext& context) {
  const auto ready = [](const std::string& link) {
    std::cout << link << std::endl; // at once: a script waits for it
  };
  if (std::filesystem::is_directory(options.subject))
    return serve_pages(options.address, report_pages(options.subject), ready);
  LiveAnswers answers(options.subject, context.calibration);
  serve_pages(options.address, live_pages(options.subject, answers, context.assets), ready);
}

} // namespace

void add_serve_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand(
      "serve", "Answer in a browser: a scenario under controls, live, or the report of a folder");
  command
      ->add_option("subject", options->subject,
                   "A scenario file, or the folder of a sweep's or a plan's results")
      ->type_name("SCENARIO.toml|DIR")
      ->required();
  command->add_option("--port", options->address.port, "Port; 0 takes a free one")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(0, largest_port));
  command
      ->add_option("--host", options->address.host,
                   "Address to listen on, and the name by which browsers reach it. Any other than "
                   "127.0.0.1 lets the network ask")
      ->type_name("HOST")
      ->capture_default_str();
  command->footer(serve_help);
  command->callback([options, &context] { serve(*options, context); });
}

} // namespace moesim
