#include "sim/importer/imported_scenario.hpp"

#include "sim/importer/toml_text.hpp"
#include "sim/input/json_document.hpp"

#include <fmt/format.h>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// Throws InputError for a config.json that no import wrote: it must not be overwritten.
void refuse_foreign(const fs::path& config) {
  if (fs::exists(config) &&
      !JsonObject::read(config).text_or("model_type", "").starts_with("megatron"))
    throw InputError({config.string()}, "is there already, and no import wrote it",
                     "let --out name another folder");
}

} // namespace

void write_imported_scenario(const ImportedScenario& scenario, const fs::path& file) {
  const fs::path folder = fs::absolute(file).parent_path();
  std::error_code failure; // the stream below says why
  fs::create_directories(folder, failure);
  const fs::path config = file.parent_path() / "config.json";
  if (!scenario.config.empty()) {
    refuse_foreign(config);
    write_text(config, scenario.config, "");
  }
  std::string text;
  for (const std::string& remark : scenario.remarks)
    text += comment_text(remark) + "\n";
  for (ImportedTable table : scenario.tables) {
    for (ImportedValue& value : table.values)
      if (value.key == "topology" ||
          (value.key == "config" && scenario.config.empty())) // relative to the scenario
        value.value = fmt::format(
            "\"{}\"",
            fs::proximate(fs::absolute(value.value.substr(1, value.value.size() - 2)), folder)
                .generic_string());
    text += text_of(table);
  }
  write_text(file, text, "my-run/scenario.toml");
}

} // namespace moesim
