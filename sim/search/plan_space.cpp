#include "sim/search/plan_space.hpp"

#include "sim/base/check.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/workload/plan_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace moesim {

namespace {

using Numbers = std::vector<std::int64_t>;

/// The powers of two from 1 to `most`.
Numbers powers_of_two(std::int64_t most) {
  Numbers powers;
  for (std::int64_t power = 1; power <= most; power *= 2)
    powers.push_back(power);
  return powers;
}

/// The divisors of a number up to `most`, in order.
Numbers divisors(std::int64_t number, std::int64_t most) {
  Numbers found;
  for (std::int64_t divisor = 1; divisor <= std::min(number, most); ++divisor)
    if (number % divisor == 0)
      found.push_back(divisor);
  return found;
}

template <typename Value>
std::vector<Value> chosen_or_all(const std::vector<Value>& chosen, std::vector<Value> all) {
  return chosen.empty() ? std::move(all) : chosen;
}

/// The sets of modules that selective recompute is run with: small activations first, then modules
/// whose repetition costs more (Megatron-Core: --recompute-modules).
std::vector<RecomputeModules> selective_sets(const ModelSpec& model) {
  RecomputeModules cheap = {RecomputeModule::norm};
  if (model.is_moe())
    cheap.insert(RecomputeModule::activation);
  if (std::any_of(model.layers.begin(), model.layers.end(), [&](const LayerSpec& layer) {
        return model.attention_of(layer).kind == AttentionKind::latent;
      }))
    cheap.insert(RecomputeModule::mla_projection);
  std::vector<RecomputeModules> sets = {cheap};
  RecomputeModules more = cheap;
  const bool some_dense = std::any_of(model.layers.begin(), model.layers.end(),
                                      [](const LayerSpec& layer) { return !layer.moe; });
  if (some_dense)
    more.insert(RecomputeModule::dense);
  if (model.experts.shared_hidden > 0)
    more.insert(RecomputeModule::shared_experts);
  if (more != cheap)
    sets.push_back(more);
  if (model.is_moe()) {
    RecomputeModules most = more;
    most.erase(RecomputeModule::activation); // a part of the next
    most.erase(RecomputeModule::shared_experts);
    most.insert(RecomputeModule::moe);
    sets.push_back(most);
  }
  return sets;
}

} // namespace

PlanSpace::PlanSpace(const Workload& base, const PlanChoices& choices, const TopologySpec& topology)
    : base_(base), choices_(choices), topology_(topology) {
  for (const std::int64_t zero_stage : chosen_or_all(choices.zero_stage, {1, 3})) {
    const bool staged = zero_stage < 3 || !choices.zero_stage.empty();
    const auto add = [&](bool experts, const DispatchChoice& dispatch) {
      for (const std::optional<CudaGraphs>& graphs : scopes()) {
        shardings_[experts][true].push_back({zero_stage, dispatch, graphs});
        if (staged)
          shardings_[experts][false].push_back({zero_stage, dispatch, graphs});
      }
    };
    add(false, {});
    for (const DispatchChoice& dispatch : dispatches())
      add(true, dispatch);
  }
}

std::vector<std::optional<CudaGraphs>> PlanSpace::scopes() const {
  if (choices_.graphs.empty())
    return {std::nullopt};
  return {choices_.graphs.begin(), choices_.graphs.end()};
}

Numbers PlanSpace::context_degrees() const {
  constexpr std::int64_t least_tokens = 4096; // of a sequence on one rank
  return chosen_or_all(choices_.context, powers_of_two(std::max<std::int64_t>(
                                             1, base_.training.sequence_length / least_tokens)));
}

Numbers PlanSpace::pipeline_degrees() const {
  return chosen_or_all(
      choices_.pipeline,
      divisors(base_.plan.gpus, static_cast<std::int64_t>(base_.model.layers.size())));
}

Numbers PlanSpace::expert_degrees() const {
  if (!base_.model.is_moe())
    return {1};
  const std::int64_t experts = base_.model.experts.experts;
  return chosen_or_all(choices_.expert, divisors(experts, experts));
}

Numbers PlanSpace::expert_tensor_degrees(std::int64_t tensor) const {
  if (!base_.model.is_moe())
    return {1};
  return chosen_or_all(choices_.expert_tensor, tensor > 1 ? Numbers{1, tensor} : Numbers{1});
}

