#include "sim/search/step_replay.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

// Every member differs from its default and from every other.
TEST_CASE("a replay comes back from its text as it was") {
  StepReplay replay;
  StepMetrics& metrics = replay.metrics;
  metrics.step_time = Seconds{1.0 / 3.0};
  metrics.waterfall = {Seconds{0.11}, Seconds{0.12}, Seconds{0.13}, Seconds{0.14},
                       Seconds{0.15}, Seconds{0.16}, Seconds{0.17}};
  metrics.ep_total = Seconds{0.21};
  metrics.dispatch = Seconds{0.22};
  metrics.combine = Seconds{0.23};
  metrics.ep_scale_out = Seconds{0.24};
  for (std::size_t part = 0; part < metrics.parts.size(); ++part)
    metrics.parts[part] = Seconds{0.3 + 0.01 * static_cast<double>(part)};
  metrics.extrapolated = Seconds{0.41};
  metrics.extrapolated_costs = {{"attention: \"a rule\"", Seconds{0.42}},
                                {"products", Seconds{0.43}}};
  metrics.stand_ins = {"attention: the table of h200-sxm"};
  metrics.error_bar = Seconds{0.44};
  metrics.bottleneck = "Node[0].Gpu[1]";
  metrics.bottleneck_use = 0.45;
  metrics.ep_limit = "NIC egress";
  replay.operations = 51;
  replay.activities = 52;
  replay.approximate = true;
  replay.extrapolated = {"all_to_all on infiniband", "messages"};
  replay.stand_ins = {"all_to_all on nvlink6: the curve of all_to_all on nvlink5"};
  CHECK(replay_from_text(to_text(replay)) == replay);
  CHECK(replay_from_text(to_text(StepReplay{})) == StepReplay{});
}
