#include "sim/calibrate/network_fit.hpp"

#include "sim/base/input_error.hpp"
#include "sim/calibrate/residuals.hpp"
#include "sim/input/file_text.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const fs::path calibration = fs::path(MOESIM_SOURCE_DIR) / "calibration";
const std::string header =
    "table,gpu,scale_up,scale_up_gbyte_per_s,network,network_gbyte_per_s,domains,ranks,tier,"
    "collective,size_bytes,scale_up_bytes,network_bytes,time_us,fit,source\n";

/// An all-to-all on NVLink of 100 GB/s that follows the model exactly: 5 µs and 0.5 µs a peer,
/// share 0.8 · exp(−0.4 / ranks).
Measurement exact_row(std::int64_t ranks, double size) {
  Measurement row;
  row.table = "exact" + std::to_string(ranks);
  row.links = {"nvlink4", gbyte_per_s(100.0), "", {}};
  row.group = {ranks, 1};
  row.collective = Collective::all_to_all;
  row.size = size;
  row.bytes = collective_bytes(row.collective, size, row.group);
  const double n = static_cast<double>(ranks);
  const double start = 5e-6 + 0.5e-6 * (n - 1.0);
  row.time = Seconds{
      start + (size > 16384.0 ? row.bytes.scale_up / (1e11 * 0.8 * std::exp(-0.4 / n)) : 0.0)};
  row.fit = true;
  return row;
}

std::vector<Measurement> exact_rows() {
  std::vector<Measurement> rows;
  for (const std::int64_t ranks : {2, 4, 8})
    for (double size = 1024.0; size <= 1e9; size *= 4.0)
      rows.push_back(exact_row(ranks, size));
  return rows;
}

std::string fit_refusal(const std::string& text) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("m.csv", text);
  try {
    read_measurements(path);
  } catch (const InputError& error) {
    return std::string(error.what()).substr(folder.path().string().size() + 1);
  }
  return "no error";
}

std::vector<Measurement> committed_measurements() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(calibration / "measurements"))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Measurement> measurements;
  for (const fs::path& path : paths)
    for (Measurement& row : read_measurements(path))
      measurements.push_back(std::move(row));
  return measurements;
}

} // namespace

TEST_CASE("a fit finds the parameters that made its measurements") {
  const std::vector<NetworkCurve> curves = fit_network(exact_rows(), {});
  REQUIRE(curves.size() == 1);
  const NetworkCurve& curve = curves.front();
  CHECK(curve.interconnect == "nvlink4");
  CHECK(curve.base.value * 1e6 == Approx(5.0).epsilon(1e-9));
  CHECK(curve.per_peer.value * 1e6 == Approx(0.5).epsilon(1e-9));
  CHECK(curve.small_group_loss == Approx(0.4).margin(1e-3));
  for (const NetworkCurve::Point& point : curve.points)
    CHECK(point.share == Approx(0.8).margin(1e-3));
  CHECK(curve.residual_percent < 0.1);
  CHECK(curve.members_min == 2);
  CHECK(curve.members_max == 8);
}

TEST_CASE("rows that are held out do not change a fit, and are judged by it") {
  std::vector<Measurement> rows = exact_rows();
  const std::string fitted = network_csv(fit_network(rows, {}));
  // Twice as fast as the model, 2.1 MB on 4 ranks.
  Measurement other = exact_row(4, 2097152.0);
  other.table = "other";
  other.fit = false;
  other.time = other.time / 2.0;
  rows.push_back(other);
  CHECK(network_csv(fit_network(rows, {})) == fitted);
  const NetworkCost costs(fit_network(rows, {}));
  const std::vector<TableResidual> residuals = table_residuals(costs, rows);
  REQUIRE(residuals.size() == 4);
  CHECK_FALSE(residuals.back().fit);
  CHECK(residuals.back().median_error_percent == Approx(100.0).margin(0.5));
  const std::vector<GroupResidual> groups = group_residuals(costs, rows);
  REQUIRE(groups.size() == 1);
  CHECK(groups.front().rows == 1);
}

