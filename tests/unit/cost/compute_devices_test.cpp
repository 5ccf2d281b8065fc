#include "sim/cost/compute_devices.hpp"

#include "sim/base/input_error.hpp"
#include "sim/cost/compute_cost.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const fs::path calibration = fs::path(MOESIM_SOURCE_DIR) / "calibration";

constexpr const char* header =
    "device,tables,tables_bf16_tflops,tables_fp8_tflops,provenance,source\n";

/// A calibration with tables of one GPU kind, "old", of 1 bf16 and 2 fp8 TFLOPS, and the given
/// rows. The product 256 x 64 x 64, 2097152 FLOP, takes 4.194304 us in bf16: half of the peak. The
/// experts, 8 groups of 32 tokens, take twice as long as their products of 256 rows: a ratio of
/// 1/2.
void write_calibration(const TemporaryFolder& folder, const std::string& rows) {
  fs::copy_file(calibration / "compute_constants.csv", folder.path() / "compute_constants.csv");
  folder.write("devices.csv", header + rows);
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

double microseconds_of(const KernelTime& time) {
  return time.time.value * 1e6;
}

std::string message_of(const TemporaryFolder& folder, const std::string& kind) {
  try {
    find_device_tables(folder.path(), kind);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

} // namespace

TEST_CASE("borrowed tables keep their share of peak on the peaks of the topology file") {
  const TemporaryFolder folder;
  write_calibration(folder, "new,old,1,2,assumption,for the test\n");
  const ComputeCost cost = load(folder, "new", 4.0, 16.0);
  // Half of 4 TFLOPS: 2097152 FLOP in 1.048576 us.
  const KernelTime time = cost.time(gemm(KernelPart::dense, Precision::bf16, 256, 64, 64));
  CHECK(microseconds_of(time) == Approx(1.048576).epsilon(1e-9));
  // In fp8 4.194304 us at 2 TFLOPS are a quarter of the peak; a quarter of 16 TFLOPS is 4.
  CHECK(microseconds_of(cost.time(gemm(KernelPart::dense, Precision::fp8, 256, 64, 64))) ==
        Approx(0.524288).epsilon(1e-9));
  // The ratio of the experts, 1/2, is that of the measured GPU: twice 1.048576 us.
  CHECK(microseconds_of(cost.time(grouped_gemm(KernelPart::expert, Precision::bf16, 8, 32, 64,
                                               64))) == Approx(2.097152).epsilon(1e-9));
}

TEST_CASE("a time from borrowed tables does not count as measured") {
  const TemporaryFolder folder;
  write_calibration(folder, "new,old,1,2,assumption,for the test\n");
  const Kernel kernel = gemm(KernelPart::dense, Precision::bf16, 256, 64, 64);
  CHECK(load(folder, "new", 4.0, 16.0).time(kernel).basis == CostBasis::extrapolated);
  CHECK(load(folder, "old", 1.0, 2.0).time(kernel).basis == CostBasis::measured);
}

TEST_CASE("tables of its own come before a row of the same kind") {
  const TemporaryFolder folder;
  write_calibration(folder, "old,none,,,assumption,for the test\n");
  const DeviceTables tables = find_device_tables(folder.path(), "old");
  REQUIRE(tables.folder);
  CHECK(*tables.folder == folder.path() / "old");
  CHECK_FALSE(tables.measured_on);
}

TEST_CASE("a kind may be said to have no tables") {
  const TemporaryFolder folder;
  write_calibration(folder, "new,none,,,assumption,for the test\n");
  CHECK_FALSE(find_device_tables(folder.path(), "new").folder);
  CHECK(load(folder, "new", 4.0, 16.0)
            .time(gemm(KernelPart::dense, Precision::bf16, 256, 64, 64))
            .basis == CostBasis::datasheet);
}

TEST_CASE("a GPU kind with neither tables nor a row is an error that names the known kinds") {
  const TemporaryFolder folder;
  write_calibration(folder, "new,old,1,2,assumption,for the test\n");
  CHECK(message_of(folder, "newer") == (folder.path() / "devices.csv").string() +
                                           ": error: gpu.kind: \"newer\" is not one of old, new\n"
                                           "  hint: did you mean \"new\"?");
  fs::remove(folder.path() / "devices.csv");
  CHECK(message_of(folder, "gb9000") == (folder.path() / "devices.csv").string() +
                                            ": error: gpu.kind: \"gb9000\" is not one of old");
}

TEST_CASE("malformed rows of devices.csv are refused with their place") {
  const auto message = [](const std::string& row) {
    const TemporaryFolder folder;
    write_calibration(folder, row);
    const std::string text = message_of(folder, "new");
    return text.substr(text.find("devices.csv"));
  };
  CHECK(message("new,olt,1,2,assumption,x\n") ==
        "devices.csv:2:5: error: tables: \"olt\" is not one of old, none\n"
        "  new,olt,1,2,assumption,x\n"
        "      ^\n"
        "  hint: did you mean \"old\"?");
  CHECK(message("new,none,1,,assumption,x\n") ==
        "devices.csv:2:10: error: tables_bf16_tflops: there are no tables\n"
        "  new,none,1,,assumption,x\n"
        "           ^");
  CHECK(message("new,none,,,assumption,x\nnew,none,,,assumption,x\n") ==
        "devices.csv:3:1: error: device: \"new\" is given twice\n"
        "  new,none,,,assumption,x\n"
        "  ^");
  CHECK(message("new,old,1,2,guess,x\n") ==
        "devices.csv:2:13: error: provenance: \"guess\" is not measured, published, datasheet or "
        "assumption\n"
        "  new,old,1,2,guess,x\n"
        "              ^");
  CHECK(message("new,old,,2,assumption,x\n").rfind("devices.csv:2:9: error: ", 0) == 0);
}

TEST_CASE("every GPU kind of the shipped rows can be timed") {
  for (const char* kind : {"h800-sxm", "b300-sxm", "gb200", "gb300", "l40s"}) {
    INFO(kind);
    const ComputeCost cost =
        ComputeCost::load(calibration, {kind, tflops(2000), tflops(4000), gbyte_per_s(8000)});
    const Kernel kernel = gemm(KernelPart::dense, Precision::bf16, 8192, 8192, 8192);
    const double bound = kernel.flops.value / 2000e12;
    CHECK(cost.time(kernel).time.value > bound);
    CHECK(cost.time(kernel).time.value < 2.0 * bound);
  }
}
