#pragma once

#include "sim/routing/expert_load.hpp"
#include "sim/schedule/segment.hpp"
#include "sim/schedule/stage_parameters.hpp"
#include "sim/workload/workload.hpp"

#include <vector>

namespace moesim {

/// The kinds and times of a plan's data-parallel communication.
struct DataParallelRule {
  bool gathers = false;            ///< weights are sharded with the optimizer: ZeRO-1 and above
  bool overlaps = false;           ///< communication runs beside compute
  bool reduces_every_pass = false; ///< gradients are sharded: ZeRO-2 and above
  bool gathers_every_pass = false; ///< weights are sharded: ZeRO-3, fully sharded data parallel
};
DataParallelRule data_parallel_rule(const Workload& workload);

/// The data-parallel communication of one virtual stage, as Megatron-LM overlaps it
/// (--overlap-grad-reduce, --overlap-param-gather; ZeRO: arXiv 1910.02054, section 7): the
/// gradients of a layer are reduced during the backward pass of the layers before it; the weights
/// of a layer are gathered during the forward pass of the layers before it.
class DataParallelWork {
public:
  DataParallelWork(const Workload& workload, std::int64_t virtual_stage);

  /// Starts to gather the weights of the first layer of a pass, then those of the others.
  void start_gather(Sequence& out) const;
  /// The next segment waits for the weights of the first layer, or of the others.
  void await_first(Sequence& out) const { out.await(first_mark_); }
  void await_others(Sequence& out) const { out.await(first_mark_ + 1); }
  /// Starts to reduce the gradients of all layers but the last of the pass, once the pass has made
  /// the first of them.
  void start_reduce(Sequence& out) const;
  /// Reduces the gradients of the last layer of the pass.
  void finish_reduce(Sequence& out) const;

private:
  /// Parameters of a rank that all ranks of one data-parallel group hold.
  struct Shared {
    GroupKind group = GroupKind::data;
    std::int64_t first = 0;  ///< parameters of one layer
    std::int64_t others = 0; ///< parameters of the other layers
  };
  /// Adds a collective over the parameters of one layer, or of the others.
  void add(Sequence& out, std::string_view name, CollectiveWork work, std::int64_t bytes,
           std::int64_t Shared::*part, int mark) const;

  const Workload& workload_;
  int first_mark_;
  std::vector<Shared> shared_;
};

/// Communication that one rank of a stage starts at the beginning of a step, if it overlaps the
/// passes: the gathering of sharded weights, chunk by chunk.
std::vector<Segment> step_start_work(const Workload& workload, std::int64_t stage,
                                     WorkTable& table);

/// Work of one rank of a stage after its last backward pass: gradient reduction, optimizer, and the
/// gathering of sharded parameters. If communication overlaps the passes, only the optimizer. If a
/// virtual stage has two holders, each reduces, updates and gathers its half of the shard; their
/// exchange is not included. Replicas of an expert send their gradients to the first replica before
/// the optimizer, and get its weights after it. `loads` must be those of the workload.
std::vector<Segment> step_end_work(const Workload& workload, std::int64_t stage,
                                   const ExpertLoads& loads, WorkTable& table);

} // namespace moesim
