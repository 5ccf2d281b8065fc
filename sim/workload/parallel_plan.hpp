#pragma once

#include "sim/base/ids.hpp"
#include "sim/workload/kernel.hpp"
#include "sim/workload/model_spec.hpp"
#include "sim/workload/offload.hpp"
#include "sim/workload/recompute.hpp"
#include "sim/workload/schedule.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The scaling of operands of fp8 GEMMs.
enum class Fp8Recipe {
  per_tensor, ///< one scale from the tensor's largest value, found before the cast
  blockwise,  ///< 1 × 128 values (DeepSeek-V3, arXiv 2412.19437, section 3.3.2)
  mx          ///< 1 × 32 values (OCP MX specification 1.0)
};

/// The names in scenarios.
inline constexpr auto fp8_recipe_names =
    std::to_array<Named<Fp8Recipe>>({{Fp8Recipe::per_tensor, "per-tensor"},
                                     {Fp8Recipe::blockwise, "blockwise"},
                                     {Fp8Recipe::mx, "mxfp8"}});
static_assert(names_each(fp8_recipe_names));

/// How the kernels of attention compute softmax(queries x keys) x values.
enum class AttentionKernels {
  fused,  ///< one kernel, which keeps the scores on chip (FlashAttention, arXiv 2205.14135)
  unfused ///< a kernel for each operation; the scores of all heads go through memory
};

/// The names in scenarios.
inline constexpr auto attention_kernels_names = std::to_array<Named<AttentionKernels>>(
    {{AttentionKernels::fused, "fused"}, {AttentionKernels::unfused, "unfused"}});
static_assert(names_each(attention_kernels_names));

/// The data and the number formats of one optimizer step.
struct TrainingSpec {
  std::int64_t sequence_length = 0; ///< tokens
  std::int64_t global_batch = 0;    ///< sequences of one optimizer step
  std::int64_t micro_batch = 1;     ///< sequences of one pass through a pipeline stage
  Precision precision = Precision::bf16;
  Fp8Recipe fp8_recipe = Fp8Recipe::blockwise;
  /// The activation of the routed experts runs inside their GEMMs (a fused grouped feed-forward),
  /// not as a kernel of its own. In fp8 so do the cast of its result and that of its gradient.
  bool fused_experts = false;
  bool fp32_gradients = true; ///< accumulated and reduced in fp32, else in bf16
  std::int64_t gradient_bytes() const { return fp32_gradients ? 4 : 2; } ///< of one parameter
  /// Some activations are kept for the backward pass with fewer bits than bf16 (DeepSeek-V3, arXiv
  /// 2412.19437, section 3.3.3). Attention's output is kept once, in 12 bits; the inputs of the
  /// routed experts' activation are kept in fp8.
  bool compressed_activations = false;
  bool fp32_moments = true;   ///< Adam's moments in fp32, else in bf16 (DeepSeek-V3, arXiv
                              ///< 2412.19437, 3.3.3)
  bool master_weights = true; ///< the optimizer keeps the weights in fp32 too
  /// Sharded weights (ZeRO-3) lie in fp32 and are cast when they are gathered (PyTorch's FSDP2), so
  /// that they are the master weights too; else they lie in bf16 beside these.
  bool fp32_shards = false;
  /// The allocator grows its segments (PyTorch's expandable_segments), so that none of its memory
  /// is lost between them.
  bool expandable_segments = false;
  AttentionKernels attention = AttentionKernels::fused;
  /// Share of the probabilities of attention that are set to 0; only with unfused kernels.
  double attention_dropout = 0.0;
  /// Share of the values that are set to 0 before they are added to the residual stream.
  double hidden_dropout = 0.0;
  /// Optimizer bytes of one parameter: two moments, and the master weight.
  std::int64_t optimizer_bytes() const {
    return 2 * (fp32_moments ? 4 : 2) + (master_weights ? 4 : 0);
  }
};

