#include "cuda_microbench/core/expert_tokens.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace moesim::microbench;

namespace {

using Tokens = std::vector<std::int64_t>;

Tokens sorted_zipf(std::int64_t groups, std::int64_t tokens) {
  Tokens shares = tokens_of_groups(Distribution::zipf, groups, tokens);
  std::sort(shares.begin(), shares.end(), std::greater<>());
  return shares;
}

} // namespace

TEST_CASE("equal groups have the same tokens, the first ones what does not divide") {
  CHECK(tokens_of_groups(Distribution::equal, 4, 64) == Tokens{16, 16, 16, 16});
  CHECK(tokens_of_groups(Distribution::equal, 3, 8) == Tokens{3, 3, 2});
}

TEST_CASE("zipf groups have tokens in proportion to one over their rank") {
  // 1 + 1/2 + 1/3 + 1/4 = 25/12; 100 x 12/25 = 48, half, a third and a quarter of it.
  CHECK(sorted_zipf(4, 100) == Tokens{48, 24, 16, 12});
  // 1 + 1/2 + 1/3 = 11/6; 60/11 = 5.45, 30/11 = 2.73, 20/11 = 1.82: the last two lost most.
  CHECK(sorted_zipf(3, 10) == Tokens{5, 3, 2});
}

TEST_CASE("with few tokens some zipf groups have none") {
  // 12/25 of a token is the largest part that one of four groups loses.
  CHECK(sorted_zipf(4, 1) == Tokens{1, 0, 0, 0});
  // 8 / (1 + 1/2 + … + 1/8) = 2.943: parts 2.943, 1.472, 0.981, 0.736, 0.589, 0.491, 0.420, 0.368;
  // the five tokens that rounding leaves go to the losses from 0.981 down to 0.491.
  CHECK(sorted_zipf(8, 8) == Tokens{3, 1, 1, 1, 1, 1, 0, 0});
}

TEST_CASE("the order of zipf groups is shuffled, and always the same") {
  const Tokens shares = tokens_of_groups(Distribution::zipf, 64, 65536);
  CHECK(shares != sorted_zipf(64, 65536));
  CHECK(shares == tokens_of_groups(Distribution::zipf, 64, 65536));
  CHECK(std::accumulate(shares.begin(), shares.end(), std::int64_t{0}) == 65536);
}

// Tokens of the first four traced experts: 780, 634, 522 and 1045 of 2981 tokens.
TEST_CASE("traced groups have tokens as a model routed them") {
  CHECK(tokens_of_groups(Distribution::trace, 4, 2981) == Tokens{780, 634, 522, 1045});
  const Tokens shares = tokens_of_groups(Distribution::trace, 64, 49962);
  CHECK(*std::max_element(shares.begin(), shares.end()) == 2647);
  CHECK(std::accumulate(shares.begin(), shares.end(), std::int64_t{0}) == 49962);
}
