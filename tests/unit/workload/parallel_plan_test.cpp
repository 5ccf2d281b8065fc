#include "sim/workload/parallel_plan.hpp"
#include "sim/workload/routing_spec.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

using namespace moesim;

namespace {

using Layers = std::vector<std::int64_t>;

/// 12 layers of 16 heads; 24 experts in each, or none.
ModelSpec model_of(std::int64_t experts) {
  ModelSpec model;
  model.hidden = 64;
  model.vocabulary = 100;
  model.attention = {.heads = 16, .kv_heads = 4, .head_dim = 4, .value_dim = 4};
  if (experts > 0)
    model.experts = {.experts = experts, .experts_per_token = 2, .expert_hidden = 32};
  model.layers.assign(12, {.moe = experts > 0, .dense_hidden = experts > 0 ? 0 : 128});
  return model;
}

/// 32 ranks: two stages of 16, each tensor 2 x data 8, or expert 8 x expert-data 2.
ParallelPlan legal_plan() {
  return {.gpus = 32, .tensor = 2, .pipeline = 2, .expert = 8, .layers_per_stage = {6, 6}};
}

struct Case {
  ParallelPlan plan = legal_plan();
  ModelSpec model = model_of(24);
  TrainingSpec training = {.sequence_length = 128, .global_batch = 64, .micro_batch = 2};
};

struct PlanRefusal {
  std::string rule;
  std::function<void(Case&)> change;
  std::string key; ///< table and key at fault
  std::string message;
  std::string hint;
};

/// One row for each rule.
const std::vector<PlanRefusal> plan_refusals = {
    {"ranks that do not divide", [](Case& c) { c.plan.gpus = 30; }, "cluster.gpus",
     "30 GPUs cannot be split into tensor 2 x pipeline 2",
     "the nearest number that can is 32; so can 30 with tensor 1 or pipeline 1"},
    {"a degree that does not divide",
     [](Case& c) {
       c.plan.context = 3;
       c.plan.gpus = 64;
     },
     "cluster.gpus", "64 GPUs cannot be split into tensor 2 x context 3 x pipeline 2",
     "the nearest number that can is 60; so can 64 with context 2"},
    {"fewer ranks than the plan needs", [](Case& c) { c.plan.gpus = 1; }, "cluster.gpus",
     "1 GPUs cannot be split into tensor 2 x pipeline 2", "the nearest number that can is 4"},
    {"heads that do not divide",
     [](Case& c) {
       c.plan.tensor = 3;
       c.plan.gpus = 36;
     },
     "parallel.tensor", "16 attention heads cannot be split over tensor 3",
     "the nearest degree that can is 2"},
    {"more stages than layers",
     [](Case& c) {
       c.plan.pipeline = 16;
       c.plan.layers_per_stage = spread_layers(12, 16);
     },
     "parallel.pipeline", "16 pipeline stages are more than the 12 layers", ""},
    {"a list that is too short", [](Case& c) { c.plan.layers_per_stage = {12}; },
     "parallel.layers_per_stage",
     "1 entries with 12 layers in all do not split 12 layers over 2 stages", ""},
    {"a list that leaves layers out",
     [](Case& c) {
       c.plan.layers_per_stage = {6, 5};
     },
     "parallel.layers_per_stage",
     "2 entries with 11 layers in all do not split 12 layers over 2 stages", ""},
    {"experts that do not divide", [](Case& c) { c.plan.expert = 16; }, "parallel.expert",
     "24 experts cannot be split over expert 16", "the largest legal degree is 8"},
    {"ranks that do not divide into expert groups", [](Case& c) { c.plan.expert = 3; },
     "parallel.expert", "the 16 ranks of a pipeline stage cannot be split into groups of expert 3",
     "the largest legal degree is 8"},
    {"expert parallelism of a dense model", [](Case& c) { c.model = model_of(0); },
     "parallel.expert", "a dense model has no experts to spread", "use 1"},
    {"experts under tensor parallelism without sequence parallelism",
     [](Case& c) { c.plan.sequence_parallel = false; }, "parallel.sequence_parallel",
     "an MoE layer under tensor parallelism needs sequence parallelism", "set it to true"},
    {"experts that do not divide by width", [](Case& c) { c.plan.expert_tensor = 3; },
     "parallel.expert_tensor", "experts of width 32 cannot be split over expert_tensor 3",
     "the nearest degree that can is 2"},
    {"too many ranks for an expert", [](Case& c) { c.plan.expert_tensor = 4; }, "parallel.expert",
     "the 16 ranks of a pipeline stage cannot be split into groups of expert 8 x expert_tensor 4",
     "the largest legal degree is 4"},
    {"a sequence that does not divide by context",
     [](Case& c) {
       c.plan.context = 4;
       c.training.sequence_length = 132;
     },
     "training.sequence_length", "132 tokens cannot be split over tensor 2 x context 4", ""},
    {"a batch that does not divide", [](Case& c) { c.training.global_batch = 65; },
     "training.global_batch", "65 sequences cannot be split into micro-batches of 2 on data 8",
     "the nearest number that can is 64"},
    {"a batch smaller than one pass", [](Case& c) { c.training.global_batch = 1; },
     "training.global_batch", "1 sequences cannot be split into micro-batches of 2 on data 8",
     "the nearest number that can is 16"},
    {"a sequence that does not divide", [](Case& c) { c.training.sequence_length = 127; },
     "training.sequence_length", "127 tokens cannot be split over tensor 2", ""},
};

/// Every plan of up to 24 ranks whose degrees divide them.
std::vector<ParallelPlan> many_plans() {
  std::vector<ParallelPlan> plans;
  for (std::int64_t gpus = 1; gpus <= 24; ++gpus)
    for (std::int64_t pipeline = 1; pipeline <= gpus; ++pipeline)
      for (std::int64_t tensor = 1; tensor <= gpus; ++tensor)
        for (std::int64_t expert = 1; expert <= gpus; ++expert)
          for (const auto& [context, expert_tensor] :
               {std::pair<std::int64_t, std::int64_t>{1, 1}, {2, 1}, {1, 2}, {3, 2}})
            if (gpus % (tensor * context * pipeline) == 0 &&
                gpus % (expert * expert_tensor * pipeline) == 0)
              plans.push_back({.gpus = gpus,
                               .tensor = tensor,
                               .pipeline = pipeline,
                               .context = context,
                               .expert = expert,
                               .expert_tensor = expert_tensor,
                               .layers_per_stage = {}});
  return plans;
}

std::int64_t size_of(const ParallelPlan& plan, GroupKind kind) {
  switch (kind) {
  case GroupKind::tensor:
    return plan.tensor;
  case GroupKind::context:
    return plan.context;
  case GroupKind::data:
    return plan.replicas();
  case GroupKind::expert:
    return plan.expert;
  case GroupKind::expert_tensor:
    return plan.expert_tensor;
  case GroupKind::expert_data:
    break;
  }
  return plan.expert_data();
}

/// True if every rank is in the group of each of its members, once, and all are of one stage.
bool partitions(const ParallelPlan& plan, GroupKind kind) {
  std::vector<int> seen(static_cast<std::size_t>(plan.gpus));
  for (std::uint32_t number = 0; number < plan.gpus; ++number) {
    const RankId rank{number};
    const std::vector<RankId> group = group_of(plan, kind, rank);
    if (static_cast<std::int64_t>(group.size()) != size_of(plan, kind) ||
        std::count(group.begin(), group.end(), rank) != 1)
      return false;
    for (const RankId member : group)
      if (plan.stage_of(member) != plan.stage_of(rank) || group_of(plan, kind, member) != group)
        return false;
    if (group.front() == rank)
      for (const RankId member : group)
        ++seen[index(member)];
  }
  return std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; });
}

