#include "sim/routing/expert_load.hpp"
#include "sim/routing/load_shares.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace moesim;

namespace {

/// 8 experts on 4 ranks, loaded by Zipf's law.
Workload uneven(double capacity_factor) {
  Workload workload;
  workload.model.experts.experts = 8;
  workload.plan.gpus = 4;
  workload.plan.expert = 4;
  workload.routing.load = LoadKind::zipf;
  workload.routing.zipf_alpha = 1.0;
  workload.routing.capacity_factor = capacity_factor;
  return workload;
}

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

} // namespace

TEST_CASE("without a capacity a rank has the mean of its two experts, and nothing is dropped") {
  const auto load = expert_load(uneven(0.0), 2);
  REQUIRE(load);
  CHECK(load->kept == load->wanted);
  CHECK(load->kept_share == Approx(1.0).epsilon(1e-14));
  CHECK(sum(load->ranks) == Approx(4.0).epsilon(1e-14));
  const std::vector<double> shares = load_shares(uneven(0.0).routing, 8, 2);
  for (std::size_t rank = 0; rank < 4; ++rank)
    CHECK(load->ranks[rank] ==
          Approx(8 * (shares[2 * rank] + shares[2 * rank + 1]) / 2).epsilon(1e-14));
  CHECK(load->rank_load(std::nullopt) == *std::max_element(load->ranks.begin(), load->ranks.end()));
  CHECK(load->rank_load(3) == load->ranks[3]);
}

// 1 + 1/2 + ... + 1/8 = 2.717857: the loads are 2.9435, 1.4717, 0.9812, 0.7359, 0.5887, 0.4906,
// 0.4205, 0.3679 times the mean. A capacity of 1.25 drops 1.6935 and 0.2217 of 8 in all.
TEST_CASE("a capacity factor drops what is above it") {
  const auto load = expert_load(uneven(1.25), 0);
  CHECK(load->kept_share == Approx(1.0 - (1.6935 + 0.2217) / 8).epsilon(1e-4));
  CHECK(*std::max_element(load->kept.begin(), load->kept.end()) == 1.25);
  CHECK(sum(load->wanted) == Approx(8.0).epsilon(1e-14));
}

TEST_CASE("pairs carry what the rank with the experts gets, there and back") {
  const auto load = expert_load(uneven(1.25), 0);
  double all = 0.0;
  for (std::size_t source = 0; source < 4; ++source)
    for (std::size_t sink = 0; sink < 4; ++sink) {
      all += load->dispatch->share(source, sink);
      CHECK(load->dispatch->share(source, sink) * load->kept_share ==
            Approx(load->ranks[sink]).epsilon(1e-14));
      CHECK(load->combine->share(source, sink) == load->dispatch->share(sink, source));
    }
  CHECK(all == Approx(16.0).epsilon(1e-14));
  Workload even = uneven(0.0);
  even.routing.load = LoadKind::uniform;
  CHECK_FALSE(expert_load(even, 0));
}
