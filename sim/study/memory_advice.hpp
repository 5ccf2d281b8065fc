#pragma once

#include "sim/schedule/memory_estimate.hpp"
#include "sim/workload/workload.hpp"

#include <string>
#include <vector>

namespace moesim {

/// One legal change of a plan, as a key of a scenario, and the memory of its fullest GPU.
struct MemoryChange {
  std::string key;   ///< "parallel.recompute", "training.micro_batch", …
  std::string value; ///< "\"full\"", "2", …; adds a remark if `layers_per_stage` must be removed
  MemoryEstimate memory;
};

/// Single changes of a legal plan that usually save memory, without those that are illegal
/// (find_plan_fault) or have no effect: expandable segments, full recompute, half the micro-batch,
/// ZeRO-1, twice the pipeline with its layers spread anew, then each larger expert degree, smallest
/// first.
std::vector<MemoryChange> memory_changes(const Workload& workload);

/// Text of the changes that make a plan fit into `capacity` of each GPU, the first of each key:
/// "parallel.recompute = "full" fits, parallel.pipeline = 8 fits". If none fits, the text gives the
/// change that comes nearest, with the missing memory in GiB.
std::string memory_advice(const Workload& workload, Bytes capacity);

/// "a GPU of stage 0 needs 96.00 GiB and has 80.00: 16.00 GiB are missing". Throws InternalError if
/// nothing is missing.
std::string missing_memory_text(const MemoryEstimate& memory, Bytes capacity);

} // namespace moesim
