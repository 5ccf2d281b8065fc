#include "sim/app/commands.hpp"

#include "sim/app/version.hpp"

#include <fmt/format.h>

#include <map>

namespace moesim {

std::string version_text() {
  return fmt::format("moesim {} ({})", version_number, version_commit);
}

void add_settings_option(CLI::App& command, std::vector<std::string>& settings) {
  command
      .add_option(
          "--set", settings,
          "Override a dotted key of the scenario, as in --set cluster.gpus=256; may be repeated. "
          "Paths are relative to the scenario file.")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

void add_format_option(CLI::App& command, TableFormat& format) {
  const std::map<std::string, TableFormat> formats = {
      {"table", TableFormat::table}, {"csv", TableFormat::csv}, {"json", TableFormat::json}};
  command.add_option("--format", format, "How to print the result: table, csv or json")
      ->transform(CLI::Transformer(formats))
      ->transform(CLI::IsMember({"table", "csv", "json"})) // the later one comes first
      ->type_name("FORMAT")
      ->option_text("table|csv|json");
}

} // namespace moesim
