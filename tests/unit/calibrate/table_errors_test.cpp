#include "sim/calibrate/table_errors.hpp"

#include "sim/base/input_error.hpp"
#include "sim/calibrate/calibration_folder.hpp"
#include "sim/calibrate/calibration_report.hpp"
#include "sim/calibrate/measurement.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/toy_constants.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const fs::path shipped_tables = fs::path(MOESIM_SOURCE_DIR) / "calibration";

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TableError find(const std::vector<TableError>& errors, const std::string& device,
                const std::string& table, ErrorCase error_case) {
  const auto found = std::find_if(errors.begin(), errors.end(), [&](const TableError& error) {
    return error.device == device && error.table == table && error.precision == Precision::bf16 &&
           error.error_case == error_case;
  });
  REQUIRE(found != errors.end());
  return *found;
}

/// A shipped_tables of one device, "toy", with this GEMM table.
class ToyCalibration : public TemporaryFolder {
public:
  explicit ToyCalibration(const std::string& rows) {
    fs::create_directories(path() / "toy");
    write("compute_constants.csv", toy_constants());
    write("toy/gemm.csv", "precision,m,n,k,time_us\n" + rows);
  }
};

} // namespace

TEST_CASE("a measured time is predicted from its neighbours, the largest from the next smaller") {
  // Left out, m = 128 is half way between 2 and 6 us: 4, where 5 were measured. The largest, 192,
  // is 1.5 times the next smaller: 7.5 us, where 6 were measured.
  const ToyCalibration folder("bf16,64,64,64,2\nbf16,128,64,64,5\nbf16,192,64,64,6\n");
  const std::vector<TableError> errors = table_errors(folder.path());
  const TableError inside = find(errors, "toy", "gemm", ErrorCase::inside);
  CHECK(inside.rows == 1);
  CHECK(inside.median_percent == Approx(20.0));
  const TableError edge = find(errors, "toy", "gemm", ErrorCase::edge);
  CHECK(edge.rows == 1);
  CHECK(edge.p90_percent == Approx(25.0));
  // No other device: the largest error of the table.
  const TableError other = find(errors, "any", "gemm", ErrorCase::other_device);
  CHECK(other.rows == 0);
  CHECK(other.p90_percent == Approx(25.0));
}

TEST_CASE("a table of one point knows nothing of its error") {
  const ToyCalibration folder("bf16,64,64,64,2\n");
  const TableError inside = find(table_errors(folder.path()), "toy", "gemm", ErrorCase::inside);
  CHECK(inside.rows == 0);
  CHECK(inside.p90_percent == 100.0);
}

TEST_CASE("tables of a kind that borrows are predicted from those that it borrows from") {
  // The toy takes twice the time of the other at half of its rates, but for one row of 10 %.
  const ToyCalibration folder("bf16,64,64,64,4\nbf16,128,64,64,6.6\n");
  fs::create_directories(folder.path() / "fast");
  folder.write("fast/gemm.csv", "precision,m,n,k,time_us\nbf16,64,64,64,2\nbf16,128,64,64,3\n");
  folder.write(
      "gpus.csv",
      "device,borrows,bf16_tflops,fp8_tflops,memory_gbyte_per_s,board_power_w,driver_names,"
      "provenance,source\n"
      "toy,fast,1,1,1000,100,none,datasheet,x\nfast,none,2,2,2000,100,none,datasheet,x\n");
  const TableError other =
      find(table_errors(folder.path()), "any", "gemm", ErrorCase::other_device);
  CHECK(other.rows == 2);
  CHECK(other.p90_percent == Approx(100.0 * (1.0 - 6.0 / 6.6)));
}

// The goals of the project for tables of published times.
TEST_CASE("left out, shipped times are predicted within 5 %, grouped products within 8 %") {
  std::size_t tables = 0;
  for (const TableError& error : table_errors(shipped_tables))
    if (error.error_case == ErrorCase::inside) {
      INFO(error.device << " " << error.table << " " << name_of(precision_names, error.precision));
      CHECK(error.rows > 100);
      // Short rows without their casts are uncertain (DEVIATIONS.md 2).
      const bool rest = error.device == "b200-sxm" && error.precision == Precision::fp8_per_tensor;
      CHECK(error.median_percent <= (error.table == "expert" ? 8.0 : rest ? 7.0 : 5.0));
      ++tables;
    }
  CHECK(tables == 19);
}

