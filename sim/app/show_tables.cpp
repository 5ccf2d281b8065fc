#include "sim/app/show_tables.hpp"

#include "sim/base/input_error.hpp"
#include "sim/routing/load_statistics.hpp"
#include "sim/schedule/block_kernels.hpp"
#include "sim/schedule/data_parallel_work.hpp"
#include "sim/schedule/memory_estimate.hpp"
#include "sim/schedule/placed_stage.hpp"
#include "sim/schedule/stage_parameters.hpp"
#include "sim/study/memory_advice.hpp"
#include "sim/workload/pipeline_order.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace moesim {

namespace {

/// Collects rows `quantity,value,unit`.
class Quantities {
public:
  void add(const std::string& quantity, double value, const std::string& unit) {
    table_.rows.push_back({quantity, fmt::format("{:.9g}", value), unit});
  }
  void add(const std::string& quantity, const std::string& text, const std::string& unit) {
    table_.rows.push_back({quantity, text, unit});
  }
  void add(const std::string& quantity, std::int64_t value, const std::string& unit) {
    table_.rows.push_back({quantity, std::to_string(value), unit});
  }
  ResultTable take() { return std::move(table_); }

private:
  ResultTable table_{{"quantity", "value", "unit"}, {}};
};

/// A pass of a stage through one of its chunks.
struct ShownPass {
  std::int64_t stage = 0;
  std::int64_t chunk = 0;
  std::string pass;
};

void add_segments(const ShownPass& shown, const std::vector<Segment>& segments, const Works& works,
                  ResultTable& table) {
  for (std::size_t position = 0; position < segments.size(); ++position) {
    std::vector<std::string> row{std::to_string(shown.stage), std::to_string(shown.chunk),
                                 shown.pass, std::to_string(position)};
    const Segment& segment = segments[position];
    const std::string label = works.labels[segment.label].text();
    if (segment.kind == OpKind::compute) {
      Flops flops;
      Bytes bytes;
      for (const std::uint32_t list : works.computes[segment.work].kernels)
        for (const Kernel& kernel : works.kernel_lists[list]) {
          flops += kernel.flops;
          bytes += kernel.bytes;
        }
      row.insert(row.end(), {"compute", label, fmt::format("{:.9g}", flops.value),
                             std::to_string(bytes.value)});
    } else {
      const CollectiveWork& work = works.collectives[segment.work];
      const bool of_experts =
          work.group == GroupKind::expert || work.group == GroupKind::expert_tensor;
      const bool of_tokens = work.group == GroupKind::tensor || work.group == GroupKind::context;
      const char* stream = of_experts  ? "expert parallel"
                           : of_tokens ? "tensor parallel"
                                       : "data parallel";
      row.insert(row.end(), {stream, label, "0", std::to_string(work.bytes.value)});
    }
    table.rows.push_back(std::move(row));
  }
}

/// Adds the data-parallel communication beside the last pass of a step, unless it runs beside every
/// pass and is already listed.
void add_last(const ShownPass& shown, const std::vector<Segment>& last,
              const std::vector<Segment>& every, const Works& works, ResultTable& table) {
  const auto is_detached = [](const Segment& segment) { return segment.detached; };
  std::vector<Segment> detached;
  if (std::none_of(every.begin(), every.end(), is_detached))
    std::copy_if(last.begin(), last.end(), std::back_inserter(detached), is_detached);
  add_segments(shown, detached, works, table);
}

/// Adds the passes of a chunk of a stage.
void add_chunk(const Workload& workload, std::int64_t stage, std::int64_t chunk,
               const ExpertLoads& loads, StepTables& tables, ResultTable& table) {
  const Schedule& schedule = workload.plan.schedule;
  const Works& works = tables.works.works();
  ChunkPasses passes(workload, workload.plan.virtual_stage(stage, chunk), {&loads, 0, std::nullopt},
                     tables.works, tables.blocks, tables.gradients);
  const auto add_backward = [&](const std::string& name, Gradients gradients) {
    const std::vector<Segment> every = passes.backward(gradients, PassPosition::regular);
    add_segments({stage, chunk, name}, every, works, table);
    if (gradients != Gradients::inputs && data_parallel_rule(workload).overlaps)
      add_last({stage, chunk, "last " + name}, passes.backward(gradients, PassPosition::edge),
               every, works, table);
  };
  add_segments({stage, chunk, "forward"}, passes.forward(PassPosition::regular), works, table);
  if (has_pass(schedule, Pass::backward))
    add_backward("backward", Gradients::all);
  if (has_pass(schedule, Pass::backward_input))
    add_backward("backward_input", Gradients::inputs);
  if (has_pass(schedule, Pass::backward_weight))
    add_backward("backward_weight", Gradients::weights);
}

} // namespace

