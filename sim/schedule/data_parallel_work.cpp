#include "sim/schedule/data_parallel_work.hpp"

#include <algorithm>

namespace moesim {

namespace {

constexpr std::int64_t weight_bytes = 2;

/// Parameters of a rank that one data-parallel group holds in common.
struct ReplicatedParameters {
  GroupKind group = GroupKind::data;
  std::int64_t parameters = 0;
  std::int64_t replicas = 1;
};

std::vector<ReplicatedParameters> replicated_parameters(const Workload& workload,
                                                        const StageParameters& p) {
  return {{GroupKind::data, p.dense_per_rank, workload.plan.replicas()},
          {GroupKind::expert_data, p.expert_per_rank, workload.plan.expert_data()}};
}

} // namespace

DataParallelRule data_parallel_rule(const Workload& workload) {
  const std::int64_t zero = workload.plan.zero_stage;
  DataParallelRule rule;
  rule.gathers = zero >= 1;
  rule.reduces_every_pass = zero >= 2;
  rule.gathers_every_pass = zero >= 3;
  rule.overlaps = workload.communication.overlap_data_parallel || zero >= 2;
  return rule;
}

DataParallelWork::DataParallelWork(const Workload& workload, std::int64_t virtual_stage)
    : workload_(workload), first_mark_(static_cast<int>(2 * virtual_stage + 1)) {
  const std::int64_t layers = std::max<std::int64_t>(
      1, workload.plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)]);
  for (const auto& [group, parameters, replicas] :
       replicated_parameters(workload, chunk_parameters(workload, virtual_stage)))
    if (replicas > 1 && parameters > 0)
      shared_.push_back({group, parameters / layers, parameters - parameters / layers});
}

void DataParallelWork::add(Sequence& out, const std::string& name, Collective kind,
                           std::int64_t bytes, std::int64_t Shared::*part, int mark) const {
  for (const Shared& shared : shared_)
    if (shared.*part > 0)
      out.detached({name, kind, shared.group, Bytes{shared.*part * bytes}}, mark);
}

void DataParallelWork::start_gather(Sequence& out) const {
  add(out, "FirstWeightGather", Collective::all_gather, weight_bytes, &Shared::first, first_mark_);
  add(out, "WeightGather", Collective::all_gather, weight_bytes, &Shared::others, first_mark_ + 1);
}

void DataParallelWork::start_reduce(Sequence& out) const {
  add(out, "GradientReduce",
      workload_.plan.zero_stage >= 1 ? Collective::reduce_scatter : Collective::all_reduce,
      workload_.training.gradient_bytes(), &Shared::others, 0);
}

void DataParallelWork::finish_reduce(Sequence& out) const {
  add(out, "LastGradientReduce",
      workload_.plan.zero_stage >= 1 ? Collective::reduce_scatter : Collective::all_reduce,
      workload_.training.gradient_bytes(), &Shared::first, 0);
}

std::vector<Segment> step_start_work(const Workload& workload, std::int64_t stage) {
  const DataParallelRule rule = data_parallel_rule(workload);
  Sequence out;
  if (rule.overlaps && rule.gathers && !rule.gathers_every_pass)
    for (std::int64_t chunk = 0; chunk < workload.plan.chunks(); ++chunk)
      DataParallelWork(workload, workload.plan.virtual_stage(stage, chunk)).start_gather(out);
  return out.take();
}

std::vector<Segment> step_end_work(const Workload& workload, std::int64_t stage) {
  const TrainingSpec& training = workload.training;
  const std::int64_t gradient_bytes = training.gradient_bytes();
  // Gradient read; master weight and two Adam moments read and written; bf16 weight written, and
  // read where it has no master.
  const std::int64_t optimizer_bytes = gradient_bytes + 2 * training.optimizer_bytes() +
                                       (training.master_weights ? 1 : 2) * weight_bytes;
  const DataParallelRule rule = data_parallel_rule(workload);
  const auto shared = replicated_parameters(workload, stage_parameters(workload, stage));
  Sequence out;
  std::int64_t updated = 0;
  for (const auto& [group, parameters, replicas] : shared) {
    if (!rule.overlaps && replicas > 1 && parameters > 0)
      out.collective({"GradientReduce",
                      rule.gathers ? Collective::reduce_scatter : Collective::all_reduce, group,
                      Bytes{parameters * gradient_bytes}});
    updated += rule.gathers ? parameters / (replicas * workload.plan.copies()) : parameters;
  }
  out.join_all();
  out.compute("Optimizer", {memory_bound(KernelPart::optimizer, Bytes{updated * optimizer_bytes})});
  for (const auto& [group, parameters, replicas] : shared)
    if (!rule.overlaps && rule.gathers && replicas > 1 && parameters > 0)
      out.collective(
          {"WeightGather", Collective::all_gather, group, Bytes{parameters * weight_bytes}});
  return out.take();
}

} // namespace moesim
