#include "sim/cost/host_proxies.hpp"

#include "sim/base/input_error.hpp"
#include "sim/cost/compute_cost.hpp"
#include "sim/cost/host_slowdown.hpp"
#include "tests/support/calibration.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <string>

using namespace moesim;

namespace {

/// DeepEP by one row of rates and two of chunks, UCCL-EP by two of rates.
void write_tables(const TemporaryFolder& folder) {
  folder.write(
      "host_proxies.csv",
      "library,nic,gpu_gbit_per_s,operation_us,message_us,error_percent,provenance,source\n"
      "deepep,efa,800,10,5,30,measured,x\n"
      "uccl-ep,efa,800,100,0.5,20,measured,x\n"
      "uccl-ep,efa,200,100,2,25,measured,x\n");
  folder.write("proxy_messages.csv",
               "library,ranks,dispatch_tokens,combine_tokens,provenance,source\n"
               "deepep,16,20,12,published,x\n"
               "deepep,64,8,4,published,x\n"
               "uccl-ep,1,1,1,measured,x\n");
}

PostedTokens posted(Library library, bool combine, std::int64_t ranks, double gbit_per_s) {
  return {library, combine, ranks, 240.0, "efa", BytesPerSecond{gbit_per_s * 1e9 / 8.0}};
}

} // namespace

// 240 copies are 12 messages of 20 tokens, 20 of 12, 30 of 8, 60 of 4.
TEST_CASE("the host posts a message for every few tokens, by the chunks of the group") {
  const TemporaryFolder folder;
  write_tables(folder);
  const HostProxies proxies = HostProxies::load(folder.path());
  const auto microseconds_of = [&](bool combine, std::int64_t ranks) {
    return proxies.time(posted(Library::deepep, combine, ranks, 800)).time.value * 1e6;
  };
  CHECK(microseconds_of(false, 16) == Approx(10 + 12 * 5));
  CHECK(microseconds_of(true, 16) == Approx(10 + 20 * 5));
  CHECK(microseconds_of(false, 32) == Approx(10 + 30 * 5));
  CHECK(microseconds_of(true, 64) == Approx(10 + 60 * 5));
  CHECK(microseconds_of(true, 512) == Approx(10 + 60 * 5));
}

// 400 and 200 differ by a factor of 2 as 800 and 400 do: the first of the nearest.
TEST_CASE("the row counts whose NICs are nearest in rate, by their ratio") {
  const TemporaryFolder folder;
  write_tables(folder);
  const HostProxies proxies = HostProxies::load(folder.path());
  const auto time = [&](double gbit_per_s) {
    return proxies.time(posted(Library::uccl_ep, false, 8, gbit_per_s));
  };
  CHECK(time(1600).time.value * 1e6 == Approx(100 + 240 * 0.5));
  CHECK(time(420).error == Approx(0.2));
  CHECK(time(380).time.value * 1e6 == Approx(100 + 240 * 2.0));
  CHECK(time(50).error == Approx(0.25));
  CHECK(time(50).interconnect == "efa");
  PostedTokens elsewhere = posted(Library::uccl_ep, false, 8, 200);
  elsewhere.interconnect = "infiniband";
  CHECK(proxies.time(elsewhere).interconnect == "efa");
  CHECK(proxies.time(elsewhere).error == Approx(0.25));
}

TEST_CASE("a library without rows, a group given twice and a time below zero are refused") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(HostProxies::load(folder.path()).time(posted(Library::uccl_ep, false, 8, 400)),
                    Catch::Contains("host_proxies.csv") &&
                        Catch::Contains("no row of the library \"uccl-ep\""));
  write_tables(folder);
  folder.write("proxy_messages.csv",
               "library,ranks,dispatch_tokens,combine_tokens,provenance,source\n"
               "deepep,16,20,12,published,x\n"
               "deepep,16,8,8,published,x\n");
  CHECK_THROWS_WITH(HostProxies::load(folder.path()),
                    Catch::Contains("proxy_messages.csv:3:8") &&
                        Catch::Contains("16 ranks of \"deepep\" are given twice"));
  folder.write(
      "host_proxies.csv",
      "library,nic,gpu_gbit_per_s,operation_us,message_us,error_percent,provenance,source\n"
      "deepep,efa,800,-1,5,30,measured,x\n");
  CHECK_THROWS_WITH(HostProxies::load(folder.path()),
                    Catch::Contains("host_proxies.csv:2:16") &&
                        Catch::Contains("operation_us: -1 is negative"));
}

// An EPYC of hosts.csv; both errors in quadrature.
TEST_CASE("a slower host posts its messages more slowly") {
  DevicePeaks peaks{"h100-sxm", tflops(989), tflops(1979), gbyte_per_s(3350), 132, "nvlink4"};
  const PostedTokens tokens = posted(Library::deepep, false, 16, 400);
  const PostingTime xeon = ComputeCost::load(calibration_folder, peaks).host().posting_time(tokens);
  peaks.host = "epyc-milan";
  const PostingTime epyc = ComputeCost::load(calibration_folder, peaks).host().posting_time(tokens);
  const double slowdown = host_slowdown(calibration_folder, {"epyc-milan"}).value;
  CHECK(slowdown > 1.1);
  CHECK(epyc.time.value == Approx(slowdown * xeon.time.value));
  CHECK(epyc.error == Approx(std::hypot(xeon.error, 0.15)));
}
