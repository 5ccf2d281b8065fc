#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// A plan without a file of its own: a published config, and clusters by name.
struct ConfigPlan {
  std::filesystem::path config;      ///< a config.json
  std::vector<std::string> clusters; ///< names of shipped topologies, or paths of topology files
  std::vector<std::int64_t> gpus;    ///< of each cluster
  std::vector<double> prices_per_gpu_hour; ///< one for all clusters, or one for each
  double tokens = 0.0;
  std::optional<double> deadline_days = {};
  std::int64_t sequence_length = 4096;
  std::int64_t global_batch_tokens = 4'194'304;
};

/// The plan file that asks this question, with absolute paths. `topologies`: the folder of the
/// shipped clusters. Throws InputError for an unknown cluster, with the nearest name, and if the
/// number of prices does not fit.
std::string config_plan_text(const ConfigPlan& plan, const std::filesystem::path& topologies);

} // namespace moesim
