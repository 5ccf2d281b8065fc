#include "sim/calibrate/nccl_log.hpp"

#include "sim/base/input_error.hpp"
#include "sim/input/file_text.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const std::string devices = "#  Rank  0 Group  0 Pid 11 on node-a device  0 [0x0f] NVIDIA H100\n"
                            "#  Rank  1 Group  0 Pid 12 on node-b device  0 [0x2d] NVIDIA H100\n";
const std::string header_13 = "#  size count type redop root time algbw busbw #wrong "
                              "time algbw busbw #wrong\n";
// 1 MB in 100 µs are 10 GB/s; two ranks: all-reduce factor 1, all-to-all 0.5.
const std::string row_13 = "1000000 250000 float sum -1 100.0 10.00 10.00 0 99.0 10.10 10.10 0\n";

std::string refusal(const std::string& text, const std::string& name = "x_all_reduce.log") {
  try {
    parse_nccl_log(text, name, std::nullopt);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

NcclLog read_log(const fs::path& path) {
  return parse_nccl_log(read_file(path), path.string(), std::nullopt);
}

} // namespace

TEST_CASE("an nccl-tests log gives the out-of-place columns, ranks, hosts and device") {
  const NcclLog log = parse_nccl_log(devices + header_13 + row_13 + "# Avg bus bandwidth : 9\n",
                                     "runs/x_all_reduce.log", std::nullopt);
  CHECK(log.name == "x_all_reduce");
  CHECK(log.collective == Collective::all_reduce);
  CHECK(log.ranks == 2);
  CHECK(log.hosts == 2);
  CHECK(log.gpu == "NVIDIA H100");
  REQUIRE(log.rows.size() == 1);
  CHECK(log.rows[0].size == 1e6);
  CHECK(log.rows[0].time.value * 1e6 == Approx(100.0));
  CHECK(log.rows[0].bus_bandwidth == 10.0);
}

TEST_CASE("all layouts of nccl-tests are read, behind prefixes and between NCCL's own lines") {
  // 11 columns, the header names redop but the column is blank; a size of 0; the error is N/A.
  const NcclLog old = parse_nccl_log(
      devices + "# size count type redop time algbw busbw error time algbw busbw error\n"
                "host:34:34 [0] NCCL INFO Launch mode Parallel\n"
                "0 0 float 1.63 0.00 0.00 N/A 1.38 0.00 0.00 N/A\n"
                "1000000 125000 float 100 10.00 5.00 N/A N/A N/A N/A N/A\n",
      "alltoall.log", std::nullopt);
  CHECK(old.collective == Collective::all_to_all);
  REQUIRE(old.rows.size() == 1);
  CHECK(old.rows[0].bus_bandwidth == 5.0);
  // 12 columns, behind mpirun --tag-output; the error is a float.
  const NcclLog tagged = parse_nccl_log(
      "[1,0]<stdout>:" + devices.substr(0, devices.find('\n') + 1) +
          "[1,0]<stdout>:" + devices.substr(devices.find('\n') + 1) +
          "[1,0]<stdout>:# size count type redop time algbw busbw error time algbw busbw error\n"
          "[1,0]<stdout>: 1000000 250000 float sum 100.0 10.0 10.0 1e-07 99.0 10.1 10.1 0e+00\n",
      "allreduce.log", std::nullopt);
  CHECK(tagged.ranks == 2);
  REQUIRE(tagged.rows.size() == 1);
  // Behind srun --label, a header that Markdown took the # from, no devices: 2 (n − 1)/n = 1.875.
  const NcclLog labelled =
      parse_nccl_log("0: size count type redop root time algbw busbw #wrong time\n"
                     "0: ...\n"
                     "0: 1000000 250000 float sum -1 100.0 10.00 18.75 0 99.0 10.1 18.9 0\n",
                     "x.txt", Collective::all_reduce);
  CHECK(labelled.ranks == 16);
  CHECK(labelled.hosts == 0);
}

TEST_CASE("a log that names its collective needs no file name") {
  const NcclLog log =
      parse_nccl_log("# Collective test starting: reduce_scatter_perf\n" + devices + header_13 +
                         "1000000 1 float sum -1 100 10 5 0 100 10 5 0\n",
                     "run.txt", std::nullopt);
  CHECK(log.collective == Collective::reduce_scatter);
  // Copies of values may be an all-gather or an all-to-all.
  const std::string copied = "1000000 250000 float none -1 100.0 10.00 5.00 0 99.0 10.10 5.05 0\n";
  CHECK(refusal(devices + header_13 + copied, "run.txt") ==
        "run.txt:1:1: error: the log does not name its collective\n"
        "  hint: say which with --collective");
}

TEST_CASE("cut, failed and wrong runs are refused with their place") {
  CHECK(refusal(devices + header_13 + "1000000 250000 float sum\n") ==
        "x_all_reduce.log:4:22: error: the row has 4 columns; nccl-tests prints 11 to 13\n"
        "  1000000 250000 float sum\n"
        "                       ^\n"
        "  hint: the run was cut here");
  CHECK(refusal(devices + header_13) == "x_all_reduce.log:3:1: error: no row of measurements\n"
                                        "  hint: the run ended before its first result");
  const auto says = [](const std::string& rows, const std::string& message) {
    INFO(rows);
    CHECK(refusal(devices + header_13 + rows + "\n").find(message) != std::string::npos);
  };
  says("1000000 250000 float sum -1 100.0 10.00 10.00 7 99.0 10.1 10.1 0", ":4:47: error: 7 wrong");
  says("1000000 250000 float sum -1 100.0 12.00 10.00 0 99.0 10.1 10.1 0", "10.00 GB/s, not 12.00");
  says("1000000 250000 float sum -1 1x0.0 10.00 10.00 0 99.0 10.1 10.1 0", "\"1x0.0\" is not a");
  says("node-a: Test NCCL failure common.cu:958", "the run failed");
  says("1000000 250000 float sum -1 50.0 20.00 10.00 0 50.0 20.0 10.0 0",
       "is it another collective");
}

TEST_CASE("a log becomes measurements of the tier that bounds it") {
  const NcclLog log =
      parse_nccl_log(devices + header_13 + row_13, "x_all_reduce.log", std::nullopt);
  const RankLinks links{"nvlink4", gbyte_per_s(450.0), "roce", gbyte_per_s(50.0)};
  const std::vector<Measurement> rows = log_measurements(log, links, false);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].interconnect() == "roce");
  CHECK(rows[0].fit);
  // A ring of two nodes with a rank each: 2 × 1 MB / 2 leaves each.
  CHECK(rows[0].use().bytes == Bytes{1'000'000});
  CHECK(log_measurements(log, links, true)[0].collective == Collective::all_reduce_in_switch);
  CHECK_THROWS_AS(log_measurements(log, {"nvlink4", gbyte_per_s(450.0), "", {}}, false),
                  InputError);
}

