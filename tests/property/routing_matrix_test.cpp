#include "sim/platform/topology.hpp"
#include "sim/replay/rank_flows.hpp"
#include "sim/routing/expert_load.hpp"
#include "sim/schedule/layer_segments.hpp"
#include "tests/property/case_count.hpp"
#include "tests/property/random_cluster.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <numeric>

using namespace moesim;

namespace {

/// A workload of random sizes, law, capacity, placement and copies.
Workload random_routing(std::uint64_t seed) {
  Draw draw(seed);
  Workload workload;
  ExpertSpec& experts = workload.model.experts;
  workload.plan.expert = draw.one_of<std::int64_t>({1, 2, 4, 8, 16});
  workload.plan.gpus = workload.plan.expert;
  workload.model.hidden = 64;
  experts.experts = workload.plan.expert * draw.one_of<std::int64_t>({1, 2, 3, 8});
  experts.experts_per_token = std::min(experts.experts, draw.one_of<std::int64_t>({1, 2, 3, 6, 8}));
  workload.training.sequence_length = draw.one_of<std::int64_t>({1, 7, 64, 1000});
  workload.training.global_batch = workload.plan.expert * 4;
  RoutingSpec& routing = workload.routing;
  routing.load = draw.one_of<LoadKind>({LoadKind::uniform, LoadKind::zipf, LoadKind::dirichlet,
                                        LoadKind::hot_expert, LoadKind::hot_rank});
  routing.zipf_alpha = 2.0 * draw.share();
  routing.dirichlet_concentration = 0.05 + draw.share();
  routing.hot_load = 1.0 + draw.share();
  routing.sampled = routing.load == LoadKind::uniform || draw.one_in(2);
  routing.capacity_factor = draw.one_in(2) ? 0.0 : 0.5 + draw.share();
  routing.placement =
      draw.one_of<PlacementKind>({PlacementKind::contiguous, PlacementKind::round_robin,
                                  PlacementKind::load_aware, PlacementKind::topology_aware});
  routing.redundant_experts = draw.one_in(2) ? 0 : workload.plan.expert;
  routing.scale_up_gpus = draw.one_of<std::int64_t>({0, 2, 4, 8});
  if (workload.plan.expert % std::max<std::int64_t>(1, routing.scale_up_gpus) != 0)
    routing.scale_up_gpus = 0;
  routing.seed = seed;
  return workload;
}

std::int64_t sum(const std::vector<std::int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

/// The bytes that each rank exchanges inside its scale-up domain and outside are its tokens times
/// their size.
void check_bytes(const Workload& workload, const std::shared_ptr<const ExpertLoad>& load) {
  static std::map<std::int64_t, std::unique_ptr<const Topology>> topologies; // by GPUs
  std::unique_ptr<const Topology>& known = topologies[workload.plan.gpus];
  if (!known) // nodes of 8
    known = std::make_unique<const Topology>(
        read_topology(std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies/hgx-h100-ndr400.toml"),
        workload.plan.gpus);
  const Topology& topology = *known;
  const CollectiveWork work = dispatch(workload, load, Direction::forward);
  const CollectiveFlows flows(work, group_of(workload.plan, GroupKind::expert, RankId(0)),
                              topology);
  const auto ranks = static_cast<std::size_t>(workload.plan.gpus);
  const double token = static_cast<double>(token_bytes(workload.model.hidden, Precision::bf16));
  for (std::size_t source = 0; source < ranks; ++source) {
    double sent[2] = {0.0, 0.0};
    double expected[2] = {0.0, 0.0};
    std::vector<RankFlow> own;
    flows.append(0, source, own);
    const auto tier = [&](RankId sink) {
      return topology.domain_of(RankId(static_cast<std::uint32_t>(source))) ==
                     topology.domain_of(sink)
                 ? 0
                 : 1;
    };
    for (const RankFlow& flow : own)
      if (flow.source != flow.sink)
        sent[tier(flow.sink)] += flow.bytes;
    for (std::uint32_t sink = 0; sink < ranks; ++sink)
      if (sink != source)
        expected[tier(RankId(sink))] += token * load->dispatch->share(source, sink) *
                                        static_cast<double>(load->sent) /
                                        static_cast<double>(ranks);
    for (const int side : {0, 1})
      REQUIRE(sent[side] == Approx(expected[side]).epsilon(1e-12).margin(1e-9));
  }
}

/// Nothing is lost and nothing is made: from tokens to experts to ranks to pairs of ranks.
void check_conserved(const Workload& workload, std::int64_t layer, std::int64_t micro_batch) {
  const std::int64_t routed = tokens_per_rank(workload) * workload.model.experts.experts_per_token;
  const RoutingMatrix matrix = routing_matrix(workload, layer, micro_batch);
  const auto experts = static_cast<std::size_t>(matrix.experts);
  const std::int64_t capacity =
      expert_capacity(workload.routing.capacity_factor, routed, matrix.experts);
  std::int64_t dropped = 0;
  for (std::size_t source = 0; source < static_cast<std::size_t>(matrix.sources); ++source) {
    std::int64_t wanted = 0;
    for (std::size_t expert = 0; expert < experts; ++expert) {
      const std::int64_t of_expert = matrix.wanted[source * experts + expert];
      REQUIRE(of_expert <= tokens_per_rank(workload));
      REQUIRE(matrix.kept[source * experts + expert] == std::min(of_expert, capacity));
      wanted += of_expert;
      dropped += std::max<std::int64_t>(0, of_expert - capacity);
    }
    REQUIRE(wanted == routed);
  }
  REQUIRE(matrix.wanted_tokens() == matrix.kept_tokens() + dropped);
  const ExpertLoads loads(workload);
  const auto load = loads.at(layer, micro_batch);
  REQUIRE(sum(load->wanted) == matrix.wanted_tokens());
  REQUIRE(sum(load->kept) == matrix.kept_tokens());
  REQUIRE(sum(load->ranks) == matrix.kept_tokens());
  const auto ranks = static_cast<std::size_t>(matrix.sources);
  const double one = static_cast<double>(load->sent) / static_cast<double>(ranks);
  check_bytes(workload, load);
  for (std::size_t sink = 0; sink < ranks; ++sink) {
    double received = 0.0;
    for (std::size_t source = 0; source < ranks; ++source)
      received += load->dispatch->share(source, sink) * one;
    REQUIRE(received == Approx(static_cast<double>(load->ranks[sink])).epsilon(1e-12).margin(1e-9));
  }
}

} // namespace

TEST_CASE("tokens times experts per token = kept + dropped, by source, expert, rank and pair") {
  for (std::uint64_t seed = 1; seed < 1 + cases(1000); ++seed) {
    INFO("seed " << seed);
    const Workload workload = random_routing(seed);
    check_conserved(workload, 0, 0);
    check_conserved(workload, 3, workload.routing.differs_by_micro_batch() ? 1 : 0);
  }
}

TEST_CASE("tokens of recorded loads are conserved, sampled or not, with and without a capacity") {
  for (std::uint64_t seed = 1; seed < 1 + cases(100); ++seed) {
    INFO("seed " << seed);
    Draw draw(seed);
    Workload workload = random_routing(seed);
    LoadTrace trace;
    trace.rows = draw.one_of<LoadTrace::Rows>(
        {LoadTrace::Rows::whole, LoadTrace::Rows::micro_batches, LoadTrace::Rows::sequences});
    for (const std::int64_t layer : {0, 3})
      for (int row = 0; row < 3; ++row) {
        std::vector<double> counts;
        for (std::int64_t expert = 0; expert < workload.model.experts.experts; ++expert)
          counts.push_back(draw.one_in(4) ? 0.0 : std::floor(1e4 * draw.share()));
        counts.front() += 1.0;
        trace.layers[layer].push_back(counts);
      }
    workload.routing.load = LoadKind::trace;
    workload.routing.trace = std::make_shared<const LoadTrace>(std::move(trace));
    check_conserved(workload, 0, 0);
    check_conserved(workload, 3, 1);
  }
}