Numbers PlanSpace::micro_batches() const {
  constexpr std::int64_t most_sequences = 4;
  constexpr std::int64_t most_tokens = 16384;
  const std::int64_t most =
      std::clamp<std::int64_t>(most_tokens / base_.training.sequence_length, 1, most_sequences);
  return chosen_or_all(choices_.micro_batch, powers_of_two(most));
}

std::vector<RecomputeChoice> PlanSpace::recomputes() const {
  std::vector<RecomputeChoice> found;
  for (const Recompute kind : chosen_or_all(
           choices_.recompute, {Recompute::none, Recompute::selective, Recompute::full})) {
    if (kind != Recompute::selective)
      found.push_back({kind, {}});
    else if (choices_.recompute_modules)
      found.push_back({kind, *choices_.recompute_modules});
    else
      for (const RecomputeModules& modules : selective_sets(base_.model))
        found.push_back({kind, modules});
  }
  return found;
}

std::vector<DispatchChoice> PlanSpace::dispatches() const {
  std::vector<DispatchChoice> found;
  for (const Dispatcher dispatcher :
       chosen_or_all(choices_.dispatcher, {Dispatcher::all_to_all, Dispatcher::all_gather,
                                           Dispatcher::hierarchical, Dispatcher::node_limited})) {
    if (dispatcher != Dispatcher::node_limited) {
      found.push_back({dispatcher, {}});
      continue;
    }
    for (const Library library :
         chosen_or_all(choices_.library, {Library::deepep, Library::hybridep}))
      found.push_back({dispatcher, library});
  }
  return found;
}

std::vector<Overlap> PlanSpace::overlaps(const PlanShape& shape) const {
  std::vector<Overlap> found;
  for (const Overlap overlap :
       chosen_or_all(choices_.overlap, {Overlap::none, Overlap::shared_expert, Overlap::batch}))
    if (overlap == Overlap::none || shape.expert > 1)
      if (overlap != Overlap::shared_expert || base_.model.experts.shared_hidden > 0)
        found.push_back(overlap);
  // A choice that these experts do not have says nothing about them.
  return found.empty() ? std::vector{Overlap::none} : found;
}

void PlanSpace::for_each_schedule(
    const PlanShape& shape, std::int64_t pipeline,
    const std::function<void(const PlanShape&, const PlanPipeline&)>& visit) const {
  constexpr std::int64_t most_virtual = 8;
  const std::int64_t layers_each =
      static_cast<std::int64_t>(base_.model.layers.size()) / std::max<std::int64_t>(1, pipeline);
  const Numbers virtual_stages =
      powers_of_two(std::clamp<std::int64_t>(layers_each, 1, most_virtual));
  for (const Schedule* schedule :
       chosen_or_all(choices_.schedule, {schedules.begin(), schedules.end()})) {
    // Without a pipeline all schedules are 1F1B.
    if (pipeline == 1 && choices_.schedule.size() != 1 && schedule != schedules.front())
      continue;
    for (const std::int64_t chunks : chosen_or_all(choices_.virtual_stages, virtual_stages))
      for (const Overlap overlap : overlaps(shape))
        visit(shape, {pipeline, chunks, schedule, overlap});
  }
}

void PlanSpace::for_each_degree(
    const std::function<void(const PlanShape&, const PlanPipeline&)>& visit) const {
  const std::int64_t gpus = base_.plan.gpus;
  for (const std::int64_t tensor :
       chosen_or_all(choices_.tensor, powers_of_two(topology_.node.scale_up_gpus)))
    for (const std::int64_t context : context_degrees())
      for (const std::int64_t pipeline : pipeline_degrees()) {
        const std::int64_t split = tensor * context * pipeline;
        if (gpus % split != 0)
          continue;
        for (const std::int64_t micro_batch : micro_batches()) {
          if (base_.training.global_batch % (gpus / split * micro_batch) != 0)
            continue;
          for (const std::int64_t expert_tensor : expert_tensor_degrees(tensor))
            for (const std::int64_t expert : expert_degrees()) {
              if (gpus / pipeline % (expert * expert_tensor) != 0)
                continue;
              for (const RecomputeChoice& recompute : recomputes())
                for_each_schedule({tensor, context, expert, expert_tensor, micro_batch, recompute},
                                  pipeline, visit);
            }
        }
      }
}

