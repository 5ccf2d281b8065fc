#include "sim/study/axis_caps.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace moesim;

namespace {

/// A sweep over the bandwidth of NICs, whose PCIe has 63 GB/s, with the cause of the all-to-alls'
/// time at each point.
struct NicSweep {
  SweepPlan plan;
  ReportTable results{{"status", "reason", "cluster.nic_gbit_per_s", "ep_limited_by"}, {}};

  void add(const std::string& nic_gbit_per_s, const std::string& cause) {
    const Scenario scenario = read_scenario(std::filesystem::path(MOESIM_SOURCE_DIR) /
                                                "workloads/qwen3-30b-a3b/scenario.toml",
                                            {"cluster.nic_gbit_per_s=" + nic_gbit_per_s});
    plan.points.push_back({{nic_gbit_per_s}, scenario, ""});
    results.rows.push_back({"ok", "", nic_gbit_per_s, cause});
  }
  std::vector<std::string> notes() const { return cap_notes(plan, results); }
};

} // namespace

TEST_CASE("a NIC above its PCIe is pointed out, and what limits the all-to-alls instead") {
  NicSweep sweep;
  sweep.add("200", "NIC egress");
  sweep.add("400", "leaf uplink");
  CHECK(sweep.notes().empty());
  sweep.add("800", "PCIe egress");
  sweep.add("1600", "PCIe egress");
  CHECK(sweep.notes() ==
        std::vector<std::string>{
            "cluster.nic_gbit_per_s above 504: capped by PCIe, 63 GB/s for each NIC.",
            "cluster.nic_gbit_per_s from 800 on: not the NICs limit the all-to-alls of experts but "
            "PCIe egress (at 2 of 2 points)."});
}

TEST_CASE("a kernel that copies no faster is pointed out from the value on where it limits") {
  NicSweep sweep;
  sweep.add("200", "NIC egress");
  sweep.add("200", "the kernel's own rate");
  sweep.add("400", "the kernel's own rate");
  sweep.add("500", "start-up");
  sweep.add("500", "the kernel's own rate");
  CHECK(sweep.notes() ==
        std::vector<std::string>{
            "cluster.nic_gbit_per_s from 400 on: not the NICs limit the all-to-alls of experts but "
            "the kernel's own rate (at 2 of 3 points), start-up (at 1 of 3 points)."});
}
