#include "sim/schedule/checkpoint.hpp"

#include "tests/unit/schedule/shipped_workload.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("a checkpoint has every parameter once, however the plan splits it") {
  // Mixtral 8x7B: 46,702,792,704 parameters, 2 bytes of weight and 12 of Adam each.
  Workload workload = shipped_workload("mixtral-8x7b", 8);
  constexpr std::int64_t parameters = 46'702'792'704;
  CHECK(checkpoint_bytes(workload) == Bytes{14 * parameters});
  CHECK(checkpoint_bytes(with_pipeline(workload, 4)) == Bytes{14 * parameters});
  workload.plan.gpus = 64; // eight replicas of all
  CHECK(checkpoint_bytes(workload) == Bytes{14 * parameters});
  workload.training.fp32_moments = false; // 2 + 2 + 2 + 4
  CHECK(checkpoint_bytes(workload) == Bytes{10 * parameters});
  workload.training.fp32_moments = true;
  workload.training.fp32_shards = true; // the master weights are the weights
  CHECK(checkpoint_bytes(workload) == Bytes{12 * parameters});
}
