#pragma once

#include "sim/importer/imported_scenario.hpp"
#include "tests/support/temporary_folder.hpp"

#include <string>

namespace moesim {

/// The least cluster that a scenario can name.
inline std::filesystem::path write_cluster(const TemporaryFolder& folder) {
  return folder.write("cluster.toml", "gpus_max = 64\n"
                                      "[gpu]\n"
                                      "kind = \"h100-sxm\"\n"
                                      "memory_gib = 79.6\n"
                                      "bf16_tflops = 989\n"
                                      "fp8_tflops = 1979\n"
                                      "memory_gbyte_per_s = 3350\n"
                                      "sms = 132\n"
                                      "[node]\n"
                                      "gpus = 64\n"
                                      "scale_up = \"nvlink4\"\n"
                                      "scale_up_gbyte_per_s = 450\n"
                                      "scale_up_latency_us = 0.25\n"
                                      "nics = 0\n"
                                      "[fabric]\n"
                                      "kind = \"none\"\n");
}

/// The import of a file with this text on `gpus` GPUs; 0: as many as the file says.
inline ImportedScenario import_text(const std::string& text, const std::string& more = "",
                                    const std::string& name = "train.sh", std::int64_t gpus = 16,
                                    const ShellDefinitions& definitions = {}) {
  const TemporaryFolder folder;
  ScenarioOptions options;
  options.topology = write_cluster(folder);
  if (gpus > 0)
    options.gpus = gpus;
  options.definitions = definitions;
  options.more_arguments = more;
  return read_megatron(folder.write(name, text), options);
}

/// The value of "parallel.tensor" as TOML writes it; "" if there is none.
inline std::string value_of(const ImportedScenario& scenario, const std::string& key) {
  const std::size_t dot = key.find('.');
  for (const ImportedTable& table : scenario.tables)
    if (table.name == key.substr(0, dot))
      for (const ImportedValue& value : table.values)
        if (value.key == key.substr(dot + 1))
          return value.value;
  return "";
}

/// Every comment of a table, a line each.
inline std::string notes_of(const ImportedScenario& scenario, const std::string& name) {
  std::string notes;
  for (const ImportedTable& table : scenario.tables)
    if (table.name == name)
      for (const ImportedValue& value : table.values)
        if (value.key.empty())
          notes += value.note + "\n";
  return notes;
}

/// Arguments of a small model with experts, which a test completes.
inline const std::string small_model = "--num-layers 8 --hidden-size 512 --num-attention-heads 8 "
                                       "--ffn-hidden-size 1024 --vocab-size 1000 --num-experts 16 "
                                       "--seq-length 2048 --micro-batch-size 1 "
                                       "--global-batch-size 64 --bf16";

} // namespace moesim
