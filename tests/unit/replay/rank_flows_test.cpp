#include "sim/replay/rank_flows.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace moesim;

// DeepEP's tests: 4,096 tokens of 7,392 bytes, 8 of 256 experts. Published are the bytes that go to
// distinct domains and ranks in samples of random scores (DeepEP's README and tests).
TEST_CASE("a token goes to as many domains and ranks as DeepEP counts") {
  constexpr double all_tokens = 4096.0 * 7392.0;
  struct Row {
    std::int64_t groups, groups_per_token, parts;
    double bytes;
  };
  for (const Row& row : {Row{1, 1, 8, 160743948}, Row{2, 2, 2, 60313043}, Row{2, 2, 16, 197289050},
                         Row{4, 4, 4, 109680722}, Row{4, 4, 32, 219936719}, Row{8, 4, 8, 120641225},
                         Row{8, 4, 64, 226098217}}) {
    INFO(row.groups << " groups, " << row.parts << " parts");
    const TokenFanOut fan_out{256, 8, row.groups, row.groups_per_token};
    CHECK(expected_parts(fan_out, row.parts) == Approx(row.bytes / all_tokens).epsilon(4e-3));
  }
}

// Two experts, two groups, one each: both domains, whatever is drawn. One domain for all: one.
TEST_CASE("domains that hold several groups are counted once") {
  CHECK(expected_parts({4, 2, 4, 4}, 1) == Approx(1.0));
  // 4 experts in 4 groups on 2 domains: the second expert is among 3, one of them on the same.
  CHECK(expected_parts({4, 2, 4, 4}, 2) == Approx(1.0 + 2.0 / 3.0));
}

// 8 groups on 3 domains: a domain ends within a group.
TEST_CASE("a token goes to no more parts than there are") {
  for (std::int64_t parts = 1; parts <= 64; ++parts) {
    INFO(parts << " parts");
    for (const TokenFanOut& fan_out : {TokenFanOut{256, 8, 8, 4}, TokenFanOut{256, 8, 1, 1},
                                       TokenFanOut{160, 6, 8, 3}, TokenFanOut{64, 8, 8, 8}}) {
      const double expected = expected_parts(fan_out, parts);
      CHECK(expected >= 1.0 - 1e-12);
      CHECK(expected <= static_cast<double>(std::min(parts, fan_out.experts_per_token)) + 1e-12);
    }
  }
}