TEST_CASE("costs that no measurement is of stay as they are") {
  NetworkCurve other;
  other.interconnect = "roce";
  other.collective = Collective::all_gather;
  other.points = {{Bytes{1}, 0.5}};
  NetworkCurve old = other;
  old.interconnect = "nvlink4";
  old.collective = Collective::all_to_all;
  const std::vector<NetworkCurve> curves = fit_network(exact_rows(), {other, old});
  REQUIRE(curves.size() == 2);
  CHECK(curves[0].interconnect == "nvlink4");
  CHECK(curves[0].points.size() > 1);
  CHECK(curves[1].interconnect == "roce");
  CHECK(curves[1].points.front().share == 0.5);
}

TEST_CASE("nothing to fit is an error") {
  Measurement row = exact_row(2, 4096.0);
  row.fit = false;
  CHECK_THROWS_AS(fit_network({row}, {}), InputError);
}

TEST_CASE("the committed costs are what the committed measurements give") {
  const std::vector<NetworkCurve> curves = fit_network(committed_measurements(), {});
  CHECK(network_csv(curves) == read_file(calibration / "network.csv"));
  CHECK(network_startup_csv(curves) == read_file(calibration / "network_startup.csv"));
}

TEST_CASE("collectives that were held out are predicted within 10 percent at the median") {
  // README.md tells the split; a table that its publisher calls badly set is not judged here.
  std::vector<Measurement> rows = committed_measurements();
  const NetworkCost costs = NetworkCost::load(calibration);
  std::erase_if(rows, [](const Measurement& row) { return row.table == "B200x16_vultr_a2a_env1"; });
  std::size_t judged = 0;
  for (const GroupResidual& group : group_residuals(costs, rows)) {
    if (group.interconnect != "nvlink" && group.interconnect != "infiniband")
      continue;
    INFO(group.interconnect << " " << collective_name(group.collective));
    CHECK(group.median_error_percent < 10.0);
    ++judged;
  }
  CHECK(judged >= 8);
}

TEST_CASE("malformed measurements are refused with their place") {
  CHECK(fit_refusal(header + "t,H100,nvlink4,450,,,1,8,scale_up,all_to_al,64,,,5,yes,s\n") ==
        "m.csv:2:35: error: collective: \"all_to_al\" is not known\n"
        "  t,H100,nvlink4,450,,,1,8,scale_up,all_to_al,64,,,5,yes,s\n"
        "                                    ^\n"
        "  hint: did you mean \"all_to_all\"?");
  const auto says = [](const std::string& row, const std::string& message) {
    INFO(row);
    CHECK(fit_refusal(header + row + "\n").find(message) != std::string::npos);
  };
  says("t,H100,nvlink4,450,,,1,8,scale_up,all_to_all,64,,,0,yes,s", "2:51: error: time_us");
  says("t,H100,nvlink4,450,,,1,8,scale_up,all_to_all,64,,,5,yes,",
       "a measurement needs its source");
  says("t,H100,nvlink4,450,,,1,8,scale_up,all_to_all,64,7,,5,yes,s", "leave it empty");
  says("t,H100,nvlink4,450,,,3,8,scale_up,all_to_all,64,,,5,yes,s", "3 do not divide 8 ranks");
  says("t,H100,nvlink4,450,,,1,1,scale_up,all_to_all,64,,,5,yes,s", "must be 2 or more");
  says("t,H100,nvlink4,450,,,1,8,scale_out,all_to_all,64,,,5,yes,s", "one domain has no network");
  says("t,H100,nvlink4,450,,,1,8,scale_up,dispatch,64,,,5,yes,s", "scale_up_bytes");
  says("a b,H100,nvlink4,450,,,1,8,scale_up,all_to_all,64,,,5,yes,s", "without spaces");
}
