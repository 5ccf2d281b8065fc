#pragma once

#include "sim/workload/pipeline_pass.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

struct ParallelPlan;
struct PlanFault;
struct TrainingSpec;

/// The default placement of model chunks: stage s of p holds the virtual stages s, p + s, ….
std::int64_t looped_virtual_stage(const ParallelPlan& plan, std::int64_t stage, std::int64_t chunk);
std::int64_t looped_holder(const ParallelPlan& plan, std::int64_t virtual_stage,
                           std::int64_t chunk);

/// A pipeline schedule: its rules, its order of passes and its placement of model chunks. Each
/// schedule is a file `schedule_….cpp`, a name below and an entry of `schedules`.
struct Schedule {
  const char* name; ///< in scenarios
  /// The passes of a stage, in order. The plan is legal (find_plan_fault).
  StageOrder (*order)(const ParallelPlan& plan, std::int64_t stage, std::int64_t micro_batches);
  bool whole_backward = true;  ///< some backward passes make both gradients
  bool split_backward = false; ///< some backward passes make gradients of inputs, later ones those
                               ///< of weights
  bool virtual_stages = false; ///< a stage may hold several model chunks of one direction
  std::int64_t holders = 1;    ///< stages that hold each virtual stage
  /// Whether a backward pass makes its gradients of weights last under `overlap_batches`.
  bool delays_weight_gradients = false;
  /// The virtual stage of a stage's chunk.
  std::int64_t (*virtual_stage)(const ParallelPlan& plan, std::int64_t stage,
                                std::int64_t chunk) = looped_virtual_stage;
  /// The stage that holds a virtual stage. If several stages hold it, the one for micro-batches
  /// that pass through chunk `chunk` of every stage.
  std::int64_t (*holder)(const ParallelPlan& plan, std::int64_t virtual_stage,
                         std::int64_t chunk) = looped_holder;
  /// Whether a forward pass may run beside a backward pass (`overlap_batches`); null: never.
  bool (*pairs_passes)(const ParallelPlan& plan) = nullptr;
  /// The first of the schedule's own rules that a plan breaks; null: it has no rules.
  std::optional<PlanFault> (*find_fault)(const ParallelPlan& plan,
                                         const TrainingSpec& training) = nullptr;

  bool operator==(const Schedule&) const = default;

  static const Schedule one_forward_one_backward;
  static const Schedule interleaved; ///< 1F1B over several virtual stages a device
  static const Schedule zero_bubble; ///< weight gradients fill the drain: ZB-H1, ZB-V
  static const Schedule dual_pipe;   ///< micro-batches enter from both ends of the pipeline
};

/// Every schedule, the default first.
inline constexpr std::array schedules = {&Schedule::one_forward_one_backward,
                                         &Schedule::interleaved, &Schedule::zero_bubble,
                                         &Schedule::dual_pipe};

/// The names in scenarios, in the order of `schedules`.
std::vector<std::string> schedule_names();
/// Throws InternalError for a name that no schedule has.
const Schedule& schedule_named(const std::string& name);

/// True if a schedule has passes of this kind.
bool has_pass(const Schedule& schedule, Pass pass);

} // namespace moesim
