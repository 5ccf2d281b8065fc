#pragma once

#include "sim/schedule/memory_estimate.hpp"
#include "sim/workload/workload.hpp"

#include <string>
#include <vector>

namespace moesim {

/// One legal change of a plan, as a scenario says it, and the memory that its fullest GPU needs.
struct MemoryChange {
  std::string key;   ///< "parallel.recompute", "training.micro_batch", …
  std::string value; ///< "\"full\"", "2", …; says so if `layers_per_stage` has to go
  MemoryEstimate memory;
};

/// The single changes of a plan that usually save memory, as far as they are legal
/// (find_plan_fault) and are changes: expandable segments, full recompute, half the micro-batch,
/// ZeRO-1, twice the pipeline with its layers spread anew, then each larger expert degree, smallest
/// first. The plan itself is legal.
std::vector<MemoryChange> memory_changes(const Workload& workload);

/// Which of those changes make a plan fit into `capacity` of each GPU, of each key the first:
/// "parallel.recompute = "full" fits, parallel.pipeline = 8 fits". If none does, says so, with the
/// change that comes nearest and what it still lacks, in GiB.
std::string memory_advice(const Workload& workload, Bytes capacity);

/// "a GPU of stage 0 needs 96.00 GiB and has 80.00: 16.00 GiB are missing". Throws InternalError if
/// nothing is missing.
std::string missing_memory_text(const MemoryEstimate& memory, Bytes capacity);

} // namespace moesim