void PlanSpace::for_each(
    const std::function<void(const PlanShape&, const PlanPipeline&)>& visit) const {
  const PlanSharding any = shardings_[true][false].front();
  Workload plan = base_;
  for_each_degree([&](const PlanShape& shape, const PlanPipeline& pipeline) {
    set_plan(shape, pipeline, any, plan);
    if (!find_plan_fault(plan.plan, plan.model, plan.training) && !find_routing_fault(plan))
      visit(shape, pipeline);
  });
}

Workload PlanSpace::workload(const PlanShape& shape, const PlanPipeline& pipeline,
                             const PlanSharding& sharding) const {
  Workload workload = base_;
  set_plan(shape, pipeline, sharding, workload);
  return workload;
}

Workload PlanSpace::plan_of(const std::string& settings) const {
  std::optional<Workload> found;
  for_each([&](const PlanShape& shape, const PlanPipeline& pipeline) {
    for (const PlanSharding& sharding : shardings(shape, pipeline))
      if (Workload plan = workload(shape, pipeline, sharding);
          !found && plan_settings(plan) == settings)
        found = std::move(plan);
  });
  INVARIANT(found, "no plan is {}", settings);
  return *found;
}

void PlanSpace::set_plan(const PlanShape& shape, const PlanPipeline& pipeline,
                         const PlanSharding& sharding, Workload& workload) const {
  workload.training.micro_batch = shape.micro_batch;
  PlanInput input{.written = base_.plan, .expert = shape.expert};
  ParallelPlan& plan = input.written;
  plan.tensor = shape.tensor;
  plan.context = shape.context;
  plan.expert_tensor = shape.expert_tensor;
  plan.recompute = shape.recompute.kind;
  plan.recompute_modules = shape.recompute.modules;
  plan.pipeline = pipeline.pipeline;
  plan.virtual_stages = pipeline.virtual_stages;
  plan.schedule = *pipeline.schedule;
  plan.overlap_batches = pipeline.overlap == Overlap::batch;
  plan.zero_stage = sharding.zero_stage;
  workload.plan = resolve_plan(input, base_.model, base_.plan.gpus);
  workload.communication.overlap_shared_expert = pipeline.overlap == Overlap::shared_expert;
  workload.communication.dispatcher = sharding.dispatch.dispatcher;
  workload.communication.library = sharding.dispatch.library;
  workload.communication.host_posts = host_posts(workload, topology_);
  workload.graphs = sharding.graphs ? *sharding.graphs : largest_scope(workload);
}

std::string plan_settings(const Workload& workload) {
  const ParallelPlan& plan = workload.plan;
  const CommunicationSpec& communication = workload.communication;
  std::string text = fmt::format(
      "parallel.tensor={} parallel.context={} parallel.pipeline={} parallel.virtual_stages={} "
      "parallel.schedule=\"{}\" parallel.expert={} parallel.expert_tensor={} "
      "parallel.zero_stage={} parallel.recompute=\"{}\"",
      plan.tensor, plan.context, plan.pipeline, plan.virtual_stages, plan.schedule.name,
      plan.expert, plan.expert_tensor, plan.zero_stage, name_of(recompute_names, plan.recompute));
  if (plan.recompute == Recompute::selective) {
    std::vector<std::string> modules;
    for (const RecomputeModule module : plan.recompute_modules)
      modules.push_back(fmt::format("\"{}\"", name_of(recompute_module_names, module)));
    text += fmt::format(" parallel.recompute_modules=[{}]", fmt::join(modules, ","));
  }
  text += fmt::format(" training.micro_batch={} training.cuda_graph_scope={}",
                      workload.training.micro_batch, scope_text(workload.graphs));
  if (plan.expert == 1)
    return text;
  text += fmt::format(" communication.dispatcher=\"{}\"",
                      name_of(dispatcher_names, communication.dispatcher));
  if (communication.dispatcher == Dispatcher::node_limited)
    text += fmt::format(" communication.dispatch_library=\"{}\"",
                        name_of(dispatch_library_names, communication.library));
  return text + fmt::format(" communication.overlap=\"{}\"", plan.overlap_batches ? "batch"
                                                             : communication.overlap_shared_expert
                                                                 ? "shared-expert"
                                                                 : "none");
}

} // namespace moesim
