#pragma once

#include "sim/base/units.hpp"
#include "sim/routing/expert_load.hpp"
#include "sim/schedule/kept_activations.hpp"
#include "sim/schedule/pipeline_orders.hpp"
#include "sim/schedule/stage_parameters.hpp"
#include "sim/workload/workload.hpp"

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace moesim {

/// Peak device memory of one rank of a pipeline stage, by use.
struct MemoryEstimate {
  std::int64_t stage = 0;
  Bytes weights;               ///< bf16; sharded ones in fp32 are optimizer states
  Bytes gradients;             ///< fp32 or bf16
  Bytes optimizer_states;      ///< master weight and two Adam moments, sharded from ZeRO-1 on
  Bytes gathered;              ///< weights and gradients of the layers in use, from ZeRO-2 on
  Bytes gradient_placeholders; ///< bf16, one for each shape of weight, below ZeRO-2
  Bytes activations;           ///< activations of the micro-batches in flight, and the head's
                               ///< logits
  Bytes dispatch_buffers;      ///< send and receive buffers of one dispatch and one combine
  Bytes fragmentation;         ///< bytes that the allocator reserves beyond the allocated ones
  Bytes framework;             ///< context, libraries and communication buffers

  /// Peak of the framework's allocator: all but fragmentation and framework.
  Bytes allocated() const;
  Bytes total() const;
};

/// Estimates the memory of plans that differ only in their pipeline, ZeRO stage and dispatcher:
/// activations of equal layers are counted once for all of them. The framework's share is an
/// assumption that calibration/DEVIATIONS.md names.
class MemoryModel {
public:
  /// `loads` are those of the workload; they and `orders` must live as long.
  MemoryModel(Workload workload, const ExpertLoads& loads, PipelineOrderTable& orders);

  void set_plan(const ParallelPlan& plan, Dispatcher dispatcher);
  MemoryEstimate of_stage(std::int64_t stage);
  /// The stage whose ranks are fullest, of equals the first.
  MemoryEstimate fullest();

private:
  /// Activations of one layer with the plan's recompute, and without any.
  struct LayerActivations {
    KeptActivations kept;
    Bytes whole;
  };
  /// The properties that make two layers keep the same.
  using LayerKey = std::pair<LayerSpec, const ExpertLoad*>;
  /// The parts of a stage's memory that depend on the pipeline, not on ZeRO stage or dispatcher.
  struct StageShare {
    StageParameters parameters;
    Bytes activations;
    Bytes gradient_placeholders; ///< below ZeRO-2
  };
  /// Activations that the passes of a stage keep.
  struct StageActivations {
    std::vector<std::int64_t> by_chunk; ///< of one micro-batch, in bytes
    Bytes largest_layer;                ///< one layer with all that recompute makes again
    Bytes largest_on_host;              ///< what the largest layer has in host memory
  };

  const LayerActivations& layer_activations(std::int64_t number);
  StageActivations stage_activations(std::int64_t stage);
  const StageShare& share(std::int64_t stage);
  Bytes held_activations(std::int64_t stage);
  void add_parameters(MemoryEstimate& memory, std::int64_t stage);
  Bytes gradient_placeholders(std::int64_t stage);
  Bytes dispatch_buffers(std::int64_t stage);

  Workload workload_;
  const ExpertLoads& loads_;
  PipelineOrderTable& orders_;
  std::map<LayerKey, LayerActivations> layers_;
  std::map<std::int64_t, StageShare> shares_; ///< by stage of the plan's pipeline
  /// By the distinct layers of a stage, and by whether it has the head.
  std::map<std::pair<std::set<LayerSpec>, bool>, Bytes> placeholders_;
  std::map<const ExpertLoad*, Bytes> buffers_; ///< of a layer with that load; of no all-gather
};

/// The estimate for one stage.
MemoryEstimate estimate_memory(const Workload& workload, std::int64_t stage);
/// The stage whose ranks need the most memory; `loads` must be those of the workload.
MemoryEstimate fullest_stage(const Workload& workload, const ExpertLoads& loads);
MemoryEstimate fullest_stage(const Workload& workload);

} // namespace moesim
