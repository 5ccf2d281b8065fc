#pragma once

#include "sim/workload/parallel_plan.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace moesim {

/// Values of a plan that a search chooses from, by key of a scenario. One value is fixed; an empty
/// list is open: the search takes all values of its space (search/plan_space.hpp).
struct PlanChoices {
  std::vector<std::int64_t> tensor = {};
  std::vector<std::int64_t> context = {};
  std::vector<std::int64_t> pipeline = {};
  std::vector<std::int64_t> virtual_stages = {};
  std::vector<std::int64_t> expert = {};
  std::vector<std::int64_t> expert_tensor = {};
  std::vector<std::int64_t> zero_stage = {};
  std::vector<std::int64_t> micro_batch = {}; ///< sequences
  std::vector<const Schedule*> schedule = {};
  std::vector<Recompute> recompute = {};
  /// The one set of modules of selective recompute; nothing: the sets of the space.
  std::optional<RecomputeModules> recompute_modules = std::nullopt;
  std::vector<Dispatcher> dispatcher = {};
  std::vector<Library> library = {}; ///< of the node-limited dispatcher
  std::vector<Overlap> overlap = {};
  std::vector<CudaGraphs> graphs = {}; ///< sorted, each once

  bool operator==(const PlanChoices&) const = default;
};

} // namespace moesim