TEST_CASE("the prefixes of launchers are read over") {
  for (const std::string prefix :
       {"[0] ", "[1,0]<stdout>:", "[1,0]", "0: ", " 3: ", "[node-1.site:0] ", "[0]: "}) {
    INFO(prefix);
    std::string text;
    std::istringstream lines(devices + header_13 + row_13);
    for (std::string line; std::getline(lines, line);)
      text += prefix + line + "\n";
    const NcclLog log = parse_nccl_log(text, "x_all_reduce.log", std::nullopt);
    CHECK(log.ranks == 2);
    CHECK(log.rows.size() == 1);
  }
}

TEST_CASE("a log of sums names its collective by the ratio of its bandwidths") {
  // Two ranks: the bus factor of an all-reduce is 2 · 1/2, of a reduce-scatter 1/2.
  const auto collective_of = [](const std::string& text) {
    return parse_nccl_log(text, "run.log", std::nullopt).collective;
  };
  CHECK(collective_of(devices + header_13 + row_13) == Collective::all_reduce);
  const std::string halved = "1000000 250000 float sum -1 100.0 10.00 5.00 0 99.0 10.10 5.05 0\n";
  CHECK(collective_of(devices + header_13 + halved) == Collective::reduce_scatter);
}

TEST_CASE("a rank beyond all numbers is refused where it stands") {
  std::string text = devices + header_13 + row_13;
  text.replace(text.find("Rank  1"), 7, "Rank  77777777777777777777");
  CHECK(refusal(text).find("x_all_reduce.log:2:10: error: 77777777777777777777 is not the number "
                           "of a rank") != std::string::npos);
}

TEST_CASE("published nccl-tests logs are read, their bus bandwidth as nccl-tests defines it") {
  const char* samples = std::getenv("MOESIM_SAMPLES");
  if (samples == nullptr) {
    std::cout << "MOESIM_SAMPLES is not set: no nccl-tests logs were read\n";
    return;
  }
  int read = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(samples) / "nccl_tests")) {
    INFO(entry.path());
    if (entry.path().filename().string().find("FAILED") != std::string::npos) {
      CHECK_THROWS_AS(read_log(entry.path()), InputError);
      continue;
    }
    // Some names leave the collective out: redop "none" is an all-gather or an all-to-all.
    const NcclLog log = read_log(entry.path());
    CHECK(log.ranks >= 1);
    for (const NcclLog::Row& row : log.rows)
      if (row.bus_bandwidth > 5.0) {
        INFO("line " << row.line);
        const double bandwidth =
            row.size / row.time.value / 1e9 * bus_factor(log.collective, log.ranks);
        CHECK(row.bus_bandwidth == Approx(bandwidth).epsilon(0.01));
      }
    ++read;
  }
  CHECK(read > 0);
}
