#include "tests/property/case_count.hpp"
#include "tests/property/random_cluster.hpp"

#include "sim/cost/collective_traffic.hpp"
#include "sim/replay/rank_flows.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace moesim;

namespace {

std::vector<RankId> all_ranks(std::int64_t gpus) {
  std::vector<RankId> ranks;
  for (std::uint32_t rank = 0; rank < gpus; ++rank)
    ranks.push_back(RankId(rank));
  return ranks;
}

double load(const CollectiveWork& work, std::size_t source, std::size_t sink) {
  return work.loads ? work.loads->share(source, sink) : 1.0;
}

/// A case on its topology, with the flows of its phases summed by pair of ranks and by tier.
class Drawn {
public:
  explicit Drawn(const RandomCollective& drawn)
      : work(drawn.work), topology(drawn.cluster, drawn.gpus),
        flows(work, all_ranks(drawn.gpus), topology), ranks(static_cast<std::size_t>(drawn.gpus)) {}

  double message() const {
    return static_cast<double>(work.bytes.value) / static_cast<double>(ranks);
  }
  /// Bytes by source, then by sink.
  std::vector<std::vector<double>> pairs(std::size_t phase) const {
    std::vector<std::vector<double>> bytes(ranks, std::vector<double>(ranks, 0.0));
    for (const RankFlow& flow : flows.all(phase))
      bytes[static_cast<std::size_t>(flow.source)][static_cast<std::size_t>(flow.sink)] +=
          flow.bytes;
    return bytes;
  }
  std::int64_t domain(std::size_t rank) const {
    return topology.domain_of(RankId(static_cast<std::uint32_t>(rank)));
  }
  /// Bytes that all ranks send together, inside domains and between them.
  TierBytes tiers() const {
    TierBytes sum;
    for (std::size_t phase = 0; phase < flows.phases(); ++phase)
      for (const RankFlow& flow : flows.all(phase))
        (topology.domain_of(flow.source) == topology.domain_of(flow.sink) ? sum.scale_up
                                                                          : sum.scale_out) +=
            flow.bytes;
    return sum;
  }
  /// True if every domain that takes part holds as many ranks.
  bool even() const {
    return flows.members_inside() * flows.members_outside() == static_cast<std::int64_t>(ranks);
  }

  CollectiveWork work;
  Topology topology;
  CollectiveFlows flows;
  std::size_t ranks;
};

// Each pair's message arrives whole, in one phase or two: after the first phase a rank holds what
// its domain has for it and its counterparts, and passes on exactly that.
void check_pairs(const Drawn& drawn) {
  const auto first = drawn.pairs(0);
  if (drawn.flows.phases() == 1) {
    for (std::size_t source = 0; source < drawn.ranks; ++source)
      for (std::size_t sink = 0; sink < drawn.ranks; ++sink) {
        const double sent = source == sink ? 0.0 : drawn.message() * load(drawn.work, source, sink);
        REQUIRE(first[source][sink] == Approx(sent).epsilon(1e-12));
      }
    return;
  }
  const auto second = drawn.pairs(1);
  const auto width = static_cast<std::size_t>(drawn.flows.members_inside());
  for (std::size_t rank = 0; rank < drawn.ranks; ++rank) {
    double kept = 0.0;    // what the rank had itself for its counterparts and for itself
    double to_self = 0.0; // what its domain has for it
    for (std::size_t sink = rank % width; sink < drawn.ranks; sink += width)
      kept += drawn.message() * load(drawn.work, rank, sink);
    for (std::size_t source = 0; source < drawn.ranks; ++source)
      if (drawn.domain(source) == drawn.domain(rank))
        to_self += drawn.message() * load(drawn.work, source, rank);
    double gathered = kept;
    for (std::size_t source = 0; source < drawn.ranks; ++source)
      gathered += first[source][rank];
    const double passed = std::accumulate(second[rank].begin(), second[rank].end(), 0.0);
    REQUIRE(passed + to_self == Approx(gathered).epsilon(1e-12));
    double wanted = 0.0; // by this rank, of everybody
    double received = to_self;
    for (std::size_t source = 0; source < drawn.ranks; ++source) {
      wanted += drawn.message() * load(drawn.work, source, rank);
      received += second[source][rank];
    }
    REQUIRE(received == Approx(wanted).epsilon(1e-12));
  }
}

// Tokens leave a domain once for each other domain that wants them, never more often than they have
// experts or domains to go to; with even loads each rank sends what it receives.
void check_dispatch(const Drawn& drawn) {
  const auto pairs = drawn.pairs(0);
  const double tokens = static_cast<double>(drawn.work.bytes.value) /
                        static_cast<double>(drawn.work.fan_out.experts_per_token);
  const TierBytes sum = drawn.tiers();
  const auto ranks = static_cast<double>(drawn.ranks);
  const auto domains = static_cast<double>(drawn.flows.members_outside());
  CHECK(sum.scale_out <= tokens * ranks * (domains - 1.0) * (1.0 + 1e-9));
  CHECK(sum.scale_up + sum.scale_out <=
        2.0 * static_cast<double>(drawn.work.bytes.value) * ranks * (1.0 + 1e-9));
  for (std::size_t rank = 0; rank < drawn.ranks; ++rank) {
    double sent = 0.0;
    double received = 0.0;
    for (std::size_t peer = 0; peer < drawn.ranks; ++peer) {
      sent += pairs[rank][peer];
      received += pairs[peer][rank];
      const bool counterpart =
          (peer - rank) % static_cast<std::size_t>(drawn.flows.members_inside()) == 0;
      if (drawn.domain(peer) != drawn.domain(rank) && !counterpart)
        REQUIRE(pairs[rank][peer] == 0.0);
    }
    if (!drawn.work.loads)
      REQUIRE(sent == Approx(received).epsilon(1e-12));
  }
}

} // namespace

