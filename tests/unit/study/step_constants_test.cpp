#include "sim/study/step_constants.hpp"

#include "sim/base/input_error.hpp"
#include "sim/input/csv_table.hpp"
#include "tests/support/calibration.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

constexpr const char* constants_header = "constant,file,rows,column,prior,prior_percent,most,why\n";

/// A calibration of one table with two numbers, and the given rows of constants.
void write_calibration(const TemporaryFolder& folder, const std::string& rows) {
  folder.write("hosts.csv", "# A comment.\nhost,time_ratio,source\nold,2,\"a, b\"\nslow,3,c\n");
  folder.write("step_constants.csv", constants_header + rows);
}

} // namespace

TEST_CASE("constants are read with their present values") {
  const TemporaryFolder folder;
  write_calibration(folder, "ratio,hosts.csv,slow old,time_ratio,1.5,20,4,because\n");
  const std::vector<StepConstant> constants = read_step_constants(folder.path());
  REQUIRE(constants.size() == 1);
  CHECK(constants[0].value == 3.0);
  CHECK(constants[0].prior == 1.5);
  CHECK(constants[0].prior_spread == Approx(0.2));
  CHECK(constants[0].most == 4.0);
  CHECK(read_step_constants(TemporaryFolder().path()).empty());
}

TEST_CASE("a changed calibration has other numbers, and all else as it was") {
  const TemporaryFolder folder;
  write_calibration(folder, "ratio,hosts.csv,slow,time_ratio,1.5,20,,because\n");
  folder.write("other.csv", "a\n1\n");
  std::filesystem::path path;
  {
    const ChangedCalibration changed(folder.path(), read_step_constants(folder.path()), {0.5});
    path = changed.path();
    const CsvTable table = CsvTable::read(path / "hosts.csv");
    CHECK(table.number(0, 1) == 2.0);
    CHECK(table.text(0, 2) == "a, b");
    CHECK(table.number(1, 1) == 1.5);
    CHECK(CsvTable::read(path / "other.csv").number(0, 0) == 1.0);
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(CsvTable::read(folder.path() / "hosts.csv").number(1, 1) == 3.0);
}

TEST_CASE("a changed calibration may change a table in a folder") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "gpu/measured");
  folder.write("gpu/measured/constants.csv", "constant,value\na,2\nb,3\n");
  folder.write("gpu/measured/gemm.csv", "m\n1\n");
  folder.write("gpu/attention.csv", "m\n2\n");
  const ChangedCalibration changed(folder.path(),
                                   {{"a", "gpu/measured/constants.csv", {"a"}, "value"}}, {1.5});
  const CsvTable table = CsvTable::read(changed.path() / "gpu/measured/constants.csv");
  CHECK(table.number(0, 1) == 3.0);
  CHECK(table.number(1, 1) == 3.0);
  CHECK(CsvTable::read(changed.path() / "gpu/measured/gemm.csv").number(0, 0) == 1.0);
  CHECK(CsvTable::read(changed.path() / "gpu/attention.csv").number(0, 0) == 2.0);
}

TEST_CASE("a constant that its table does not have is refused at its place") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& rows, const std::string& text) {
    write_calibration(folder, rows);
    CHECK_THROWS_WITH(read_step_constants(folder.path()),
                      Catch::Contains("step_constants.csv:2:") && Catch::Contains(text));
  };
  refused("a,hosts.csv,fast,time_ratio,1,20,,x\n", "hosts.csv has no row \"fast\"");
  refused("a,hosts.csv,slow,time_rate,1,20,,x\n", "did you mean \"time_ratio\"?");
  refused("a,hosts.csv,,time_ratio,1,20,,x\n", "rows must not be empty");
  write_calibration(folder, "a,hosts.csv,slow,time_ratio,1,20,,x\n"
                            "a,hosts.csv,old,time_ratio,1,20,,x\n");
  CHECK_THROWS_WITH(read_step_constants(folder.path()), Catch::Contains("given twice"));
}

TEST_CASE("the shipped constants are in their tables, near what they may mean") {
  for (const StepConstant& constant : read_step_constants(calibration_folder)) {
    INFO(constant.name);
    CHECK(constant.value <= constant.most);
    CHECK(std::abs(std::log(constant.value / constant.prior)) < 3.0 * constant.prior_spread);
  }
}
