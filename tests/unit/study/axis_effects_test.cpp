#include "sim/study/axis_effects.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

using Rows = std::vector<std::vector<std::string>>;

const std::vector<std::string> axes{"cluster.topology", "cluster.nic_gbit_per_s"};

/// The effect of the second axis on rows of status, reason, topology, NIC and step time.
AxisEffect nic_effect(const Rows& rows) {
  return axis_effects(
             {{"status", "reason", "cluster.topology", "cluster.nic_gbit_per_s", "step_time_ms"},
              rows},
             axes)
      .at(1);
}

} // namespace

TEST_CASE("an axis changed nothing if all points that differ only in it are equal") {
  const AxisEffect effect = nic_effect({{"ok", "", "a/nvlink.toml", "100", "7"},
                                        {"ok", "", "a/nvlink.toml", "400", "7"},
                                        {"ok", "", "a/ethernet.toml", "100", "9"},
                                        {"ok", "", "a/ethernet.toml", "400", "9"}});
  CHECK(effect.groups == 2);
  CHECK(effect.unchanged == 2);
  CHECK(unchanged_notes({effect}) ==
        std::vector<std::string>{
            "cluster.nic_gbit_per_s changed nothing: every result is the same for all of its "
            "values. It acts only on what crosses the NICs."});
}

TEST_CASE("an axis that changed something somewhere is told with where it did not") {
  const AxisEffect effect = nic_effect({{"ok", "", "a/nvlink.toml", "100", "7"},
                                        {"ok", "", "a/nvlink.toml", "400", "7"},
                                        {"ok", "", "a/ethernet.toml", "100", "9"},
                                        {"ok", "", "a/ethernet.toml", "400", "8"}});
  CHECK(effect.groups == 2);
  CHECK(effect.unchanged == 1);
  CHECK(effect.always == std::vector<std::string>{"cluster.topology nvlink"});
  CHECK(unchanged_notes({effect}) ==
        std::vector<std::string>{
            "cluster.nic_gbit_per_s changed nothing in 1 of 2 groups of points that differ only "
            "in it, among them all at cluster.topology nvlink. It acts only on what crosses the "
            "NICs."});
}

TEST_CASE("an axis that decides whether a point runs changed something") {
  const AxisEffect effect =
      nic_effect({{"ok", "", "nvlink", "100", ""}, {"failed", "", "nvlink", "400", ""}});
  CHECK(effect.groups == 1);
  CHECK(effect.unchanged == 0);
  CHECK(unchanged_notes({effect}).empty());
}

TEST_CASE("points that did not run, or have no partner, say nothing of an axis") {
  const AxisEffect effect = nic_effect({{"illegal", "no", "nvlink", "100", ""},
                                        {"illegal", "no", "nvlink", "400", ""},
                                        {"ok", "", "ethernet", "100", "9"}});
  CHECK(effect.groups == 0);
  CHECK(effect.unchanged == 0);
  CHECK(unchanged_notes({effect}).empty());
}

TEST_CASE("one changed point of many is a change") {
  const AxisEffect effect = nic_effect({{"ok", "", "nvlink", "100", "7"},
                                        {"ok", "", "nvlink", "200", "7"},
                                        {"ok", "", "nvlink", "400", "6"}});
  CHECK(effect.groups == 1);
  CHECK(effect.unchanged == 0);
}

TEST_CASE("rows changed nothing if only their own keys differ") {
  const ReportTable results{{"status", "reason", "machine", "cluster.gpus", "step_time_ms"},
                            {{"ok", "", "a", "8", "7"}, {"ok", "", "b", "16", "7"}}};
  CHECK(axis_effects(results, {"machine"}, {{"machine", {"cluster.gpus"}}}).at(0).unchanged == 1);
  CHECK(axis_effects(results, {"machine"}).at(0).unchanged == 0);
}
