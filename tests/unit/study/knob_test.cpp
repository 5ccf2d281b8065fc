#include "sim/study/knob.hpp"

#include "sim/base/input_error.hpp"

#include <catch2/catch.hpp>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

KnobRange range_of(const std::string& key, std::optional<double> from = {},
                   std::optional<double> to = {}, const std::vector<std::string>& settings = {}) {
  const std::string scenario =
      std::string(MOESIM_SOURCE_DIR) + "/workloads/mixtral-8x7b/scenario.toml";
  return Knob(scenario, settings, key).range(from, to);
}

} // namespace

TEST_CASE("a knob goes from a quarter of its own value to four times of it") {
  const KnobRange nic = range_of("cluster.nic_gbit_per_s"); // 400 in the topology file
  CHECK(nic.own == 400.0);
  CHECK(nic.from == 100.0);
  CHECK(nic.to == 1600.0);
  CHECK(!nic.whole);
  const KnobRange k = range_of("model.experts_per_token"); // 2 in the model's config
  CHECK(k.from == 1.0);                                    // 0.5, rounded up
  CHECK(k.to == 8.0);
  CHECK(k.whole);
  CHECK(range_of("cluster.gpus").own == 128.0);
  CHECK(range_of("cluster.gpus", {}, {}, {"cluster.gpus=256"}).own == 256.0);
  CHECK(range_of("parallel.context").own == 1.0); // not written: the plan has it
  const KnobRange given = range_of("cluster.scale_up_gpus", 1.5, 8.0);
  CHECK(!given.own);
  CHECK(given.from == 2.0);
  CHECK(given.whole);
  CHECK(!range_of("routing.capacity_factor", 0.0, 2.0).whole); // 0 itself: half of 1 is a value
}

TEST_CASE("a key that is no knob says why") {
  CHECK_THROWS_WITH(range_of("gpus"), Contains("--knob gpus: error: \"gpus\" is not a dotted key"));
  CHECK_THROWS_WITH(range_of("cluster.gpu"), Contains("did you mean \"gpus\"?"));
  CHECK_THROWS_WITH(range_of("routing.load"), Contains("its value, uniform, is not a number"));
  CHECK_THROWS_WITH(range_of("cluster.scale_up_gpus"), Contains("--from and --to"));
  CHECK_THROWS_WITH(range_of("routing.capacity_factor"), Contains("own value is 0"));
  CHECK_THROWS_WITH(range_of("cluster.gpus", 64.0, 32.0), Contains("no values from 64 to 32"));
}