Layers ranks(const std::vector<RankId>& group) {
  Layers numbers;
  for (const RankId rank : group)
    numbers.push_back(static_cast<std::int64_t>(index(rank)));
  return numbers;
}

} // namespace

TEST_CASE("layers are spread evenly, short stages at the ends first") {
  CHECK(spread_layers(32, 4) == Layers{8, 8, 8, 8});
  CHECK(spread_layers(7, 1) == Layers{7});
  // The last stage has the head, the first the embedding; then the later ones.
  CHECK(spread_layers(31, 4) == Layers{8, 8, 8, 7});
  CHECK(spread_layers(30, 4) == Layers{7, 8, 8, 7});
  CHECK(spread_layers(29, 4) == Layers{7, 8, 7, 7});
  // 61 = 16·4 − 3: three stages hold one layer less.
  CHECK(spread_layers(61, 16) == Layers{3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3});
  CHECK(spread_layers(61, 8) == Layers{7, 8, 8, 8, 8, 8, 7, 7});
  CHECK(spread_layers(5, 2) == Layers{3, 2});
}

TEST_CASE("spread layers add up, and no stage has more than one layer more than another") {
  for (std::int64_t layers = 1; layers <= 64; ++layers)
    for (std::int64_t stages = 1; stages <= layers; ++stages) {
      const Layers split = spread_layers(layers, stages);
      INFO(layers << " layers over " << stages);
      REQUIRE(static_cast<std::int64_t>(split.size()) == stages);
      REQUIRE(std::accumulate(split.begin(), split.end(), std::int64_t{0}) == layers);
      const auto [least, most] = std::minmax_element(split.begin(), split.end());
      REQUIRE(*most - *least <= 1);
      REQUIRE(split.back() == *least);
    }
}

