#pragma once

#include "sim/scenario/scenario.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// The properties of a step by which it is compared with published ones.
struct StepTraits {
  std::string name; ///< of the case, or empty
  std::string gpu_kind;
  double bf16_tflops = 0.0; ///< the GPU's dense peak
  Precision precision = Precision::bf16;
  bool moe = true;
  double parameters = 0.0;        ///< of the model, in all
  double active_parameters = 0.0; ///< of these, used by one token
  double gpus = 1.0;
  double tensor = 1.0;
  double context = 1.0;
  double pipeline = 1.0;
  double expert = 1.0;
};

StepTraits traits_of(const std::string& name, const Workload& workload, const GpuSpec& gpu);

/// The published steps that `moesim validate` scores, known gaps aside: `reference/cases.csv` below
/// `calibration`. None if that has no reference. Throws InputError as read_validation.
std::vector<StepTraits> scored_steps(const std::filesystem::path& calibration);

/// The published step nearest to another.
struct NearestStep {
  double distance = 0.0;
  std::string name; ///< of its case
};

/// The sum of |log2| of the ratios of parameters, active parameters, GPUs and tensor, context,
/// pipeline and expert degree; 1 more for another precision, and where one model is dense; for
/// another kind of GPU 1 more, and the |log2| of the ratio of the peaks.
double distance_between(const StepTraits& a, const StepTraits& b);

/// The nearest of `scored`, of equals the first. There must be one.
NearestStep nearest_step(const StepTraits& step, const std::vector<StepTraits>& scored);

} // namespace moesim
