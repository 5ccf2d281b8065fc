#pragma once

#include "sim/workload/workload.hpp"

#include <filesystem>
#include <string>

namespace moesim {

/// A shipped model on `expert` GPUs in one stage, one micro-batch of 4096 tokens a rank; the host
/// is never late.
inline Workload shipped_workload(const std::string& model, std::int64_t expert) {
  Workload workload;
  workload.model =
      read_model(std::filesystem::path(MOESIM_SOURCE_DIR) / "workloads" / model / "config.json");
  workload.plan.gpus = expert;
  workload.plan.expert = expert;
  workload.plan.layers_per_stage = {static_cast<std::int64_t>(workload.model.layers.size())};
  workload.training.sequence_length = 4096;
  workload.training.global_batch = expert;
  workload.graphs.full_iteration = true;
  return workload;
}

/// Splits it into stages, with more GPUs accordingly.
inline Workload with_pipeline(Workload workload, std::int64_t stages) {
  workload.plan.gpus *= stages;
  workload.plan.pipeline = stages;
  workload.plan.layers_per_stage =
      spread_layers(static_cast<std::int64_t>(workload.model.layers.size()), stages);
  return workload;
}

} // namespace moesim