/// The split of a step over GPUs. Ranks have Megatron-LM's order: tensor fastest, then context,
/// data, pipeline. Inside a stage the experts have an order of their own: expert-tensor fastest,
/// then expert, expert-data (arXiv 2504.14960).
struct ParallelPlan {
  std::int64_t gpus = 1;
  std::int64_t tensor = 1;
  std::int64_t pipeline = 1;
  std::int64_t virtual_stages = 1; ///< model chunks that each pipeline stage holds
  Schedule schedule = Schedule::one_forward_one_backward;
  std::int64_t context = 1; ///< ranks that share a sequence, by its tokens
  std::int64_t expert = 1;
  std::int64_t expert_tensor = 1; ///< ranks that share an expert, by its width
  bool sequence_parallel = true;
  /// The forward pass of one micro-batch runs beside the backward pass of another, so that the
  /// communication of each hides behind the compute of the other (Megatron-Core's
  /// overlap_moe_expert_parallel_comm; DualPipe's pairs, arXiv 2412.19437, section 3.2.1).
  bool overlap_batches = false;
  /// State that data parallelism shards: 0: nothing; 1: optimizer states; 2: gradients too; 3:
  /// weights too (arXiv 1910.02054; fully sharded data parallel).
  std::int64_t zero_stage = 1;
  Recompute recompute = Recompute::none;
  RecomputeModules recompute_modules = {}; ///< modules of selective recompute
  /// Whether selective recompute drops the results of `module`.
  bool recomputes(RecomputeModule module) const;
  /// Number of layers, from the first, whose activations are kept in host memory (Megatron-Core's
  /// cpu_offloading_num_layers). Only for a pipeline of one stage.
  std::int64_t offload_layers = 0;
  OffloadModules offload_modules = {}; ///< modules whose inputs are kept in host memory
  /// One entry per virtual stage, in the order of the model; see `spread_layers`.
  std::vector<std::int64_t> layers_per_stage;

  std::int64_t stage_ranks() const { return gpus / pipeline; }
  std::int64_t data() const { return gpus / (tensor * context * pipeline); }
  /// Ranks that hold the same weights outside the experts: data and context parallel.
  std::int64_t replicas() const { return data() * context; }
  std::int64_t expert_data() const { return stage_ranks() / (expert * expert_tensor); }
  /// Micro-batches that pass through every stage in one step.
  std::int64_t micro_batches(const TrainingSpec& training) const;
  std::int64_t stage_of(RankId rank) const;
  /// The index of a rank in its expert-parallel group.
  std::int64_t expert_rank(RankId rank) const;
  /// Number of virtual stages into which the model is cut, from 0, in the order of its layers.
  std::int64_t virtual_stage_count() const { return pipeline * virtual_stages; }
  /// Model chunks that each stage holds: under DualPipe one for each direction.
  std::int64_t chunks() const { return holders() * virtual_stages; }
  /// Number of stages that hold each virtual stage: 2 under DualPipe.
  std::int64_t holders() const { return schedule.holders; }
  /// The virtual stage of a stage's chunk.
  std::int64_t virtual_stage(std::int64_t stage, std::int64_t chunk) const {
    return schedule.virtual_stage(*this, stage, chunk);
  }
  /// The stage that holds a virtual stage. Under DualPipe two stages hold it: this is the one for
  /// micro-batches that pass through chunk `chunk` of every stage.
  std::int64_t holder(std::int64_t virtual_stage, std::int64_t chunk) const {
    return schedule.holder(*this, virtual_stage, chunk);
  }
};

/// Default number of layers of each stage, as even as possible. Stages with one layer less are the
/// last (it has the head), then the first (it has the embedding), then others from the end.
std::vector<std::int64_t> spread_layers(std::int64_t layers, std::int64_t stages);

/// The largest expert-parallel degree that divides both the experts and the ranks of a stage.
std::int64_t largest_expert_parallel(std::int64_t experts, std::int64_t stage_ranks);

/// The reason why a plan cannot run: the key of `[parallel]`, `[training]`, `[communication]` or
/// `[cluster]` at fault, the rule with its numbers, and the nearest legal value.
struct PlanFault {
  std::string table;
  std::string key;
  std::string message;
  std::string hint;
};
/// The first rule that the plan breaks; nothing if it is legal.
std::optional<PlanFault> find_plan_fault(const ParallelPlan& plan, const ModelSpec& model,
                                         const TrainingSpec& training);

/// The positive multiple of `factor` that is nearest to `wanted`.
std::int64_t nearest_multiple(std::int64_t wanted, std::int64_t factor);

/// The groups of ranks that communicate.
enum class GroupKind {
  tensor,
  context,
  data, ///< with context parallelism: ranks that hold the same weights
  expert,
  expert_tensor,
  expert_data
};

/// The ranks of the group of `rank`, in the order of the group.
std::vector<RankId> group_of(const ParallelPlan& plan, GroupKind kind, RankId rank);

/// Every group of a kind in a stage, by its first rank.
std::vector<std::vector<RankId>> groups_of_stage(const ParallelPlan& plan, GroupKind kind,
                                                 std::int64_t stage);

} // namespace moesim