TEST_CASE("the shipped errors and their report are what calibrate writes") {
  std::vector<Measurement> measurements;
  for (const char* file : {"dispatch.csv", "nvlink.csv", "pcie.csv", "scale_out.csv"})
    for (const Measurement& row : read_measurements(shipped_tables / "measurements" / file))
      measurements.push_back(row);
  CalibrationFindings findings;
  findings.tables = table_errors(shipped_tables);
  findings.own = compare_own_tables(shipped_tables);
  findings.curves = NetworkCost::load(shipped_tables).curves();
  findings.held_out = group_residuals(NetworkCost(findings.curves), measurements);
  CHECK(compute_errors_csv(findings.tables) == text_of(shipped_tables / "compute_errors.csv"));
  CHECK(calibration_report(findings) == text_of(shipped_tables / "REPORT.md"));
}

TEST_CASE("our own measurements stand beside the published ones") {
  // Inside the published table two rows of ours, 10 and 20 % off it; a third lies outside.
  const ToyCalibration folder("bf16,64,64,64,2\nbf16,128,64,64,4\n");
  fs::create_directories(folder.path() / "toy" / "measured");
  folder.write("toy/measured/gemm.csv", "precision,m,n,k,time_us,noise_percent,samples\n"
                                        "bf16,64,64,64,2.2222222222,1,10\nbf16,96,64,64,2.5,1,10\n"
                                        "bf16,256,64,64,9,1,10\n");
  const std::vector<TableComparison> own = compare_own_tables(folder.path());
  REQUIRE(own.size() == 1);
  CHECK(own[0].device == "toy");
  CHECK(own[0].rows == 2);
  CHECK(own[0].median_ratio == Approx((0.9 + 1.2) / 2));
  CHECK(own[0].p90_percent == Approx(20.0));
  CHECK(own[0].far_off == 1);
}

TEST_CASE("a calibration folder is the known one and the tables that were given") {
  const TemporaryFolder given;
  fs::create_directories(given.path() / "gx-sxm");
  given.write("gx-sxm/gemm.csv", "precision,m,n,k,time_us\nbf16,64,64,64,2\n");
  given.write("gx-sxm/expert_gemm.csv",
              "precision,pass,distribution,groups,tokens,n,k,time_us,noise_percent,samples\n"
              "bf16,forward,equal,8,64,64,64,2,1,10\n");
  const TemporaryFolder out;
  assemble_calibration(shipped_tables,
                       {given.path() / "gx-sxm/gemm.csv", given.path() / "gx-sxm/expert_gemm.csv"},
                       out.path());
  CHECK(text_of(out.path() / "gx-sxm/gemm.csv") == text_of(given.path() / "gx-sxm/gemm.csv"));
  CHECK(fs::exists(out.path() / "gx-sxm/measured/expert_gemm.csv"));
  CHECK(text_of(out.path() / "h100-sxm/gemm.csv") == text_of(shipped_tables / "h100-sxm/gemm.csv"));
  CHECK(fs::exists(out.path() / "compute_constants.csv"));
  CHECK_NOTHROW(table_errors(out.path()));
}

TEST_CASE("nothing is written if one of the tables is cut off or not positive") {
  const TemporaryFolder given;
  const TemporaryFolder out;
  const auto message = [&](const std::string& text) {
    const fs::path path = given.write("router.csv", text);
    try {
      assemble_calibration(shipped_tables, {path}, out.path() / "new");
    } catch (const InputError& error) {
      const std::string what = error.what();
      return what.substr(what.find("router.csv"), what.find('\n') - what.find("router.csv"));
    }
    return std::string("no error");
  };
  CHECK(message("tokens,time_us\n8,1\n8,2") == "router.csv:3:4: error: the last line has no end");
  CHECK(message("tokens,time_us\n8,0\n").rfind("router.csv:2:3: error: ", 0) == 0);
  CHECK(message("tokens,time\n8,1\n").rfind("router.csv", 0) == 0);
  CHECK_FALSE(fs::exists(out.path() / "new"));
}
