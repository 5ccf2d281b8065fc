#pragma once

#include "sim/study/sweep.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// The question of a run of a sweep: in `shard.json` of the folder of a shard.
struct SweepRequest {
  std::string sweep; ///< path of the sweep file, as it was given
  std::vector<std::string> settings;
  bool twins = true;
  std::size_t shard = 1; ///< of `shards`, from 1
  std::size_t shards = 1;
};

/// Keeps the request of a shard that has ended.
void write_request(const std::filesystem::path& folder, const SweepRequest& request);

/// The requests of folders. Throws InputError unless they are all shards of one sweep, each once.
std::vector<SweepRequest> read_shards(const std::vector<std::filesystem::path>& folders);

/// Puts the answers of all shards into the journal of `options.folder`, from which run_sweep makes
/// the results of a single run. Throws InputError, with the folder's name, if a shard is not
/// finished, or if its inputs, its settings or its version differ from those of this run.
void merge_journals(const SweepPlan& plan, const SweepOptions& options,
                    const std::vector<std::filesystem::path>& folders,
                    const std::vector<SweepRequest>& requests);

} // namespace moesim