TEST_CASE("the largest expert-parallel degree divides the experts and the ranks of a stage") {
  CHECK(largest_expert_parallel(8, 32) == 8);
  CHECK(largest_expert_parallel(64, 32) == 32);
  CHECK(largest_expert_parallel(60, 32) == 4);
  CHECK(largest_expert_parallel(7, 32) == 1);
  CHECK(largest_expert_parallel(0, 32) == 1); // dense
}

TEST_CASE("a plan says how many ranks share what") {
  const ParallelPlan plan = legal_plan();
  CHECK(plan.stage_ranks() == 16);
  CHECK(plan.data() == 8);
  CHECK(plan.expert_data() == 2);
  CHECK(plan.micro_batches({.global_batch = 64, .micro_batch = 2}) == 4); // 64 / (8·2)
  CHECK(plan.stage_of(RankId{15}) == 0);
  CHECK(plan.stage_of(RankId{16}) == 1);
}

TEST_CASE("tensor and expert groups are neighbours, data and expert-data groups are strided") {
  const ParallelPlan plan = legal_plan();
  const RankId rank{21}; // the sixth rank of the second stage, which starts at 16
  CHECK(ranks(group_of(plan, GroupKind::tensor, rank)) == Layers{20, 21});
  CHECK(ranks(group_of(plan, GroupKind::data, rank)) == Layers{17, 19, 21, 23, 25, 27, 29, 31});
  CHECK(ranks(group_of(plan, GroupKind::expert, rank)) == Layers{16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(ranks(group_of(plan, GroupKind::expert_data, rank)) == Layers{21, 29});
}

TEST_CASE("the groups of each kind partition the ranks of every stage") {
  const std::vector<ParallelPlan> plans = many_plans();
  REQUIRE(plans.size() > 500);
  for (const ParallelPlan& plan : plans)
    for (const GroupKind kind : enumerators<GroupKind>) {
      INFO("gpus " << plan.gpus << " tensor " << plan.tensor << " pipeline " << plan.pipeline
                   << " expert " << plan.expert << " kind " << static_cast<int>(kind));
      REQUIRE(partitions(plan, kind));
    }
}

TEST_CASE("two ranks share at most one of their tensor and data groups") {
  for (const ParallelPlan& plan : many_plans())
    for (std::uint32_t number = 0; number < plan.gpus; ++number) {
      const RankId rank{number};
      const std::vector<RankId> data = group_of(plan, GroupKind::data, rank);
      for (const RankId peer : group_of(plan, GroupKind::tensor, rank))
        REQUIRE(std::count(data.begin(), data.end(), peer) == (peer == rank ? 1 : 0));
    }
}

TEST_CASE("a plan that divides everything has no fault") {
  const Case legal;
  CHECK_FALSE(find_plan_fault(legal.plan, legal.model, legal.training).has_value());
}

TEST_CASE("a dense model needs no sequence parallelism under tensor parallelism") {
  Case dense;
  dense.model = model_of(0);
  dense.plan.expert = 1;
  dense.plan.sequence_parallel = false;
  CHECK_FALSE(find_plan_fault(dense.plan, dense.model, dense.training).has_value());
}

TEST_CASE("a plan that does not divide names the key, the numbers and the nearest legal value") {
  for (const PlanRefusal& row : plan_refusals) {
    Case changed;
    row.change(changed);
    INFO(row.rule);
    const auto fault = find_plan_fault(changed.plan, changed.model, changed.training);
    REQUIRE(fault.has_value());
    CHECK(fault->table + "." + fault->key == row.key);
    CHECK(fault->message == row.message);
    CHECK(fault->hint == row.hint);
  }
}

TEST_CASE("a capacity factor below one drops tokens, one above it or none at all keeps them") {
  CHECK(RoutingSpec{.capacity_factor = 0.0}.kept_share() == 1.0);
  CHECK(RoutingSpec{.capacity_factor = 0.75}.kept_share() == 0.75);
  CHECK(RoutingSpec{.capacity_factor = 1.25}.kept_share() == 1.0);
}

TEST_CASE(
    "with the layers of each stage given, the ends may hold the embedding and the head alone") {
  Case c;
  c.plan.virtual_stages = 7;
  c.plan.schedule = Schedule::interleaved;
  c.plan.layers_per_stage = {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0};
  CHECK_FALSE(find_plan_fault(c.plan, c.model, c.training));
  c.plan.layers_per_stage = spread_layers(12, 12);
  const auto fault = find_plan_fault(c.plan, c.model, c.training);
  REQUIRE(fault);
  CHECK(fault->message == "7 virtual stages on each of 2 stages are more than the 12 layers");
  CHECK(fault->hint == "layers_per_stage may leave the first and the last without a layer");
}
