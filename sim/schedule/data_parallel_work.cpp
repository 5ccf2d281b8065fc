#include "sim/schedule/data_parallel_work.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

namespace moesim {

namespace {

constexpr std::int64_t weight_bytes = 2;

/// Parameters of a rank that all ranks of one data-parallel group hold.
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

/// Number of experts whose gradients each rank of a group sends to each other rank, by source, then
/// by sink: from every rank with a replica to the first rank with one.
std::vector<std::uint32_t> replicas_by_pair(const Workload& workload, std::int64_t stage,
                                            const ExpertLoads& loads) {
  const auto ranks = static_cast<std::size_t>(workload.plan.expert);
  std::vector<std::uint32_t> pairs(ranks * ranks, 0);
  for (std::int64_t chunk = 0; chunk < workload.plan.chunks(); ++chunk) {
    const std::int64_t part = workload.plan.virtual_stage(stage, chunk);
    const std::int64_t first = first_layer(workload.plan, part);
    for (std::int64_t layer = first;
         layer < first + workload.plan.layers_per_stage[static_cast<std::size_t>(part)]; ++layer) {
      if (!workload.model.layers[static_cast<std::size_t>(layer)].moe)
        continue;
      for (const ReplicaRanks& replicas :
           ranks_of_replicas(loads.placement(layer), workload.model.experts.experts))
        for (const std::int64_t rank : replicas.ranks)
          if (rank != replicas.ranks.front())
            ++pairs[static_cast<std::size_t>(rank) * ranks +
                    static_cast<std::size_t>(replicas.ranks.front())];
    }
  }
  return pairs;
}

/// The collective that synchronises replicas of experts: gradients to the first replica, or, with
/// `back`, weights from it. Nothing if no expert has replicas on several ranks.
std::optional<CollectiveWork> replica_exchange(const Workload& workload, std::int64_t stage,
                                               const ExpertLoads& loads, bool back) {
  if (workload.routing.redundant_experts == 0)
    return std::nullopt;
  const std::vector<std::uint32_t> pairs = replicas_by_pair(workload, stage, loads);
  const std::int64_t sent = std::accumulate(pairs.begin(), pairs.end(), std::int64_t{0});
  if (sent == 0)
    return std::nullopt;
  const auto moe = std::find_if(workload.model.layers.begin(), workload.model.layers.end(),
                                [](const LayerSpec& layer) { return layer.moe; });
  const std::int64_t expert_bytes = layer_parameters(workload.model, *moe).routed_experts /
                                    workload.model.experts.experts / workload.plan.expert_tensor *
                                    (back ? weight_bytes : workload.training.gradient_bytes());
  const std::int64_t ranks = workload.plan.expert;
  const std::int64_t mean = std::max<std::int64_t>(1, sent * expert_bytes / ranks);
  const LoadMatrix loads_of_pairs(static_cast<std::size_t>(ranks), pairs,
                                  static_cast<double>(expert_bytes * ranks) /
                                      static_cast<double>(mean));
  CollectiveWork work{.role = back ? Role::replica_weights : Role::replica_gradients,
                      .direction = Direction::backward,
                      .bytes = Bytes{mean}};
  work.loads =
      std::make_shared<const LoadMatrix>(back ? loads_of_pairs.reversed() : loads_of_pairs);
  return work;
}

CollectiveWork weight_gather() {
  return {.kind = Collective::all_gather, .role = Role::weight_gather};
}

CollectiveWork gradient_reduce(const ParallelPlan& plan) {
  return {.kind = plan.zero_stage >= 1 ? Collective::reduce_scatter : Collective::all_reduce,
          .role = Role::gradient_reduce,
          .direction = Direction::backward};
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

void DataParallelWork::add(Sequence& out, std::string_view name, CollectiveWork work,
                           std::int64_t bytes, std::int64_t Shared::*part, int mark) const {
  for (const Shared& shared : shared_)
    if (shared.*part > 0) {
      work.group = shared.group;
      work.bytes = Bytes{shared.*part * bytes};
      out.detached(Label::of(name), work, mark);
    }
}

void DataParallelWork::start_gather(Sequence& out) const {
  add(out, "FirstWeightGather", weight_gather(), weight_bytes, &Shared::first, first_mark_);
  add(out, "WeightGather", weight_gather(), weight_bytes, &Shared::others, first_mark_ + 1);
}

void DataParallelWork::start_reduce(Sequence& out) const {
  add(out, "GradientReduce", gradient_reduce(workload_.plan), workload_.training.gradient_bytes(),
      &Shared::others, 0);
}

void DataParallelWork::finish_reduce(Sequence& out) const {
  add(out, "LastGradientReduce", gradient_reduce(workload_.plan),
      workload_.training.gradient_bytes(), &Shared::first, 0);
}

std::vector<Segment> step_start_work(const Workload& workload, std::int64_t stage,
                                     WorkTable& table) {
  const DataParallelRule rule = data_parallel_rule(workload);
  Sequence out(table);
  if (rule.overlaps && rule.gathers && !rule.gathers_every_pass)
    for (std::int64_t chunk = 0; chunk < workload.plan.chunks(); ++chunk)
      DataParallelWork(workload, workload.plan.virtual_stage(stage, chunk)).start_gather(out);
  return out.take();
}

std::vector<Segment> step_end_work(const Workload& workload, std::int64_t stage,
                                   const ExpertLoads& loads, WorkTable& table) {
  const TrainingSpec& training = workload.training;
  const std::int64_t gradient_bytes = training.gradient_bytes();
  // Gradient read; master weight and two Adam moments read and written; bf16 weight written, and
  // read if there is no master weight. Shards in fp32 have none.
  const bool bf16_weights = !training.fp32_shards || workload.plan.zero_stage < 3;
  const std::int64_t optimizer_bytes =
      gradient_bytes + 2 * training.optimizer_bytes() +
      (training.master_weights ? 1 : 2) * weight_bytes * (bf16_weights ? 1 : 0);
  const DataParallelRule rule = data_parallel_rule(workload);
  const auto shared = replicated_parameters(workload, stage_parameters(workload, stage));
  Sequence out(table);
  const auto add = [&](std::string_view name, CollectiveWork work, GroupKind group, Bytes bytes) {
    work.group = group;
    work.bytes = bytes;
    out.collective(Label::of(name), work);
  };
  std::int64_t updated = 0;
  for (const auto& [group, parameters, replicas] : shared) {
    if (!rule.overlaps && replicas > 1 && parameters > 0)
      add("GradientReduce", gradient_reduce(workload.plan), group,
          Bytes{parameters * gradient_bytes});
    updated += rule.gathers ? parameters / (replicas * workload.plan.holders()) : parameters;
  }
  if (const auto gradients = replica_exchange(workload, stage, loads, false))
    out.collective(Label::of("ExpertCopyGradients"), *gradients);
  out.join_all();
  out.compute(Label::of("Optimizer"),
              KernelList{memory_bound(KernelPart::optimizer, Bytes{updated * optimizer_bytes})});
  for (const auto& [group, parameters, replicas] : shared)
    if (!rule.overlaps && rule.gathers && replicas > 1 && parameters > 0)
      add("WeightGather", weight_gather(), group, Bytes{parameters * weight_bytes});
  if (const auto weights = replica_exchange(workload, stage, loads, true))
    out.collective(Label::of("ExpertCopyWeights"), *weights);
  return out.take();
}

} // namespace moesim
