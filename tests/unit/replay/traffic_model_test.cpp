#include "sim/replay/traffic_planner.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>
#include <utility>

using namespace moesim;

namespace {

constexpr double model_rounding = 1e-12;

/// Nodes of 8 H100s under every load model. Each node is a stage where there are two stages.
class LoadModels {
public:
  LoadModels(const std::string& settings, std::int64_t gpus, std::int64_t pipeline)
      : plan_(cut(gpus, pipeline)),
        topology_(read_topology(source() / "topologies" / "hgx-h100-ndr400.toml",
                                TomlDocument::parse(settings, "settings.toml").root()),
                  gpus) {}

  /// The time of an all-to-all between the first 8, or 16, ranks.
  Seconds all_to_all(LoadModel model) const {
    return alone(model, [&](TrafficPlanner& planner) {
      return planner.collective({.kind = Collective::all_to_all, .bytes = bytes()},
                                {GroupKind::expert, {DeviceId{0}}});
    });
  }
  /// The time of a transfer from the first stage to the second.
  Seconds transfer(LoadModel model) const {
    return alone(model, [&](TrafficPlanner& planner) {
      const DeviceLayout layout = layout_of(model).layout;
      return planner.transfer({bytes()}, {DeviceId{0}, layout.device_of(RankId(8))});
    });
  }
  /// The same by hand, where `flows` flows of `each` bytes take one NIC.
  Seconds over_one_nic(double flows, double each) const {
    TrafficNotes notes;
    const FlowCosts costs(topology_, network_, nullptr, notes);
    const double amount = costs.amount({RankId(0), RankId(8), each, each}, point_to_point_kind());
    return costs.startup(point_to_point_kind(), {0, 1}) +
           topology_.latency(topology_.route(RankId(0), RankId(8))) +
           Seconds{flows * amount / topology_.spec().node.nic.value};
  }
  static Bytes bytes() { return Bytes{1 << 26}; }

private:
  static std::filesystem::path source() { return MOESIM_SOURCE_DIR; }
  static ParallelPlan cut(std::int64_t gpus, std::int64_t pipeline) {
    ParallelPlan plan;
    plan.gpus = gpus;
    plan.pipeline = pipeline;
    plan.expert = gpus / pipeline;
    return plan;
  }
  ReplayLayout layout_of(LoadModel model) const {
    const bool by_stage = model == LoadModel::representative || model == LoadModel::stage_links;
    return {by_stage ? one_rank_per_stage(plan_) : every_rank(plan_), model};
  }
  template <typename Plan> Seconds alone(LoadModel model, const Plan& plan) const {
    const ReplayLayout layout = layout_of(model);
    TrafficPlanner planner(layout, plan_, topology_, network_, nullptr);
    const TrafficPlan planned = plan(planner);
    return time_alone(planned, planner.folding());
  }

  ParallelPlan plan_;
  Topology topology_;
  NetworkCost network_ = NetworkCost::load(source() / "calibration");
};

} // namespace

TEST_CASE("an all-to-all of equal ranks takes the same time under every load model") {
  for (const std::int64_t gpus : {8, 16}) {
    const LoadModels models("", gpus, 1);
    const Seconds classes = models.all_to_all(LoadModel::classes);
    for (const LoadModel model :
         {LoadModel::representative, LoadModel::stage_links, LoadModel::group_links}) {
      INFO(gpus << " GPUs, load model " << static_cast<int>(model));
      CHECK(models.all_to_all(model).value == Approx(classes.value).epsilon(model_rounding));
    }
  }
}

TEST_CASE("a transfer over a NIC of its own takes the same time under every load model") {
  const LoadModels models("", 16, 2);
  const double expected =
      models.over_one_nic(1.0, static_cast<double>(LoadModels::bytes().value)).value;
  for (const LoadModel model : {LoadModel::classes, LoadModel::representative,
                                LoadModel::stage_links, LoadModel::group_links}) {
    INFO("load model " << static_cast<int>(model));
    CHECK(models.transfer(model).value == Approx(expected).epsilon(model_rounding));
  }
}

// 4 NICs for 8 GPUs: two ranks of a stage share one.
TEST_CASE(
    "ranks that stand for a stage load a shared NIC together, single ranks and pairs do not") {
  const LoadModels models("nics = 4", 16, 2);
  const auto bytes = static_cast<double>(LoadModels::bytes().value);
  const double one = models.over_one_nic(1.0, bytes).value;
  const double both = models.over_one_nic(2.0, bytes).value;
  for (const auto& [model, expected] : {std::pair{LoadModel::classes, one},
                                        {LoadModel::group_links, one},
                                        {LoadModel::representative, both},
                                        {LoadModel::stage_links, both}}) {
    INFO("load model " << static_cast<int>(model));
    CHECK(models.transfer(model).value == Approx(expected).epsilon(model_rounding));
  }
}

// NCCL's sums in the switches of 4 nodes on EFA were measured at 805 MB alone. How long smaller
// ones take to start is not known: at none, 8 MiB would take 85 us, where 463 were measured (B200).
TEST_CASE("an all-reduce takes no algorithm with smaller messages than were measured of it") {
  const std::filesystem::path source = MOESIM_SOURCE_DIR;
  ParallelPlan plan;
  plan.gpus = 32;
  plan.expert = 32;
  const TomlDocument none = TomlDocument::parse("", "none.toml");
  const Topology topology(read_topology(source / "topologies/aws-p5-efa.toml", none.root()), 32);
  const NetworkCost network = NetworkCost::load(source / "calibration");
  const ReplayLayout layout{one_rank_per_stage(plan), LoadModel::representative};
  TrafficPlanner planner(layout, plan, topology, network, nullptr);
  const auto algorithm = [&](std::int64_t bytes) {
    return planner
        .collective({.kind = Collective::all_reduce, .bytes = Bytes{bytes}},
                    {GroupKind::expert, {DeviceId{0}}})
        .algorithm;
  };
  CHECK(collective_name(algorithm(std::int64_t{8} << 20)) == "all_reduce_tree");
  CHECK(collective_name(algorithm(std::int64_t{4} << 30)) == "all_reduce_tree");
}
