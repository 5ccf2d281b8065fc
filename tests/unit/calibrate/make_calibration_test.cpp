#include "sim/calibrate/make_calibration.hpp"

#include "sim/base/input_error.hpp"
#include "sim/calibrate/nccl_log.hpp"
#include "sim/cost/network_cost.hpp"
#include "tests/support/calibration.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <sstream>

using namespace moesim;

namespace {

namespace fs = std::filesystem;

const NetworkCurve& curve_of(const std::vector<NetworkCurve>& curves, Collective collective) {
  const auto found = std::find_if(curves.begin(), curves.end(), [&](const NetworkCurve& curve) {
    return curve.interconnect == "nvlink4" && curve.collective == collective;
  });
  REQUIRE(found != curves.end());
  return *found;
}

std::string content_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

constexpr const char* exchanges = "operation,gpus,distribution,bytes,time_us\n"
                                  "nccl_all_to_all,8,equal,16384,60\n"
                                  "nccl_all_to_all,8,equal,1048576,66\n"
                                  "nccl_all_to_all,8,equal,16777216,150\n"
                                  "nccl_all_to_all,8,equal,268435456,1400\n";

} // namespace

TEST_CASE("one table alone leaves the error that was known of a collective") {
  const TemporaryFolder given;
  const TemporaryFolder out;
  fs::create_directories(given.path() / "h100-sxm");
  const fs::path table = given.write("h100-sxm/all_to_all.csv", exchanges);
  make_calibration(calibration_folder, {.tables = {table}}, out.path());
  const auto before = NetworkCost::load(calibration_folder).curves();
  const auto after = NetworkCost::load(out.path()).curves();
  const NetworkCurve& fitted = curve_of(after, Collective::all_to_all);
  CHECK(fitted.tables == "h100-sxm/all_to_all.csv");
  CHECK(fitted.residual_percent < 2.0);
  CHECK(fitted.p90_error_percent >= curve_of(before, Collective::all_to_all).p90_error_percent);
}

TEST_CASE("an all-to-all in a node scales the other collectives until they are measured") {
  const TemporaryFolder given;
  const TemporaryFolder out;
  fs::create_directories(given.path() / "h100-sxm");
  const fs::path table = given.write("h100-sxm/all_to_all.csv", exchanges);
  const fs::path collectives =
      given.write("h100-sxm/collectives.csv",
                  "collective,distribution,ranks,nodes,bytes,time_us\n"
                  "all_gather,equal,8,1,16384,20\nall_gather,equal,8,1,268435456,700\n"
                  "all_to_all,zipf,8,1,268435456,9999\n");
  make_calibration(calibration_folder, {.tables = {table, collectives}}, out.path());
  const auto before = NetworkCost::load(calibration_folder).curves();
  const auto after = NetworkCost::load(out.path()).curves();
  const auto share = [](const std::vector<NetworkCurve>& curves, Collective collective) {
    return curve_of(curves, collective).points.back().share;
  };
  const double ratio =
      share(before, Collective::reduce_scatter) / share(after, Collective::reduce_scatter);
  CHECK(ratio > 1.2); // the exchanges are slower than the shipped curve
  CHECK(share(before, Collective::all_reduce) / share(after, Collective::all_reduce) ==
        Approx(ratio).epsilon(0.01));
  CHECK(curve_of(after, Collective::all_gather).tables == "h100-sxm/collectives.csv");
}

TEST_CASE("no algorithm of an all-reduce is faster than the one that was measured") {
  const TemporaryFolder out;
  const RankLinks links{"nvlink4", gbyte_per_s(450), "infiniband", gbyte_per_s(50)};
  // 32 ranks on 4 nodes at a bus bandwidth of 60 GB/s: 2 · 31/32 · size / 60 GB/s.
  CalibrationInputs inputs;
  for (const double size : {64e6, 256e6, 1e9}) {
    Measurement row;
    row.table = row.source = "slow_all_reduce";
    row.links = links;
    row.group = {32, 4};
    row.tier = Tier::scale_out;
    row.collective = Collective::all_reduce;
    row.size = size;
    row.bytes = collective_bytes(row.collective, size, row.group);
    row.time = Seconds{2.0 * 31.0 / 32.0 * size / 60e9};
    row.fit = true;
    inputs.logged.insert(curve_name(row));
    inputs.measurements.push_back(row);
  }
  make_calibration(calibration_folder, inputs, out.path());
  const NetworkCost costs = NetworkCost::load(out.path());
  const Measurement& largest = inputs.measurements.back();
  // A tree is no option on InfiniBand, where none was measured.
  for (const Collective algorithm : {Collective::all_reduce, Collective::all_reduce_in_switch}) {
    INFO(collective_name(algorithm));
    const Seconds time =
        collective_time(costs, algorithm, collective_bytes(algorithm, largest.size, largest.group),
                        largest.group, links);
    CHECK(time / largest.time > 0.95);
  }
}

TEST_CASE("rows of several nodes need the topology that names their network") {
  const TemporaryFolder given;
  const TemporaryFolder out;
  fs::create_directories(given.path() / "h100-sxm");
  const fs::path table =
      given.write("h100-sxm/collectives.csv", "collective,distribution,ranks,nodes,bytes,time_us\n"
                                              "all_gather,equal,16,2,16384,40\n"
                                              "all_gather,equal,16,2,268435456,7000\n");
  const fs::path made = out.path() / "made";
  CHECK_THROWS_WITH(make_calibration(calibration_folder, {.tables = {table}}, made),
                    Catch::Contains(table.string() + ":2:21: error: the file does not name") &&
                        Catch::Contains("--topology"));
  CHECK_FALSE(fs::exists(made));
  const RankLinks links{"nvlink4", gbyte_per_s(450), "infiniband", gbyte_per_s(50)};
  make_calibration(calibration_folder, {.tables = {table}, .links = links}, made);
  CHECK(content_of(made / "network.csv") != content_of(calibration_folder / "network.csv"));
}

TEST_CASE("the report names the files that constants were fitted to") {
  const TemporaryFolder given;
  const TemporaryFolder out;
  fs::create_directories(given.path() / "h100-sxm");
  const fs::path table = given.write("h100-sxm/launch.csv", "quantity,time_us\nhost_launch,4.8\n");
  const CalibrationResult result =
      make_calibration(calibration_folder, {.tables = {table}}, out.path());
  CHECK(result.devices.at("h100-sxm").constants.size() == 1);
  CHECK(content_of(out.path() / "REPORT.md").find("measured/launch.csv, 1 rows") !=
        std::string::npos);
  CHECK(fs::exists(out.path() / "h100-sxm/measured/constants.csv"));
}
