#pragma once

#include "sim/scenario/scenario.hpp"
#include "sim/schedule/step_graph.hpp"

namespace moesim {

/// One collective alone over all GPUs of a cluster, as nccl-tests times it.
struct CollectiveScenario {
  CollectiveWork work; ///< the collective; its bytes are set for each size
  std::vector<Bytes> sizes;
  ParallelPlan plan; ///< one group of all ranks
  TopologySpec topology;
  Fidelity fidelity = Fidelity::folded;
};

/// "all-to-all", …: the names that `[collective] name` takes.
const std::vector<std::string>& lone_collective_names();

/// Reads a collective from TOML: `[collective]` with `name`, `bytes` (a number or a list, as
/// nccl-tests defines size) and optionally `algorithm`; `[cluster]` and `[simulation]` as in a
/// scenario. A dispatch or combine takes `tokens` of a rank, `hidden`, `experts`,
/// `experts_per_token`, optionally `groups`, `groups_per_token` and `precision` instead of `bytes`.
/// Paths are relative to `folder`. Throws InputError, or IllegalScenario if the cluster does not
/// hold the GPUs.
CollectiveScenario read_collective(const TomlDocument& document,
                                   const std::filesystem::path& folder);

} // namespace moesim
