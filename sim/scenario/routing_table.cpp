#include "sim/scenario/routing_table.hpp"

#include "sim/input/named_file.hpp"
#include "sim/routing/expert_placement.hpp"
#include "sim/routing/load_trace.hpp"
#include "sim/routing/trained_loads.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr Range<std::int64_t> any_count{0, 1'000'000'000};

/// How much busier than the mean an expert can be, if so many are: a token chooses an expert once,
/// and there are no more tokens than all.
double most_load(const ModelSpec& model, std::int64_t hot_experts) {
  return static_cast<double>(model.experts.experts) /
         static_cast<double>(std::max(model.experts.experts_per_token, hot_experts));
}

double read_hot_load(const TomlTable& table, const Workload& workload, std::int64_t hot_experts) {
  const double load = table.number("hot_load", {1.0, 1e9});
  if (const double most = most_load(workload.model, hot_experts);
      workload.model.is_moe() && load > most)
    table.fail("hot_load",
               fmt::format("no {} can have {} times the mean load",
                           hot_experts == 1 ? "expert" : "rank", load),
               fmt::format("at most {:.6g}: {} of {} experts for a token", most,
                           workload.model.experts.experts_per_token,
                           workload.model.experts.experts));
  return load;
}

/// How the router is trained, by the keys of `trained` loads.
RouterTraining read_training(const TomlTable& table, const ModelSpec& model,
                             const RoutingSpec& routing) {
  const std::vector<std::string> mechanisms = {"none", "auxiliary-loss", "z-loss", "bias"};
  const std::string chosen = table.choice("balancing", mechanisms);
  RouterTraining training;
  training.balancing = static_cast<Balancing>(
      std::find(mechanisms.begin(), mechanisms.end(), chosen) - mechanisms.begin());
  training.coefficient = table.number_or("balancing_coefficient", {0.0, 1e3},
                                         published_coefficient(training.balancing));
  training.seed = routing.seed;
  training.narrow_from_step =
      table.integer_or("narrow_from_step", any_count, RouterTraining::never);
  const std::int64_t topics = training.assumptions.topics;
  if (table.has("narrow_from_step"))
    training.narrow_topics = table.integer_or("narrow_topics", {1, topics}, 1);
  training.experts_added = table.integer_or(
      "experts_added", {0, std::max<std::int64_t>(0, model.experts.experts - 1)}, 0);
  if (training.experts_added > 0)
    training.experts_added_at = table.integer("experts_added_at", any_count);
  training.experts = model.experts.experts - training.experts_added;
  training.experts_per_token = model.experts.experts_per_token;
  if (model.is_moe() && training.experts_per_token >= training.experts)
    table.fail("load", "a router that always takes every expert has nothing to learn",
               "use load = \"uniform\"");
  return training;
}

void read_load(const TomlTable& table, const fs::path& folder, const Workload& workload,
               std::vector<fs::path>& inputs, RoutingSpec& routing) {
  const std::string load = table.choice_or(
      "load",
      {"uniform", "random", "zipf", "dirichlet", "hot-expert", "hot-rank", "trace", "trained"},
      "uniform");
  // The tokens of a router that has learnt nothing: all experts are as likely.
  routing.sampled = load == "random" || table.flag_or("sampled", false);
  if (load == "uniform" && routing.sampled)
    table.fail("sampled", "uniform loads are even, not drawn", "use load = \"random\"");
  if (load == "random" && table.has("sampled"))
    table.fail("sampled", "random loads are always drawn", "leave it out");
  if (load == "zipf") {
    routing.load = LoadKind::zipf;
    routing.zipf_alpha = table.number("zipf_alpha", {0.0, 10.0});
  } else if (load == "dirichlet") {
    routing.load = LoadKind::dirichlet;
    routing.dirichlet_concentration = table.number("dirichlet_concentration", {1e-3, 1e6});
  } else if (load == "hot-expert") {
    routing.load = LoadKind::hot_expert;
    routing.hot_load = read_hot_load(table, workload, 1);
  } else if (load == "hot-rank") {
    routing.load = LoadKind::hot_rank;
    routing.hot_load =
        read_hot_load(table, workload, workload.model.experts.experts / workload.plan.expert);
  } else if (load == "trace") {
    routing.load = LoadKind::trace;
    const fs::path file = folder / table.text("trace");
    inputs.push_back(file);
    routing.trace = read_named(table, "trace", file, [&](const fs::path& path) {
      return std::make_shared<const LoadTrace>(read_load_trace(path, workload.model));
    });
  } else if (load == "trained") {
    routing.load = LoadKind::trained;
    const RouterTraining training = read_training(table, workload.model, routing);
    if (workload.model.is_moe())
      routing.trace =
          std::make_shared<const LoadTrace>(trained_loads(training, workload.model, routing.step));
  }
}

