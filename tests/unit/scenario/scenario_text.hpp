#pragma once

#include "sim/scenario/scenario.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

/// A small scenario that can run, and what it takes to break it one line at a time.
namespace moesim::scenario_tests {

namespace fs = std::filesystem;
using Settings = std::vector<std::string>;

/// The folder that this project lies in.
inline const std::string source = MOESIM_SOURCE_DIR;

/// A folder of this test's own, gone after it.
class Folder {
public:
  Folder() : path_(fs::temp_directory_path() / ("moesim_scenario_" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }
  const fs::path& path() const { return path_; }

private:
  fs::path path_;
};

/// 12 layers of 16 heads and 24 experts.
inline const std::string config = R"({"model_type": "mixtral", "hidden_size": 64, "vocab_size": 100,
 "num_hidden_layers": 12, "num_attention_heads": 16, "num_key_value_heads": 4,
 "intermediate_size": 96, "num_local_experts": 24, "num_experts_per_tok": 2})";

/// 32 ranks: two stages, each tensor 2 x data 8, or expert 8 x expert-data 2.
inline const std::string scenario = R"([model]
config = "config.json"
[cluster]
topology = ")" + source + R"(/topologies/hgx-h100-ndr400.toml"
gpus = 32
[training]
sequence_length = 128
global_batch = 64
micro_batch = 2
[parallel]
tensor = 2
pipeline = 2
expert = 8
[routing]
load = "uniform"
[communication]
dispatcher = "alltoall"
[simulation]
fidelity = "folded"
)";

struct Refusal {
  std::string rule;
  std::string old; ///< what the scenario says, and …
  std::string now; ///< … what it says instead
  Settings settings;
  bool illegal; ///< well formed, but cannot run
  std::string message;
};

inline std::string with(std::string text, const std::string& old, const std::string& now) {
  const std::size_t at = text.find(old);
  if (at == std::string::npos)
    throw std::logic_error("the text does not hold " + old);
  return text.replace(at, old.size(), now);
}

/// A message with the folders of this machine taken out.
inline std::string portable(std::string message, const fs::path& folder) {
  const std::string prefix = folder.string() + "/";
  for (std::size_t at; (at = message.find(prefix)) != std::string::npos;)
    message.erase(at, prefix.size());
  for (std::size_t at; (at = message.find(source)) != std::string::npos;)
    message.replace(at, source.size(), "SOURCE");
  return message;
}

/// The error of reading the text; `illegal` tells whether it must be an IllegalScenario.
inline std::string message_of(const std::string& text, const Settings& settings, bool illegal) {
  const Folder folder;
  folder.write("config.json", config);
  folder.write("broken.json", "{\"model_type\": \"mixtral\",}\n");
  folder.write("empty.json", "{}\n");
  folder.write("dense.json", with(with(config, "mixtral", "llama"), "num_local_experts", "_"));
  folder.write("load.csv", "layer_id,expert_id,count\n0,99,5\n");
  folder.write("wrong.toml",
               "source = \"none\"\n[gpu]\nsms = 132\n[node]\n[fabric]\nkind = \"none\"\n");
  try {
    read_scenario(folder.write("s.toml", text), settings);
  } catch (const IllegalScenario& error) {
    return (illegal ? "" : "illegal: ") + portable(error.what(), folder.path());
  } catch (const InputError& error) {
    return (illegal ? "malformed: " : "") + portable(error.what(), folder.path());
  }
  return "no error";
}

inline void check(const std::vector<Refusal>& refusals) {
  for (const Refusal& row : refusals) {
    INFO(row.rule);
    CHECK(message_of(with(scenario, row.old, row.now), row.settings, row.illegal) == row.message);
  }
}

inline Scenario read_text(const std::string& text, const Settings& settings = {}) {
  const Folder folder;
  folder.write("config.json", config);
  return read_scenario(folder.write("s.toml", text), settings);
}

} // namespace moesim::scenario_tests
