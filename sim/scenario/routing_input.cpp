#include "sim/scenario/routing_input.hpp"

#include "sim/input/named_file.hpp"
#include "sim/routing/expert_placement.hpp"
#include "sim/routing/load_trace.hpp"
#include "sim/routing/router_training.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr Range<std::int64_t> any_count{0, 1'000'000'000};
/// The range of a number that is checked later, against the model.
constexpr Range<std::int64_t> any_integer{std::numeric_limits<std::int64_t>::min(),
                                          std::numeric_limits<std::int64_t>::max()};

/// Reads the training of the router: the keys of `trained` loads.
void parse_router(const TomlTable& table, RoutingInput& input) {
  RouterSpec& router = input.written.router;
  router.balancing = chosen(table, "balancing", balancing_names);
  if (table.has("balancing_coefficient"))
    input.balancing_coefficient = table.number("balancing_coefficient", {0.0, 1e3});
  router.narrow_from_step = table.integer_or("narrow_from_step", any_count, RouterSpec::never);
  if (table.has("narrow_from_step"))
    router.narrow_topics = table.integer_or("narrow_topics", {1, RouterAssumptions{}.topics}, 1);
  router.experts_added = table.integer_or("experts_added", any_integer, 0);
  if (router.experts_added > 0)
    router.experts_added_at = table.integer("experts_added_at", any_count);
}

void parse_load(const TomlTable& table, const fs::path& folder, RoutingInput& input) {
  RoutingSpec& routing = input.written;
  const std::string load = table.choice_or(
      "load",
      {"uniform", "random", "zipf", "dirichlet", "hot-expert", "hot-rank", "trace", "trained"},
      "uniform");
  // `random` is an untrained router: all experts are equally likely.
  routing.sampled = load == "random" || table.flag_or("sampled", false);
  if (load == "uniform" && routing.sampled)
    table.fail("sampled", "uniform loads are even, not drawn", "use load = \"random\"");
  if (load == "random" && table.has("sampled"))
    table.fail("sampled", "random loads are always drawn", "leave it out");
  if (load != "uniform" && table.has("uneven_concentration"))
    table.fail("uneven_concentration", "the loads of this scenario are uneven themselves",
               "leave it out, or use load = \"uniform\"");
  if (table.has("uneven_concentration"))
    routing.uneven_concentration = table.number("uneven_concentration", {1e-3, 1e6});
  if (load == "zipf") {
    routing.load = LoadKind::zipf;
    routing.zipf_alpha = table.number("zipf_alpha", {0.0, 10.0});
  } else if (load == "dirichlet") {
    routing.load = LoadKind::dirichlet;
    routing.dirichlet_concentration = table.number("dirichlet_concentration", {1e-3, 1e6});
  } else if (load == "hot-expert" || load == "hot-rank") {
    routing.load = load == "hot-expert" ? LoadKind::hot_expert : LoadKind::hot_rank;
    routing.hot_load = table.number("hot_load", {1.0, 1e9});
  } else if (load == "trace") {
    routing.load = LoadKind::trace;
    input.recording = folder / table.text("trace");
  } else if (load == "trained") {
    routing.load = LoadKind::trained;
    parse_router(table, input);
  }
}

void parse_gates(const TomlTable& table, RoutingSpec& routing) {
  routing.gate_groups = table.integer_or("gate_groups", {1, any_count.high}, 1);
  if (routing.gate_groups > 1 && routing.load != LoadKind::zipf &&
      routing.load != LoadKind::dirichlet)
    table.fail("gate_groups", "only loads by a law have a gate above the experts",
               "use load = \"zipf\" or \"dirichlet\"");
}

void parse_placement(const TomlTable& table, RoutingSpec& routing) {
  routing.placement = chosen_or(table, "placement", placement_names, PlacementKind::contiguous);
  routing.redundant_experts = table.integer_or("redundant_experts", any_count, 0);
}

