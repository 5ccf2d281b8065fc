#include "cuda_microbench/core/device_names.hpp"

#include <catch2/catch.hpp>

using namespace moesim::microbench;

namespace {

constexpr const char* table = "# a comment\n"
                              "device,borrows,driver_names,source\n"
                              "old-sxm,none,O1 SXM-*GB;O1,\"a, b\"\n"
                              "older,none,none,x\n";

} // namespace

TEST_CASE("a GPU's kind is that whose driver names match, with or without NVIDIA before") {
  CHECK(device_kind("NVIDIA O1 SXM-80GB", table).name == "old-sxm");
  CHECK(device_kind("O1", table).name == "old-sxm");
  CHECK(device_kind("NVIDIA O1", table).is_known);
}

TEST_CASE("a GPU that no row names gets a slug of its name") {
  const DeviceKind kind = device_kind("NVIDIA O1 SXM-80GB (rev. 2)", table);
  CHECK(kind.name == "o1-sxm-80gb-rev-2");
  CHECK_FALSE(kind.is_known);
  CHECK(device_kind("NVIDIA O1 PCIe", table).name == "o1-pcie");
}

TEST_CASE("a table without the drivers' names is refused") {
  CHECK_THROWS_WITH(device_kind("O1", "device,source\nold,x\n"),
                    "the table of GPUs has no column driver_names");
}

TEST_CASE("the shipped table names the GPUs that drivers report") {
  CHECK(device_kind("NVIDIA H100 80GB HBM3").name == "h100-sxm");
  CHECK(device_kind("NVIDIA H800").name == "h800-sxm");
  CHECK(device_kind("NVIDIA B300 SXM6 AC").name == "b300-sxm");
  CHECK(device_kind("NVIDIA A100-SXM4-40GB").name == "a100-sxm-40gb");
  // PCIe cards have other clocks and power than boards in an SXM socket.
  CHECK(device_kind("NVIDIA H100 PCIe").name == "h100-pcie");
}

TEST_CASE("a MIG slice is no GPU to calibrate with") {
  CHECK(refusal("NVIDIA H100 80GB HBM3").empty());
  CHECK(refusal("NVIDIA H100 80GB HBM3 MIG 1g.10gb").find("is a MIG slice") != std::string::npos);
}