void read_gates(const TomlTable& table, const ModelSpec& model, RoutingSpec& routing) {
  routing.gate_groups = table.integer_or("gate_groups", {1, any_count.high}, 1);
  if (routing.gate_groups == 1)
    return;
  if (routing.load != LoadKind::zipf && routing.load != LoadKind::dirichlet)
    table.fail("gate_groups", "only loads by a law have a gate above the experts",
               "use load = \"zipf\" or \"dirichlet\"");
  if (const std::int64_t experts = model.experts.experts;
      model.is_moe() && experts % routing.gate_groups != 0)
    table.fail("gate_groups", fmt::format("{} experts do not fall into {} groups of one size",
                                          experts, routing.gate_groups));
}

void read_placement(const TomlTable& table, const Workload& workload, RoutingSpec& routing) {
  const std::vector<std::string> kinds = {"contiguous", "round-robin", "load-aware",
                                          "topology-aware"};
  const std::string kind = table.choice_or("placement", kinds, kinds.front());
  routing.placement =
      static_cast<PlacementKind>(std::find(kinds.begin(), kinds.end(), kind) - kinds.begin());
  routing.redundant_experts = table.integer_or("redundant_experts", any_count, 0);
  if (!workload.model.is_moe() || find_plan_fault(workload.plan, workload.model, workload.training))
    return; // the plan is refused with its own words
  Workload placed = workload;
  placed.routing = routing;
  const std::vector<double> loads(static_cast<std::size_t>(workload.model.experts.experts), 1.0);
  try {
    place_experts(placement_request(placed), loads);
  } catch (const std::invalid_argument& error) {
    table.fail(routing.redundant_experts > 0 ? "redundant_experts" : "placement", error.what());
  }
}

} // namespace

RoutingSpec read_routing_table(const TomlTable& table, const fs::path& folder,
                               const Workload& workload, std::vector<fs::path>& inputs) {
  RoutingSpec routing = workload.routing;
  const bool expert_choice =
      table.choice_or("policy", {"top-k", "expert-choice"}, "top-k") == "expert-choice";
  routing.step = table.integer_or("step", any_count, 0);
  routing.seed = static_cast<std::uint64_t>(table.integer_or("seed", any_count, 1));
  read_load(table, folder, workload, inputs, routing);
  // Each expert takes as many tokens as the mean, those that it scores highest: loads are even by
  // construction, and what differs is how many experts a token gets (arXiv 2202.09368).
  if (expert_choice && !routing.even())
    table.fail("load", "experts that choose their tokens are loaded evenly",
               "use load = \"uniform\", or policy = \"top-k\"");
  routing.capacity_factor = table.number_or("capacity_factor", {0.0, 1000.0}, 0.0);
  routing.pad_to_capacity = table.flag_or("pad_to_capacity", false);
  if (routing.pad_to_capacity && routing.capacity_factor <= 0.0)
    table.fail("pad_to_capacity", "without a capacity there is nothing to pad to",
               "set capacity_factor");
  read_gates(table, workload.model, routing);
  read_placement(table, workload, routing);
  table.finish();
  return routing;
}

} // namespace moesim