ResultTable show_model(const Scenario& scenario) {
  const ModelSpec& model = scenario.workload.model;
  const ParameterCount count = count_parameters(model);
  const std::int64_t sequence = scenario.workload.training.sequence_length;
  const TokenFlops flops = flops_per_token_forward(model, sequence);
  Quantities out;
  out.add("family_file", family_file(model.family), "");
  out.add("layers", static_cast<std::int64_t>(model.layers.size()), "layers");
  out.add("hidden", model.hidden, "values");
  out.add("experts", model.experts.experts, "experts");
  out.add("experts_per_token", model.experts.experts_per_token, "experts");
  out.add("parameters_total", count.total, "parameters");
  out.add("parameters_active", count.active, "parameters");
  out.add("parameters_embedding", count.embedding, "parameters");
  out.add("parameters_head", count.head, "parameters");
  out.add("parameters_attention_block", count.attention, "parameters");
  out.add("parameters_router", count.router, "parameters");
  out.add("parameters_expert", count.expert, "parameters");
  out.add("parameters_shared_experts", count.shared, "parameters");
  out.add("sequence_length", sequence, "tokens");
  out.add("flops_per_token_forward", flops.total().value, "FLOPs");
  out.add("flops_per_token_attention", flops.attention.value, "FLOPs");
  out.add("flops_per_token_router", flops.router.value, "FLOPs");
  out.add("flops_per_token_expert", flops.expert.value, "FLOPs");
  out.add("flops_per_token_shared_expert", flops.shared.value, "FLOPs");
  out.add("flops_per_token_dense", flops.dense.value, "FLOPs");
  out.add("flops_per_token_head", flops.head.value, "FLOPs");
  return out.take();
}

ResultTable show_topology(const Scenario& scenario) {
  const TopologySpec& spec = scenario.topology;
  const Topology topology(spec, scenario.workload.plan.gpus);
  Quantities out;
  out.add("gpus", topology.gpus(), "GPUs");
  out.add("nodes", topology.nodes(), "nodes");
  out.add("gpus_per_node", spec.node.gpus, "GPUs");
  out.add("nics", topology.count(VertexKind::nic), "NICs");
  out.add("scale_up_domains", topology.domains(), "domains");
  out.add("leaf_switches", topology.count(VertexKind::leaf), "switches");
  out.add("links", static_cast<std::int64_t>(topology.links()), "directed links");
  out.add("gpus_max", spec.gpus_max, "GPUs");
  out.add("gpu_memory_gib", gib(spec.gpu.memory), "GiB");
  out.add("gpu_memory_gbyte_per_s", spec.gpu.memory_bandwidth.value * 1e-9, "GB/s");
  out.add("gpu_bf16_tflops", spec.gpu.bf16.value * 1e-12, "TFLOP/s");
  out.add("scale_up_gbyte_per_s_per_gpu", spec.node.scale_up.value * 1e-9, "GB/s, one direction");
  const double nics_per_gpu =
      static_cast<double>(spec.node.nics) / static_cast<double>(spec.node.gpus);
  out.add("scale_out_gbyte_per_s_per_gpu", spec.node.nic.value * nics_per_gpu * 1e-9,
          "GB/s, one direction");
  out.add("oversubscription", spec.fabric.oversubscription, "down over up");
  const Bisection bisection = topology.bisection();
  out.add("bisection_gbyte_per_s", bisection.rate.value * 1e-9, "GB/s, one direction");
  for (const auto& [kind, links] : bisection.cut)
    out.add("narrowest_cut_" + kind, links, "links");
  return out.take();
}

ResultTable show_schedule(const Scenario& scenario) {
  const ParallelPlan& plan = scenario.workload.plan;
  ResultTable table{{"stage", "chunk", "pass", "position", "stream", "operation", "flops", "bytes"},
                    {}};
  Works works;
  StepTables tables(scenario.workload, works);
  const ExpertLoads loads(scenario.workload);
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    add_segments({stage, 0, "start of step"},
                 step_start_work(scenario.workload, stage, tables.works), works, table);
    for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk)
      add_chunk(scenario.workload, stage, chunk, loads, tables, table);
    add_segments({stage, 0, "end of step"},
                 step_end_work(scenario.workload, stage, loads, tables.works), works, table);
  }
  return table;
}