TEST_CASE("an all-to-all delivers every pair's message, whatever the loads") {
  std::size_t two_phases = 0;
  for (std::uint64_t seed = 7000; seed < 7000 + cases(200); ++seed) {
    RandomCollective random = random_collective(seed, {4, 8, 12, 16, 24, 32, 48, 64, 96, 128});
    skew_loads(random, {.noise = 0.3});
    if (random.work.kind.pattern != Pattern::all_to_all)
      random.work.kind = Collective::all_to_all;
    INFO(random.text());
    const Drawn drawn(random);
    check_pairs(drawn);
    two_phases += drawn.flows.phases() == 2 ? 1 : 0;
  }
  CHECK(two_phases >= of_that_kind(21));
}

TEST_CASE("a dispatch sends a token once to each domain, to counterparts alone") {
  std::size_t counted = 0;
  for (std::uint64_t seed = 7200; seed < 7200 + cases(200); ++seed) {
    RandomCollective random = random_collective(seed, {8, 16, 24, 32, 48, 64, 128});
    random.work.kind = seed % 2 == 0 ? Collective::dispatch : Collective::combine;
    INFO(random.text());
    const Drawn drawn(random);
    if (!drawn.even())
      continue;
    ++counted;
    check_dispatch(drawn);
  }
  CHECK(counted >= of_that_kind(101));
}

// The flows of ranks against the closed forms of collective_bytes, which calibration uses.
TEST_CASE("the bytes of the other collectives are those of their formulas, by tier") {
  const std::vector<Collective> kinds = {
      Collective::all_to_all,          Collective::two_phase_all_to_all,
      Collective::all_gather,          Collective::reduce_scatter,
      Collective::all_reduce,          Collective::all_reduce_tree,
      Collective::all_reduce_in_switch};
  std::size_t counted = 0;
  for (std::uint64_t seed = 7400; seed < 7400 + cases(300); ++seed) {
    RandomCollective random = random_collective(seed, {8, 12, 16, 24, 32, 48, 64, 96, 128});
    random.work.kind = kinds[seed % kinds.size()];
    INFO(random.text());
    const Drawn drawn(random);
    const std::int64_t width = drawn.flows.members_inside();
    if (!drawn.even() || (width == 1 && random.work.kind == Collective::all_reduce_in_switch))
      continue;
    ++counted;
    const RankGroup group{random.gpus, drawn.flows.members_outside()};
    const TierBytes expected =
        collective_bytes(random.work.kind, static_cast<double>(random.work.bytes.value), group);
    const auto ranks = static_cast<double>(drawn.ranks);
    CHECK(drawn.tiers().scale_up / ranks == Approx(expected.scale_up).epsilon(1e-12).margin(1e-9));
    CHECK(drawn.tiers().scale_out / ranks ==
          Approx(expected.scale_out).epsilon(1e-12).margin(1e-9));
  }
  CHECK(counted >= of_that_kind(151));
}
