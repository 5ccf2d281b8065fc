#include "sim/study/dense_twin.hpp"

#include "sim/base/check.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace moesim {

namespace {

using nlohmann::json;

PlanProblem problem_of(const Scenario& scenario, ModelSpec model) {
  PlanProblem problem{
      {}, scenario.search.value_or(PlanChoices{}), scenario.topology, scenario.fidelity};
  PlanChoices& choices = problem.choices;
  choices.expert.clear();
  choices.expert_tensor.clear();
  choices.dispatcher.clear();
  choices.library.clear();
  choices.overlap.clear();
  const Workload& own = scenario.workload;
  if (!scenario.search) { // 1F1B, with the batch and the sharding of the fixed plan
    choices.context = {own.plan.context};
    choices.zero_stage = {own.plan.zero_stage};
    choices.micro_batch = {own.training.micro_batch};
    choices.schedule = {&Schedule::one_forward_one_backward};
    choices.virtual_stages = {1};
    choices.recompute = {Recompute::none, Recompute::full};
    choices.graphs = {own.graphs};
  }
  for (CudaGraphs& graphs : choices.graphs)
    graphs.router = graphs.preprocess = false; // a dense model has none
  std::sort(choices.graphs.begin(), choices.graphs.end());
  choices.graphs.erase(std::unique(choices.graphs.begin(), choices.graphs.end()),
                       choices.graphs.end());
  Workload& workload = problem.base;
  workload.model = std::move(model);
  workload.model.name.clear();
  workload.plan.gpus = own.plan.gpus;
  workload.plan.offload_layers = own.plan.offload_layers;
  workload.plan.offload_modules = own.plan.offload_modules;
  workload.training = own.training;
  workload.training.micro_batch = 1; // the search chooses it
  workload.communication.overlap_tensor = own.communication.overlap_tensor;
  workload.communication.overlap_data_parallel = own.communication.overlap_data_parallel;
  problem.topology.name.clear();
  for (FaultSpec& fault : problem.topology.faults)
    fault.where = {};
  return problem;
}

// Each function binds every member of its structure: one that is added does not compile until it is
// named here too.

json members(const LayerSpec& layer) {
  const auto& [moe, attention_blocks, dense_hidden, window] = layer;
  return json::array({moe, attention_blocks, dense_hidden, window});
}

json members(const FaultSpec& fault) {
  const auto& [part, name, rail, capacity_share, where] = fault;
  return json::array({part, name, rail, capacity_share, where.file, where.line});
}

json members(const CudaGraphs& graphs) {
  const auto& [full_iteration, attention, router, preprocess, dense] = graphs;
  return json::array({full_iteration, attention, router, preprocess, dense});
}

template <typename Items> json all_of(const Items& items) {
  json list = json::array();
  for (const auto& item : items)
    list.push_back(members(item));
  return list;
}

json members(const AttentionSpec& attention) {
  const auto& [kind, heads, kv_heads, head_dim, value_dim, qkv_bias, output_bias, sinks, qk_norm,
               q_lora_rank, kv_lora_rank, rope_dim] = attention;
  return json::array({kind, heads, kv_heads, head_dim, value_dim, qkv_bias, output_bias, sinks,
                      qk_norm, q_lora_rank, kv_lora_rank, rope_dim});
}

json members(const ExpertSpec& expert) {
  const auto& [experts, experts_per_token, expert_hidden, shared_hidden, shared_gate, router_bias,
               expert_bias, clamped, groups, groups_per_token] = expert;
  return json::array({experts, experts_per_token, expert_hidden, shared_hidden, shared_gate,
                      router_bias, expert_bias, clamped, groups, groups_per_token});
}

json members(const ModelSpec& model) {
  const auto& [name, family, hidden, vocabulary, tied_embeddings, feed_forward_matrices, attention,
               experts, layers, mtp_layers] = model;
  return json::array({name, family, hidden, vocabulary, tied_embeddings, feed_forward_matrices,
                      members(attention), members(experts), all_of(layers), mtp_layers});
}

json members(const TrainingSpec& training) {
  const auto& [sequence_length, global_batch, micro_batch, precision, fp8_recipe, fused_experts,
               fp32_gradients, compressed_activations, fp32_moments, master_weights, fp32_shards,
               expandable_segments, attention, attention_dropout, hidden_dropout] = training;
  return json::array({sequence_length, global_batch, micro_batch, precision, fp8_recipe,
                      fused_experts, fp32_gradients, fp32_moments, compressed_activations,
                      master_weights, fp32_shards, expandable_segments, attention,
                      attention_dropout, hidden_dropout});
}

json members(const ParallelPlan& plan) {
  const auto& [gpus, tensor, pipeline, virtual_stages, schedule, context, expert, expert_tensor,
               sequence_parallel, overlap_batches, zero_stage, recompute, recompute_modules,
               offload_layers, offload_modules, layers_per_stage] = plan;
  return json::array({gpus, tensor, pipeline, virtual_stages, schedule.name, context, expert,
                      expert_tensor, sequence_parallel, overlap_batches, zero_stage, recompute,
                      recompute_modules, offload_layers, offload_modules, layers_per_stage});
}

json members(const CommunicationSpec& communication) {
  const auto& [dispatcher, dispatch_precision, library, host_posts, overlap_shared_expert,
               overlap_tensor, overlap_data_parallel, wait_for_ranks] = communication;
  return json::array({dispatcher, dispatch_precision, library, host_posts, overlap_shared_expert,
                      overlap_tensor, overlap_data_parallel, wait_for_ranks.value});
}

json members(const Workload& workload) {
  const auto& [model, plan, training, routing, communication, graphs] = workload;
  INVARIANT(routing.even(), "load {}", static_cast<int>(routing.load)); // a dense model routes none
  return json::array(
      {members(model), members(plan), members(training), members(communication), members(graphs)});
}

json members(const GpuSpec& gpu) {
  const auto& [kind, memory, bf16, fp8, memory_bandwidth, sms, board_power_w, kind_place] = gpu;
  return json::array({kind, memory.value, bf16.value, fp8.value, memory_bandwidth.value, sms});
}

json members(const NodeSpec& node) {
  const auto& [gpus, scale_up_interconnect, scale_up_gpus, scale_up, scale_up_latency,
               scale_up_switch_gpus, scale_up_oversubscription, in_switch_reduction, nics,
               nic_interconnect, nic, nic_latency, pcie, host, host_place] = node;
  return json::array({gpus, scale_up_interconnect, scale_up_gpus, scale_up.value,
                      scale_up_latency.value, scale_up_switch_gpus, scale_up_oversubscription,
                      in_switch_reduction, nics, nic_interconnect, nic.value, nic_latency.value,
                      pcie.value, host});
}

json members(const FabricSpec& fabric) {
  const auto& [kind, tiers, nodes_per_leaf, leaves_per_pod, oversubscription, pod_oversubscription,
               switch_latency, ecmp_flows_per_nic, routers_per_group, local_link, global_link,
               dimensions, torus_link, nodes_file, links_file] = fabric;
  return json::array({kind, tiers, nodes_per_leaf, leaves_per_pod, oversubscription,
                      pod_oversubscription, switch_latency.value, ecmp_flows_per_nic,
                      routers_per_group, local_link.value, global_link.value, dimensions,
                      torus_link.value, nodes_file.string(), links_file.string()});
}

json members(const TopologySpec& topology) {
  const auto& [name, placement, gpu, node, fabric, gpus_max, faults] = topology;
  return json::array(
      {name, placement, members(gpu), members(node), members(fabric), gpus_max, all_of(faults)});
}

json members(const PlanChoices& choices) {
  const auto& [tensor, context, pipeline, virtual_stages, expert, expert_tensor, zero_stage,
               micro_batch, schedule, recompute, recompute_modules, dispatcher, library, overlap,
               graphs] = choices;
  json schedule_names = json::array();
  for (const Schedule* one : schedule)
    schedule_names.push_back(one->name);
  return json::array({tensor, context, pipeline, virtual_stages, expert, expert_tensor, zero_stage,
                      micro_batch, schedule_names, recompute,
                      recompute_modules ? json(*recompute_modules) : json(), dispatcher, library,
                      overlap, all_of(graphs)});
}

json members(const PlanProblem& problem) {
  const auto& [base, choices, topology, fidelity] = problem;
  return json::array({members(base), members(choices), members(topology), fidelity});
}

} // namespace

bool has_twins(const ModelSpec& model) {
  return model.is_moe() || model.experts.experts == 1;
}

PlanProblem dense_twin_problem(const Scenario& scenario) {
  return problem_of(scenario, dense_twin(scenario.workload.model));
}

PlanProblem active_dense_twin_problem(const Scenario& scenario) {
  return problem_of(scenario, active_dense_twin(scenario.workload.model));
}

std::string key_of(const PlanProblem& problem) {
  return members(problem).dump();
}

TwinAnswer search_twin(const PlanProblem& problem, const Costs& costs) {
  const PlanSearch search = search_plans(problem, costs, 1);
  if (search.best.empty())
    return {no_value, {}, "no plan fits into memory", ""};
  const FoundPlan& best = search.best.front();
  const StepMetrics& metrics = best.replay.metrics;
  return {metrics.step_time.value * 1e3, metrics.waterfall, plan_settings(best.workload), ""};
}

} // namespace moesim