namespace {

/// A row of tokens that a rank sends to the experts of a layer, and that its own experts get.
std::vector<std::string> routing_row(const Workload& w, const ExpertLoads& loads,
                                     std::int64_t micro_batch, std::int64_t layer,
                                     std::int64_t rank) {
  const Sizes sizes = sizes_of_layer(w, loads.at(layer, micro_batch),
                                     w.plan.expert_rank(RankId(static_cast<std::uint32_t>(rank))));
  const LoadStatistics uneven = sizes.load ? load_statistics(sizes.load->wanted) : LoadStatistics{};
  return {std::to_string(layer),
          std::to_string(rank),
          std::to_string(experts_per_rank(w)),
          std::to_string(routed_tokens_per_rank(w, sizes)),
          std::to_string(expert_tokens_per_rank(w, sizes) / w.plan.expert_tensor),
          fmt::format("{:.6g}", uneven.max_over_mean),
          fmt::format("{:.6g}", uneven.gini),
          fmt::format("{:.6g}", uneven.coefficient_of_variation)};
}

} // namespace

ResultTable show_routing(const Scenario& scenario, std::int64_t micro_batch) {
  ResultTable table{{"layer", "rank", "experts", "tokens_sent", "tokens_received",
                     "load_max_over_mean", "load_gini", "load_coefficient_of_variation"},
                    {}};
  const Workload& w = scenario.workload;
  if (const std::int64_t all = w.plan.micro_batches(w.training); micro_batch >= all)
    throw InputError({fmt::format("--micro-batch {}", micro_batch)},
                     fmt::format("a step has {} micro-batches", all), "they count from 0");
  const ExpertLoads loads(w);
  const std::int64_t ranks = w.plan.stage_ranks();
  for (std::int64_t part = 0; part < w.plan.virtual_stage_count(); ++part) {
    const std::int64_t first = first_layer(w.plan, part);
    const std::int64_t count = w.plan.layers_per_stage[static_cast<std::size_t>(part)];
    for (std::int64_t layer = first; layer < first + count; ++layer) {
      if (!w.model.layers[static_cast<std::size_t>(layer)].moe)
        continue;
      for (std::int64_t copy = 0; copy < w.plan.holders(); ++copy) {
        const std::int64_t start = w.plan.holder(part, copy) * ranks;
        for (std::int64_t rank = start; rank < start + ranks; ++rank)
          table.rows.push_back(routing_row(w, loads, micro_batch, layer, rank));
      }
    }
  }
  return table;
}

std::string describe_memory(const Scenario& scenario) {
  const MemoryEstimate memory = fullest_stage(scenario.workload);
  const Bytes capacity = scenario.topology.gpu.memory;
  if (memory.total() > capacity)
    return fmt::format("The plan does not fit: {}; {}.\n", missing_memory_text(memory, capacity),
                       memory_advice(scenario.workload, capacity));
  return fmt::format("Stage {} of {} is the fullest: {:.2f} of {:.2f} GiB are left on each of its "
                     "GPUs.\n",
                     memory.stage, scenario.workload.plan.pipeline, gib(capacity - memory.total()),
                     gib(capacity));
}

ResultTable show_memory(const Scenario& scenario) {
  const MemoryEstimate memory = fullest_stage(scenario.workload);
  ResultTable table{{"component", "gib"}, {}};
  const auto add = [&](const std::string& component, Bytes bytes) {
    table.rows.push_back({component, fmt::format("{:.9g}", gib(bytes))});
  };
  add("weights", memory.weights);
  add("gradients", memory.gradients);
  add("optimizer_states", memory.optimizer_states);
  add("gathered", memory.gathered);
  add("gradient_placeholders", memory.gradient_placeholders);
  add("activations", memory.activations);
  add("dispatch_buffers", memory.dispatch_buffers);
  add("fragmentation", memory.fragmentation);
  add("framework", memory.framework);
  add("total", memory.total());
  add("gpu_capacity", scenario.topology.gpu.memory);
  return table;
}

} // namespace moesim
