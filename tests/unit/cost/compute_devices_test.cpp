#include "sim/cost/compute_devices.hpp"

#include "sim/base/input_error.hpp"
#include "sim/cost/compute_cost.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/toy_errors.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const fs::path shipped_tables = fs::path(MOESIM_SOURCE_DIR) / "calibration";

constexpr const char* header =
    "device,borrows,bf16_tflops,fp8_tflops,memory_gbyte_per_s,board_power_w,driver_names,"
    "provenance,source\n";
/// The rates of the device that was measured.
constexpr const char* old_row = "old,none,1,2,1000,100,none,datasheet,for the test\n";
constexpr const char* new_row = "new,old,4,16,1000,100,none,datasheet,for the test\n";

/// A shipped_tables with tables of one GPU kind, "old", of 1 bf16 and 2 fp8 TFLOPS, and the given
/// rows. The product 256 x 64 x 64, 2097152 FLOP, takes 4.194304 us in bf16: half of the peak. The
/// experts, 8 groups of 32 tokens, take twice as long as their products of 256 rows: a ratio of
/// 1/2.
void write_calibration(const TemporaryFolder& folder, const std::string& rows) {
  fs::copy_file(shipped_tables / "compute_constants.csv", folder.path() / "compute_constants.csv");
  folder.write("gpus.csv", std::string(header) + rows);
  folder.write("compute_errors.csv", toy_errors("old"));
  fs::create_directories(folder.path() / "old");
  folder.write("old/gemm.csv", "precision,m,n,k,time_us\n"
                               "bf16,256,64,64,4.194304\n"
                               "bf16,256,128,64,8.388608\n"
                               "fp8,256,64,64,4.194304\n");
  // Gate and up together are 256 x 128 x 64, down is 256 x 64 x 64: 8.388608 and 4.194304 us.
  folder.write("old/grouped_gemm.csv",
               "precision,hidden,moe_ffn,groups,tokens_per_group,fused_time_us,products_time_us\n"
               "bf16,64,64,8,32,30,25.165824\n");
}

ComputeCost load(const TemporaryFolder& folder, const std::string& kind, double bf16, double fp8) {
  return ComputeCost::load(folder.path(), {kind, tflops(bf16), tflops(fp8), gbyte_per_s(1000)});
}

double device_microseconds(const KernelTime& time) {
  return time.time.value * 1e6;
}

