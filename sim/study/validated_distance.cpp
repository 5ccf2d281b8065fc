#include "sim/study/validated_distance.hpp"

#include "sim/base/check.hpp"
#include "sim/study/validation_cases.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

/// The tiers of training steps, but for the one whose steps are known to be far off.
bool is_step_tier(const std::string& tier) {
  return tier.starts_with("step-") && tier != "step-known-gaps";
}

} // namespace

StepTraits traits_of(const std::string& name, const Workload& workload, const GpuSpec& gpu) {
  const ParallelPlan& plan = workload.plan;
  const ParameterCount parameters = count_parameters(workload.model);
  return {.name = name,
          .gpu_kind = gpu.kind,
          .bf16_tflops = 1e-12 * gpu.bf16.value,
          .precision = workload.training.precision,
          .moe = workload.model.is_moe(),
          .parameters = static_cast<double>(parameters.total),
          .active_parameters = static_cast<double>(parameters.active),
          .gpus = static_cast<double>(plan.gpus),
          .tensor = static_cast<double>(plan.tensor),
          .context = static_cast<double>(plan.context),
          .pipeline = static_cast<double>(plan.pipeline),
          .expert = static_cast<double>(plan.expert)};
}

std::vector<StepTraits> scored_steps(const std::filesystem::path& calibration) {
  std::vector<StepTraits> steps;
  const std::filesystem::path file = calibration / "reference" / "cases.csv";
  if (!std::filesystem::exists(file))
    return steps;
  for (const ValidationCase& scored : read_validation(file).cases)
    if (const auto* scenario = std::get_if<Scenario>(&scored.scenario);
        scenario && is_step_tier(scored.tier))
      steps.push_back(traits_of(scored.name, scenario->workload, scenario->topology.gpu));
  return steps;
}

double distance_between(const StepTraits& a, const StepTraits& b) {
  double distance = (a.precision == b.precision ? 0.0 : 1.0) + (a.moe == b.moe ? 0.0 : 1.0);
  if (a.gpu_kind != b.gpu_kind)
    distance += 1.0 + std::abs(std::log2(a.bf16_tflops / b.bf16_tflops));
  for (const auto member :
       {&StepTraits::parameters, &StepTraits::active_parameters, &StepTraits::gpus,
        &StepTraits::tensor, &StepTraits::context, &StepTraits::pipeline, &StepTraits::expert})
    distance += std::abs(std::log2(a.*member / b.*member));
  return distance;
}

NearestStep nearest_step(const StepTraits& step, const std::vector<StepTraits>& scored) {
  INVARIANT(!scored.empty(), "no scored step");
  const auto nearest =
      std::min_element(scored.begin(), scored.end(), [&](const StepTraits& a, const StepTraits& b) {
        return distance_between(step, a) < distance_between(step, b);
      });
  return {distance_between(step, *nearest), nearest->name};
}

} // namespace moesim