/// The busiest experts cannot be so busy: a token chooses an expert once, and there are no more
/// tokens than all.
std::optional<RoutingFault> find_hot_load_fault(const Workload& workload) {
  const RoutingSpec& routing = workload.routing;
  const bool one_expert = routing.load == LoadKind::hot_expert;
  if (!workload.model.is_moe() || (!one_expert && routing.load != LoadKind::hot_rank))
    return std::nullopt;
  const ExpertSpec& experts = workload.model.experts;
  const std::int64_t hot_experts = one_expert ? 1 : experts.experts / workload.plan.expert;
  const double most = static_cast<double>(experts.experts) /
                      static_cast<double>(std::max(experts.experts_per_token, hot_experts));
  if (routing.hot_load <= most)
    return std::nullopt;
  return RoutingFault{"hot_load",
                      fmt::format("no {} can have {} times the mean load",
                                  hot_experts == 1 ? "expert" : "rank", routing.hot_load),
                      fmt::format("at most {:.6g}: {} of {} experts for a token", most,
                                  experts.experts_per_token, experts.experts)};
}

void check_router(const RouterSpec& router, const TomlTable& table, const ModelSpec& model) {
  const std::int64_t most = std::max<std::int64_t>(0, model.experts.experts - 1);
  if (router.experts_added < 0 || router.experts_added > most)
    table.fail("experts_added", fmt::format("experts_added must be between 0 and {}, not {}", most,
                                            router.experts_added));
  if (model.is_moe() &&
      model.experts.experts_per_token >= model.experts.experts - router.experts_added)
    table.fail("load", "a router that always takes every expert has nothing to learn",
               "use load = \"uniform\"");
}

std::optional<RoutingFault> find_placement_fault(const Workload& workload) {
  const RoutingSpec& routing = workload.routing;
  if (!workload.model.is_moe() || find_plan_fault(workload.plan, workload.model, workload.training))
    return std::nullopt; // the plan is refused with its own words
  const std::vector<double> loads(static_cast<std::size_t>(workload.model.experts.experts), 1.0);
  try {
    place_experts(placement_request(workload), loads);
  } catch (const std::invalid_argument& error) {
    return RoutingFault{routing.redundant_experts > 0 ? "redundant_experts" : "placement",
                        error.what(), ""};
  }
  return std::nullopt;
}

} // namespace

RoutingInput parse_routing(const TomlTable& table, const fs::path& folder) {
  RoutingInput input;
  RoutingSpec& routing = input.written;
  const bool expert_choice =
      table.choice_or("policy", {"top-k", "expert-choice"}, "top-k") == "expert-choice";
  routing.step = table.integer_or("step", any_count, 0);
  routing.seed = static_cast<std::uint64_t>(table.integer_or("seed", any_count, 1));
  parse_load(table, folder, input);
  // Each expert takes the mean number of tokens, those with the highest scores. Loads are even by
  // construction; the number of experts of a token differs (arXiv 2202.09368).
  if (expert_choice && routing.uneven_concentration)
    table.fail("uneven_concentration", "experts that choose their tokens are loaded evenly",
               "leave it out, or use policy = \"top-k\"");
  if (expert_choice && !routing.even())
    table.fail("load", "experts that choose their tokens are loaded evenly",
               "use load = \"uniform\", or policy = \"top-k\"");
  routing.capacity_factor = table.number_or("capacity_factor", {0.0, 1000.0}, 0.0);
  routing.pad_to_capacity = table.flag_or("pad_to_capacity", false);
  if (routing.pad_to_capacity && routing.capacity_factor <= 0.0)
    table.fail("pad_to_capacity", "without a capacity there is nothing to pad to",
               "set capacity_factor");
  parse_gates(table, routing);
  parse_placement(table, routing);
  table.finish();
  return input;
}

RoutingSpec resolve_routing(const RoutingInput& input, const TomlTable& table,
                            const Workload& workload, std::int64_t scale_up_gpus) {
  RoutingSpec routing = input.written;
  const ModelSpec& model = workload.model;
  routing.scale_up_gpus = scale_up_gpus;
  if (routing.load == LoadKind::trace && input.recording)
    routing.trace = read_named(table, "trace", *input.recording, [&](const fs::path& path) {
      return std::make_shared<const LoadTrace>(read_load_trace(path, model));
    });
  if (routing.load == LoadKind::trained) {
    routing.router.coefficient =
        input.balancing_coefficient.value_or(published_coefficient(routing.router.balancing));
    check_router(routing.router, table, model);
  }
  if (model.is_moe() && model.experts.experts % routing.gate_groups != 0)
    table.fail("gate_groups", fmt::format("{} experts do not fall into {} groups of one size",
                                          model.experts.experts, routing.gate_groups));
  return routing;
}

std::optional<RoutingFault> find_routing_fault(const Workload& workload) {
  if (auto fault = find_hot_load_fault(workload))
    return fault;
  return find_placement_fault(workload);
}

} // namespace moesim
