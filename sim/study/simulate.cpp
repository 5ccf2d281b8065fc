#include "sim/study/simulate.hpp"

#include "sim/base/input_error.hpp"
#include "sim/scenario/placed_topology.hpp"
#include "sim/study/imbalance.hpp"
#include "sim/study/lost_savings.hpp"
#include "sim/study/memory_advice.hpp"
#include "sim/study/no_plan.hpp"
#include "sim/study/uneven_step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

namespace moesim {

namespace {

double milliseconds(Seconds time) {
  return time.value * 1e3;
}

double model_flops(const Workload& workload) {
  const double tokens = static_cast<double>(workload.training.global_batch) *
                        static_cast<double>(workload.training.sequence_length);
  // Backward costs twice the forward pass.
  return 3.0 * tokens *
         flops_per_token_forward(workload.model, workload.training.sequence_length).total().value;
}

void fill_throughput(const Scenario& scenario, StepResult& result) {
  const Workload& w = scenario.workload;
  const double seconds = result.step_time_ms / 1e3;
  const auto gpus = static_cast<double>(w.plan.gpus);
  const double tokens = static_cast<double>(w.training.global_batch) *
                        static_cast<double>(w.training.sequence_length);
  result.tokens_per_s = tokens / seconds;
  result.tokens_per_s_per_gpu = result.tokens_per_s / gpus;
  const FlopsPerSecond rate{model_flops(w) / seconds / gpus};
  result.model_tflops_per_gpu = rate.value * 1e-12;
  const GpuSpec& gpu = scenario.topology.gpu;
  result.mfu_bf16_percent = 100.0 * (rate / gpu.bf16);
  result.mfu_percent = 100.0 * (rate / peak_of(gpu, w.training.precision));
}

/// Error of an approximate replay at a confidence of 90 %: of 13 that were replayed exactly too, 12
/// are within it (calibration/DEVIATIONS.md 19).
constexpr double approximate_replay_error = 0.04;

void fill_interval(const StepReplay& replay, const CudaGraphs& graphs,
                   const StepIntervals& intervals, StepResult& result) {
  const StepMetrics& metrics = replay.metrics;
  const double cost_error = metrics.error_bar / metrics.step_time;
  const double error = std::hypot(cost_error, replay.approximate ? approximate_replay_error : 0.0);
  const TimeInterval ends =
      intervals.around(metrics.step_time, metrics.step_time * error, launch_of(graphs));
  result.step_time_low_ms = milliseconds(ends.low);
  result.step_time_high_ms = milliseconds(ends.high);
  result.cost_error_percent = 100.0 * error;
  result.folding = replay.approximate ? "approximate" : "exact";
}

void fill_waterfall(const StepMetrics& metrics, StepResult& result) {
  result.step_time_ms = milliseconds(metrics.step_time);
  result.compute_ms = milliseconds(metrics.waterfall.compute);
  result.ep_exposed_ms = milliseconds(metrics.waterfall.ep_exposed);
  result.pp_bubble_ms = milliseconds(metrics.waterfall.pp_bubble);
  result.tp_exposed_ms = milliseconds(metrics.waterfall.tp_exposed);
  result.dp_exposed_ms = milliseconds(metrics.waterfall.dp_exposed);
  result.optimizer_ms = milliseconds(metrics.waterfall.optimizer);
  result.other_ms = milliseconds(metrics.waterfall.other);
  result.ep_exposed_percent = 100.0 * (metrics.waterfall.ep_exposed / metrics.step_time);
  result.ep_scale_out_ms = milliseconds(metrics.ep_scale_out);
  result.ep_total_ms = milliseconds(metrics.ep_total);
  result.dispatch_ms = milliseconds(metrics.dispatch);
  result.combine_ms = milliseconds(metrics.combine);
  const auto part = [&](KernelPart kind) { return milliseconds(metrics.parts[index(kind)]); };
  result.attention_ms = part(KernelPart::attention);
  result.router_ms = part(KernelPart::router);
  result.permute_ms = part(KernelPart::permute);
  result.expert_ms = part(KernelPart::expert);
  result.shared_expert_ms = part(KernelPart::shared_expert);
  result.dense_ms = part(KernelPart::dense);
  result.head_ms = part(KernelPart::head);
  result.feed_forward_ms =
      result.permute_ms + result.expert_ms + result.shared_expert_ms + result.dense_ms;
  const Seconds computing = metrics.waterfall.compute + metrics.waterfall.optimizer;
  result.extrapolated_percent = 100.0 * (metrics.extrapolated / computing);
  result.bottleneck = metrics.bottleneck;
  result.ep_limited_by = metrics.ep_limit;
}

/// "grouped products: other expert sizes 34 %; …; all_to_all on infiniband".
std::string extrapolated_text(const StepReplay& replay) {
  const StepMetrics& metrics = replay.metrics;
  std::vector<std::string> costs;
  for (const auto& [cost, time] : metrics.extrapolated_costs)
    costs.push_back(fmt::format("{} {:.1f} %", cost, 100.0 * (time / metrics.step_time)));
  costs.insert(costs.end(), replay.extrapolated.begin(), replay.extrapolated.end());
  return fmt::format("{}", fmt::join(costs, "; "));
}

/// "attention: the table of h200-sxm; all_to_all on nvlink6: the curve of all_to_all on nvlink5".
std::string stand_in_text(const Workload& workload, const StepReplay& replay) {
  std::vector<std::string> costs = replay.metrics.stand_ins;
  costs.insert(costs.end(), replay.stand_ins.begin(), replay.stand_ins.end());
  const Library library = workload.communication.library;
  if (workload.communication.dispatcher == Dispatcher::node_limited && workload.plan.expert > 1 &&
      costs_library(library) != library)
    costs.push_back(fmt::format("dispatch and combine of {}: the curves of {}",
                                name_of(library_names, library),
                                name_of(library_names, costs_library(library))));
  return fmt::format("{}", fmt::join(costs, "; "));
}

void fill_plan(const Workload& workload, const ExpertLoads& loads, StepResult& result) {
  result.cuda_graph_scope = scope_words(workload.graphs);
  result.plan = plan_settings(workload);
  result.expert_parallel = static_cast<double>(workload.plan.expert);
  result.data_parallel = static_cast<double>(workload.plan.data());
  result.micro_batches = static_cast<double>(workload.plan.micro_batches(workload.training));
  fill_routing(workload, loads, result);
}

bool fits(const Scenario& scenario, const ExpertLoads& loads, StepResult& result) {
  const MemoryEstimate memory = fullest_stage(scenario.workload, loads);
  const Bytes available = scenario.topology.gpu.memory;
  result.memory_gib_per_gpu = gib(memory.total());
  result.allocated_gib_per_gpu = gib(memory.allocated());
  if (memory.total() <= available)
    return true;
  result.status = "out-of-memory";
  result.reason =
      missing_memory_text(memory, available) + "; " + memory_advice(scenario.workload, available);
  return false;
}

/// Searches a twin and says in the diagnostics which plan it is best under.
TwinAnswer best_twin(const std::string& name, const PlanProblem& problem, const Costs& costs,
                     Prediction& prediction) {
  TwinAnswer best = search_twin(problem, costs);
  prediction.diagnostics.emplace_back(name + "_plan", best.plan);
  return best;
}

} // namespace

Twins twins_for(const std::string& column) {
  static const std::set<std::string> compared = {"dense_step_time_ms",
                                                 "ideal_speedup",
                                                 "actual_speedup",
                                                 "savings_kept_percent",
                                                 "active_dense_step_time_ms",
                                                 "moe_tax_percent",
                                                 "straggler_ms",
                                                 "imbalance_ms",
                                                 "imbalance_gemm_ms",
                                                 "imbalance_all_to_all_ms"};
  return compared.contains(column) || column.starts_with("lost_") ? Twins::search : Twins::skip;
}

void compare_with_twins(const Scenario& scenario, const TwinAnswer& dense,
                        const TwinAnswer& active_dense, StepResult& result) {
  const ModelSpec& model = scenario.workload.model;
  const std::int64_t sequence = scenario.workload.training.sequence_length;
  result.ideal_speedup = flops_per_token_forward(dense_twin(model), sequence).total() /
                         flops_per_token_forward(model, sequence).total();
  result.dense_step_time_ms = dense.step_time_ms;
  result.actual_speedup = result.dense_step_time_ms / result.step_time_ms;
  result.savings_kept_percent = savings_kept_at(result, result.step_time_ms);
  result.uneven_savings_kept_percent = savings_kept_at(result, result.uneven_step_time_ms);
  fill_lost_savings(dense.waterfall, result);
  result.active_dense_step_time_ms = active_dense.step_time_ms;
  result.moe_tax_percent = 100.0 * (result.step_time_ms / result.active_dense_step_time_ms - 1.0);
}

namespace {

/// Says how many GPUs stay idle so that groups are whole.
void note_idle_gpus(const Scenario& scenario, Prediction& prediction) {
  const ParallelPlan& plan = scenario.workload.plan;
  const std::int64_t idle = idle_gpus(scenario.topology, plan);
  prediction.result.idle_gpus = static_cast<double>(idle);
  const std::int64_t domain = scenario.topology.node.scale_up_gpus;
  if (idle > 0)
    prediction.diagnostics.emplace_back(
        "placement",
        fmt::format(
            "groups are placed whole: {} GPUs of each scale-up domain of {} stay idle, {} in "
            "all; cluster.placement = \"packed\" uses them",
            domain - domain_gpus_used(scenario.topology, plan), domain, idle));
}

/// Says which scope a step has that the scenario does not name.
void note_default_graphs(const Scenario& scenario, Prediction& prediction) {
  if (scenario.graphs_origin == GraphsOrigin::default_none)
    prediction.diagnostics.emplace_back(
        "cuda_graphs", "none, as Megatron-Core captures none by default: its host launches kernel "
                       "by kernel; training.cuda_graph_scope names others");
}

/// Says whose times a GPU kind has that no table lists.
void note_unlisted_gpu(const Scenario& scenario, const Costs& costs, Prediction& prediction) {
  const std::string& nearest = costs.compute.nearest_of_unlisted();
  if (!nearest.empty())
    prediction.diagnostics.emplace_back(
        warning_name,
        fmt::format("gpu.kind \"{}\" is not in gpus.csv: its kernels take the times of {}, "
                    "scaled by the peaks of the topology file, with a wide interval",
                    scenario.topology.gpu.kind, nearest));
}

/// Says that fp8 without its arithmetic runs as bf16.
void note_missing_fp8(const Scenario& scenario, Prediction& prediction) {
  const GpuSpec& gpu = scenario.topology.gpu;
  if (is_quantised(scenario.workload.training.precision) && gpu.fp8 <= gpu.bf16)
    prediction.diagnostics.emplace_back(
        warning_name, fmt::format("{} gives no fp8_tflops of its GPU: products take the time of "
                                  "bf16, without casts",
                                  scenario.topology.name));
}

/// Says what it costs that groups straddle scale-up domains: replays the step with groups placed
/// whole, where that can be.
void note_straddling(const Scenario& scenario, const Costs& costs, const ExpertLoads& loads,
                     Prediction& prediction) {
  const ParallelPlan& plan = scenario.workload.plan;
  if (!groups_straddle(scenario.topology, plan))
    return;
  const std::string straddle =
      fmt::format("groups straddle scale-up domains of {} GPUs: their communication leaves the "
                  "domain",
                  scenario.topology.node.scale_up_gpus);
  const std::optional<TopologySpec> whole = whole_topology(scenario.topology, plan);
  if (!whole) {
    prediction.diagnostics.emplace_back(warning_name, straddle + "; this cluster cannot place "
                                                                 "them whole");
    return;
  }
  Workload workload = scenario.workload;
  workload.communication.host_posts = host_posts(workload, *whole);
  const StepReplay replay =
      replay_step(workload, Topology(placed_topology(*whole, plan), plan.gpus), scenario.fidelity,
                  costs, loads);
  StepResult& result = prediction.result;
  const double whole_ms = milliseconds(replay.metrics.step_time);
  result.straddling_ms = result.step_time_ms - whole_ms;
  const std::int64_t held = whole->gpus_max;
  prediction.diagnostics.emplace_back(
      warning_name,
      fmt::format("{}; a step of {:.1f} ms, and of {:.1f} ms with groups placed whole: {:+.1f} ms "
                  "({:+.1f} %). That leaves {} GPUs idle{}",
                  straddle, result.step_time_ms, whole_ms, result.straddling_ms,
                  100.0 * result.straddling_ms / whole_ms, idle_gpus(*whole, plan),
                  held > scenario.topology.gpus_max
                      ? fmt::format(", and takes a cluster of {} GPUs, not {}", held,
                                    scenario.topology.gpus_max)
                      : ""));
}

/// Fills a prediction for a plan that is known. `known`: the replay of the step, if there was one;
/// an observer still sees its own.
void predict_plan(const Scenario& scenario, const Costs& costs, const TimelineObserver& observe,
                  Twins twins, const StepReplay* known, Prediction& prediction) {
  StepResult& result = prediction.result;
  const ExpertLoads loads(scenario.workload);
  fill_plan(scenario.workload, loads, result);
  if (!fits(scenario, loads, result))
    return;
  const Topology topology(placed_topology(scenario.topology, scenario.workload.plan),
                          scenario.workload.plan.gpus);
  const StepReplay replay =
      known && !observe
          ? *known
          : replay_step(scenario.workload, topology, scenario.fidelity, costs, loads, observe);
  fill_waterfall(replay.metrics, result);
  fill_interval(replay, scenario.workload.graphs, costs.intervals, result);
  fill_throughput(scenario, result);
  prediction.bottleneck_use_percent = 100.0 * replay.metrics.bottleneck_use;
  prediction.diagnostics = {
      {"operations", std::to_string(replay.operations)},
      {"activities", std::to_string(replay.activities)},
      {"bottleneck_use_percent", fmt::format("{:.1f}", prediction.bottleneck_use_percent)}};
  note_idle_gpus(scenario, prediction);
  note_unlisted_gpu(scenario, costs, prediction);
  note_missing_fp8(scenario, prediction);
  note_straddling(scenario, costs, loads, prediction);
  if (replay.approximate)
    prediction.diagnostics.emplace_back(
        "folding",
        "approximate: ranks of a stage differ by place or load; collectives are the loads of their "
        "busiest links");
  prediction.extrapolated_share = replay.metrics.extrapolated / replay.metrics.step_time;
  result.extrapolated_costs = extrapolated_text(replay);
  result.stand_ins = stand_in_text(scenario.workload, replay);
  fill_uneven(scenario, topology, costs, result);
  if (twins != Twins::skip)
    fill_imbalance(scenario, loads, topology, costs, result);
}

/// A scenario under the fastest plan of its search, and the replay of that.
struct BestPlanned {
  Scenario scenario;
  StepReplay replay;
};

/// Searches the best plan; nothing if no plan fits.
std::optional<BestPlanned> best_planned(const Scenario& scenario, const Costs& costs,
                                        std::size_t plans, Prediction& prediction) {
  PlanSearch search = search_plans(
      {scenario.workload, *scenario.search, scenario.topology, scenario.fidelity}, costs, plans);
  StepResult& result = prediction.result;
  result.plans_legal = static_cast<double>(search.legal);
  result.plans_fit = static_cast<double>(search.fit);
  result.plans_replayed = static_cast<double>(search.replayed);
  if (search.best.empty()) {
    result.status = search.legal == 0 ? "illegal" : "out-of-memory";
    result.reason = no_plan_text(search, scenario);
    return std::nullopt;
  }
  for (const FoundPlan& plan : search.best)
    prediction.best_plans.push_back(
        {milliseconds(plan.replay.metrics.step_time), plan_settings(plan.workload)});
  FoundPlan& fastest = search.best.front();
  BestPlanned best{scenario, std::move(fastest.replay)};
  best.scenario.workload = std::move(fastest.workload);
  best.scenario.search.reset();
  return best;
}

} // namespace

Workload workload_under(const Scenario& scenario, const std::string& plan) {
  if (!scenario.search)
    return scenario.workload;
  return PlanSpace(scenario.workload, *scenario.search, scenario.topology).plan_of(plan);
}

Scenario with_plan(const Scenario& scenario, const std::string& plan) {
  Scenario planned = scenario;
  planned.workload = workload_under(scenario, plan);
  planned.search.reset();
  return planned;
}

Scenario under_best_plan(const Scenario& scenario, const Costs& costs) {
  Prediction prediction;
  const std::optional<BestPlanned> best = best_planned(scenario, costs, 1, prediction);
  if (!best)
    throw InputError({scenario.inputs.front().string()}, prediction.result.reason);
  return best->scenario;
}

Prediction simulate(const Scenario& scenario, const Costs& costs, const TimelineObserver& observe,
                    Twins twins, std::size_t plans) {
  Prediction prediction;
  StepResult& result = prediction.result;
  result.cuda_graph_scope_origin = name_of(graphs_origin_names, scenario.graphs_origin);
  if (scenario.search) {
    const std::optional<BestPlanned> best = best_planned(scenario, costs, plans, prediction);
    if (!best)
      return prediction;
    predict_plan(best->scenario, costs, observe, twins, &best->replay, prediction);
  } else {
    predict_plan(scenario, costs, observe, twins, nullptr, prediction);
  }
  note_default_graphs(scenario, prediction);
  if (twins == Twins::search && has_twins(scenario.workload.model) && result.status == "ok") {
    const TwinAnswer dense =
        best_twin("dense_twin", dense_twin_problem(scenario), costs, prediction);
    const TwinAnswer active_dense =
        best_twin("active_dense_twin", active_dense_twin_problem(scenario), costs, prediction);
    compare_with_twins(scenario, dense, active_dense, result);
  }
  return prediction;
}

} // namespace moesim