std::string refusal_of_rows(const TemporaryFolder& folder) {
  try {
    read_devices(folder.path());
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

} // namespace

TEST_CASE("borrowed times are scaled by the peaks that bound them") {
  const TemporaryFolder folder;
  write_calibration(folder, std::string(old_row) + new_row);
  const ComputeCost cost = load(folder, "new", 4.0, 16.0);
  // A quarter of the time at four times the peak; its 73728 bytes take 0.07 us on both.
  const KernelTime time = cost.time(gemm(KernelPart::dense, Precision::bf16, 256, 64, 64));
  CHECK(device_microseconds(time) == Approx(4.194304 / 4).epsilon(1e-9));
  CHECK(time.basis == CostBasis::other_device);
  CHECK(time.error == Approx(std::hypot(0.02, 0.3)));
  REQUIRE(time.stand_in != nullptr);
  CHECK(*time.stand_in == "old");
  CHECK(device_microseconds(cost.time(gemm(KernelPart::dense, Precision::fp8, 256, 64, 64))) ==
        Approx(4.194304 / 8).epsilon(1e-9));
  // The experts take twice the time of one product.
  CHECK(device_microseconds(cost.time(grouped_gemm(KernelPart::expert, Precision::bf16, 8, 32, 64,
                                                   64))) == Approx(2 * 4.194304 / 4).epsilon(1e-9));
}

TEST_CASE("a product in NVFP4 is as much faster than in fp8 as its peak is higher") {
  const TemporaryFolder folder;
  write_calibration(folder, old_row);
  DevicePeaks peaks{"old", tflops(1), tflops(2), gbyte_per_s(1000)};
  peaks.fp4 = tflops(6);
  const ComputeCost cost = ComputeCost::load(folder.path(), peaks);
  const KernelTime time = cost.time(gemm(KernelPart::dense, Precision::nvfp4, 256, 64, 64));
  // The row of fp8 takes 4.194304 us: at three times the peak a third, at NVFP4's share of it.
  const double share =
      ComputeConstants::read(shipped_tables / "compute_constants.csv").nvfp4_efficiency_ratio.value;
  CHECK(device_microseconds(time) == Approx(4.194304 / 3 / share).epsilon(1e-9));
  CHECK(time.basis == CostBasis::rule);
  CHECK(time.error == Approx(std::hypot(0.02, 0.2)));
}

TEST_CASE("a kernel that memory bounds is scaled by the memory's bandwidth") {
  // 12288 bytes at 1 GB/s take 12.3 us, the 262144 FLOP at 1 TFLOPS 0.26 us; at 3 GB/s a third.
  const TemporaryFolder folder;
  write_calibration(folder,
                    "old,none,1,2,1,9,none,datasheet,x\nnew,old,4,16,3,9,none,datasheet,x\n");
  folder.write("old/gemm.csv", "precision,m,n,k,time_us\nbf16,32,64,64,15\n");
  const ComputeCost cost =
      ComputeCost::load(folder.path(), {"new", tflops(4), tflops(16), gbyte_per_s(3)});
  CHECK(device_microseconds(cost.time(gemm(KernelPart::dense, Precision::bf16, 32, 64, 64))) ==
        Approx(15.0 / 3).epsilon(1e-9));
}

TEST_CASE("a device's own tables count as measured, unless the topology gives other rates") {
  const TemporaryFolder folder;
  write_calibration(folder, std::string(old_row) + new_row);
  const Kernel kernel = gemm(KernelPart::dense, Precision::bf16, 256, 64, 64);
  const KernelTime own = load(folder, "old", 1.0, 2.0).time(kernel);
  CHECK(own.basis == CostBasis::measured);
  CHECK(device_microseconds(own) == Approx(4.194304));
  const KernelTime faster = load(folder, "old", 2.0, 4.0).time(kernel);
  CHECK(faster.basis == CostBasis::other_device);
  CHECK(device_microseconds(faster) == Approx(4.194304 / 2));
}

TEST_CASE("tables of its own come before borrowed ones, which fill what it lacks") {
  const TemporaryFolder folder;
  write_calibration(folder, std::string(old_row) + new_row);
  fs::create_directories(folder.path() / "new");
  folder.write("new/gemm.csv", "precision,m,n,k,time_us\nbf16,256,64,64,3\n");
  folder.write("compute_errors.csv", toy_errors("old") + toy_errors("new").substr(60));
  const std::vector<TableFolder> folders = GpuKinds::read(folder.path()).folders_of("new", {});
  REQUIRE(folders.size() == 2);
  CHECK(folders[0].path == folder.path() / "new");
  CHECK_FALSE(folders[0].borrowed);
  CHECK(folders[1].path == folder.path() / "old");
  CHECK(folders[1].borrowed);
  const ComputeCost cost = load(folder, "new", 4.0, 16.0);
  CHECK(device_microseconds(cost.time(gemm(KernelPart::dense, Precision::bf16, 256, 64, 64))) ==
        Approx(3.0));
  CHECK(cost.time(grouped_gemm(KernelPart::expert, Precision::bf16, 8, 32, 64, 64)).basis ==
        CostBasis::other_device);
}

TEST_CASE("a kind may be said to have no tables") {
  const TemporaryFolder folder;
  write_calibration(folder, "new,none,4,16,1000,100,none,datasheet,for the test\n");
  CHECK(GpuKinds::read(folder.path()).folders_of("new", {}).empty());
  CHECK(load(folder, "new", 4.0, 16.0)
            .time(gemm(KernelPart::dense, Precision::bf16, 256, 64, 64))
            .basis == CostBasis::datasheet);
}

TEST_CASE("a GPU kind that no row lists takes the tables of the nearest peaks") {
  const TemporaryFolder folder;
  write_calibration(folder,
                    std::string(old_row) + "far,none,1000,2000,9000,100,none,datasheet,x\n");
  fs::create_directories(folder.path() / "far");
  folder.write("far/gemm.csv", "precision,m,n,k,time_us\nbf16,256,64,64,1\nfp8,256,64,64,1\n");
  folder.write("compute_errors.csv", toy_errors("old") + toy_errors("far").substr(60));
  const Kernel kernel = gemm(KernelPart::dense, Precision::bf16, 256, 64, 64);
  const ComputeCost cost = load(folder, "newer", 4.0, 16.0);
  CHECK(cost.nearest_of_unlisted() == "old");
  // A quarter of the time at four times the peak, over 0.8 of the rate in long runs.
  const KernelTime time = cost.time(kernel);
  CHECK(device_microseconds(time) == Approx(4.194304 / 4 / 0.8).epsilon(1e-9));
  CHECK(time.basis == CostBasis::other_device);
  REQUIRE(time.stand_in != nullptr);
  CHECK(*time.stand_in == "old");
  CHECK(cost.common_error() == Approx(0.3));
  CHECK(load(folder, "large", 900.0, 1900.0).nearest_of_unlisted() == "far");
  CHECK(load(folder, "old", 1.0, 2.0).nearest_of_unlisted().empty());
}

TEST_CASE("a GPU kind that is near no measured one is timed by the roofline") {
  const TemporaryFolder folder;
  write_calibration(folder, old_row);
  // Without fp8 arithmetic it is of another generation than "old".
  const ComputeCost cost = load(folder, "ancient", 1.0, 1.0);
  CHECK(cost.nearest_of_unlisted().empty());
  CHECK(cost.time(gemm(KernelPart::dense, Precision::bf16, 256, 64, 64)).basis ==
        CostBasis::datasheet);
}

TEST_CASE("a misspelt GPU kind is an error where a topology names it") {
  const TemporaryFolder folder;
  write_calibration(folder, std::string(old_row) + new_row);
  const NamedRow named{"newer", {"t.toml", 2, 8, "kind = \"newer\""}};
  CHECK_THROWS_WITH(GpuKinds::read(folder.path())
                        .check_spelling(named, {tflops(4), tflops(16), gbyte_per_s(1000)}),
                    "t.toml:2:8: error: gpu.kind: \"newer\" is not one of new, old\n"
                    "  kind = \"newer\"\n"
                    "         ^\n"
                    "  hint: did you mean \"new\"?");
  // Case and punctuation alone make no other GPU, whatever its rates.
  CHECK_THROWS_WITH(GpuKinds::read(folder.path())
                        .check_spelling({"N-EW"}, {tflops(9), tflops(9), gbyte_per_s(9)}),
                    Catch::Contains("\"N-EW\" is not one of new, old") &&
                        Catch::Contains("did you mean \"new\"?"));
  // Other rates are another GPU, another name too.
  CHECK_NOTHROW(GpuKinds::read(folder.path())
                    .check_spelling(named, {tflops(5), tflops(16), gbyte_per_s(1000)}));
  CHECK_NOTHROW(GpuKinds::read(folder.path())
                    .check_spelling({"gb9000"}, {tflops(4), tflops(16), gbyte_per_s(1000)}));
}

TEST_CASE("malformed rows of gpus.csv are refused with their place") {
  const auto message = [](const std::string& row) {
    const TemporaryFolder folder;
    write_calibration(folder, row);
    const std::string text = refusal_of_rows(folder);
    return text.substr(text.find("gpus.csv"));
  };
  CHECK(message("new,olt,1,2,1,9,none,assumption,x\n") ==
        "gpus.csv:2:5: error: borrows: \"olt\" is not one of old, none\n"
        "  new,olt,1,2,1,9,none,assumption,x\n"
        "      ^\n"
        "  hint: did you mean \"old\"?");
  CHECK(message("new,none,1,,1,9,none,assumption,x\n").rfind("gpus.csv:2:12: error: ", 0) == 0);
  CHECK(message("new,none,1,2,1,9,none,assumption,x\nnew,none,1,2,1,9,none,assumption,x\n") ==
        "gpus.csv:3:1: error: device: \"new\" is given twice\n"
        "  new,none,1,2,1,9,none,assumption,x\n"
        "  ^");
  CHECK(message("new,old,1,2,1,9,none,guess,x\n") ==
        "gpus.csv:2:22: error: provenance: \"guess\" is not one of measured, fitted, published, "
        "datasheet, assumption\n"
        "  new,old,1,2,1,9,none,guess,x\n"
        "                       ^");
  CHECK(message("new,old,,2,1,9,none,assumption,x\n").rfind("gpus.csv:2:9: error: ", 0) == 0);
}

TEST_CASE("every GPU kind of the shipped rows can be timed") {
  for (const char* kind : {"h800-sxm", "b300-sxm", "gb200", "gb300", "l40s", "h100-nvl", "rubin"}) {
    INFO(kind);
    const ComputeCost cost =
        ComputeCost::load(shipped_tables, {kind, tflops(2000), tflops(4000), gbyte_per_s(8000)});
    const Kernel kernel = gemm(KernelPart::dense, Precision::bf16, 8192, 8192, 8192);
    const double bound = kernel.flops.value / 2000e12;
    CHECK(cost.time(kernel).time.value > bound);
    CHECK(cost.time(kernel).time.value < 2.0 * bound);
  }
}
