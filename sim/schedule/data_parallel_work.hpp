#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/schedule/segment.hpp"
#include "sim/schedule/stage_parameters.hpp"
#include "sim/workload/workload.hpp"

#include <vector>

namespace moesim {

/// Which data-parallel communication a plan has, and when.
struct DataParallelRule {
  bool gathers = false;            ///< weights are sharded with the optimizer: ZeRO-1 and above
  bool overlaps = false;           ///< communication runs beside compute
  bool reduces_every_pass = false; ///< gradients are sharded: ZeRO-2 and above
  bool gathers_every_pass = false; ///< weights are sharded: ZeRO-3, fully sharded data parallel
};
DataParallelRule data_parallel_rule(const Workload& workload);

/// The data-parallel communication of one virtual stage, as Megatron-LM overlaps it
/// (--overlap-grad-reduce, --overlap-param-gather; ZeRO: arXiv 1910.02054, section 7): the
/// gradients of a layer are reduced while the backward pass goes on with the layers before, the
/// weights of a layer are gathered while the forward pass computes those before.
class DataParallelWork {
public:
  DataParallelWork(const Workload& workload, std::int64_t virtual_stage);

  /// The weights of the first of the layers that a pass comes through, then those of the others.
  void start_gather(Sequence& out) const;
  /// What comes next needs the weights of the first layer; of the others.
  void await_first(Sequence& out) const { out.await(first_mark_); }
  void await_others(Sequence& out) const { out.await(first_mark_ + 1); }
  /// The gradients of all of its layers but one, once the first of them is there.
  void start_reduce(Sequence& out) const;
  /// Those of the layer that came last.
  void finish_reduce(Sequence& out) const;

private:
  /// Parameters of a rank that one data-parallel group holds in common.
  struct Shared {
    GroupKind group = GroupKind::data;
    std::int64_t first = 0;  ///< parameters of one layer
    std::int64_t others = 0; ///< of the others
  };
  /// A collective over the parameters of one layer, or of the others.
  void add(Sequence& out, std::string_view name, CollectiveWork work, std::int64_t bytes,
           std::int64_t Shared::*part, int mark) const;

  const Workload& workload_;
  int first_mark_;
  std::vector<Shared> shared_;
};

/// What one rank of a stage starts at the beginning of a step, where communication overlaps the
/// passes: the gathering of sharded weights, chunk by chunk.
std::vector<Segment> step_start_work(const Workload& workload, std::int64_t stage,
                                     WorkTable& table);

/// What one rank of a stage does once a step, after its last backward pass: gradient reduction,
/// optimizer, and the gathering of sharded parameters; only the optimizer where the communication
/// overlaps the passes. Where two stages hold the same parameters, each reduces, updates and
/// gathers its half of the shard; what they exchange comes on top. Copies of an expert send their
/// gradients to the first of them before the optimizer, and get its weights after. `loads` are
/// those of the workload.
std::vector<Segment> step_end_work(const Workload& workload, std::int64_t stage,
                                   const ExpertLoads& loads, WorkTable& table);

} // namespace moesim
