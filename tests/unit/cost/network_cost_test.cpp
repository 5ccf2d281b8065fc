#include "sim/cost/collective_traffic.hpp"
#include "sim/cost/network_cost.hpp"

#include "sim/base/input_error.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <string>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const fs::path shipped_network = fs::path(MOESIM_SOURCE_DIR) / "calibration";
const std::string curve_header = "medium,collective,message_bytes,efficiency\n";
const std::string startup_header =
    "medium,collective,base_us,per_peer_us,small_group_loss,limit_gbyte_per_s,"
    "smallest_message_bytes,largest_message_bytes,members_min,members_max,residual_percent,"
    "p90_error_percent,provenance,tables\n";
/// 2 µs and 0.5 µs a peer; measured from 1 to 16 KiB on 2 to 8 ranks.
const std::string costs = ",2,0.5,0,0,1024,16384,2,8,1,5,measured,toy\n";

/// A curve of one interconnect, from 1 KiB at 0.2 to 16 KiB at 0.6.
NetworkCurve toy_curve(const std::string& interconnect, Collective collective) {
  NetworkCurve curve;
  curve.interconnect = interconnect;
  curve.collective = collective;
  curve.points = {{Bytes{1024}, 0.2}, {Bytes{16384}, 0.6}};
  curve.base = microseconds(2.0);
  curve.per_peer = microseconds(0.5);
  curve.smallest = Bytes{1024};
  curve.largest = Bytes{16384};
  curve.members_min = 2;
  curve.members_max = 8;
  return curve;
}

TierUse use_of(std::int64_t bytes, std::int64_t members = 4) {
  return {Bytes{bytes}, members, gbyte_per_s(100.0)};
}

/// The error of NetworkCost on these tables, without the folder.
std::string refusal(const std::string& curves, const std::string& startups) {
  const TemporaryFolder folder;
  folder.write("network.csv", curves);
  folder.write("network_startup.csv", startups);
  try {
    NetworkCost::load(folder.path());
  } catch (const InputError& error) {
    return std::string(error.what()).substr(folder.path().string().size() + 1);
  }
  return "no error";
}

} // namespace

TEST_CASE("the efficiency is interpolated in the logarithms of size and share, and clamped") {
  // 4 KiB lies half way between 1 KiB and 16 KiB: the geometric mean of 0.2 and 0.6.
  const NetworkCurve curve = toy_curve("nvlink4", Collective::all_to_all);
  CHECK(curve.share(use_of(1024)) == Approx(0.2).epsilon(1e-12));
  CHECK(curve.share(use_of(4096)) == Approx(std::sqrt(0.12)).epsilon(1e-12));
  CHECK(curve.share(use_of(16384)) == Approx(0.6).epsilon(1e-12));
  CHECK(curve.share(use_of(0)) == Approx(0.2).epsilon(1e-12));
  CHECK(curve.share(use_of(1 << 30)) == Approx(0.6).epsilon(1e-12));
}

TEST_CASE("small groups lose, and a kernel's limit holds on fast links") {
  NetworkCurve curve = toy_curve("nvlink4", Collective::dispatch);
  curve.small_group_loss = 0.8;
  CHECK(curve.share(use_of(16384, 2)) == Approx(0.6 * std::exp(-0.4)).epsilon(1e-12));
  // 30 of 100 GB/s, below 0.6 exp(-0.8 / 8) = 0.54; 30 of 40 GB/s is above it.
  curve.limit = gbyte_per_s(30.0);
  CHECK(curve.share(use_of(16384, 8)) == Approx(0.3).epsilon(1e-12));
  CHECK(curve.bound_by_kernel(use_of(16384, 8)));
  CHECK_FALSE(curve.bound_by_kernel({Bytes{16384}, 8, gbyte_per_s(40.0)}));
  CHECK(curve.share({Bytes{16384}, 8, gbyte_per_s(40.0)}) ==
        Approx(0.6 * std::exp(-0.1)).epsilon(1e-12));
}

TEST_CASE("a medium without a measurement takes the nearest one's, and says so") {
  const NetworkCost cost({toy_curve("nvlink4", Collective::all_gather),
                          toy_curve("infiniband", Collective::all_gather)});
  CHECK_FALSE(cost.efficiency("nvlink4", Collective::all_gather, use_of(4096)).extrapolated);
  CHECK(cost.efficiency("nvlink5", Collective::all_gather, use_of(4096)).extrapolated);
  CHECK(cost.efficiency("efa", Collective::all_gather, use_of(4096)).share ==
        Approx(std::sqrt(0.12)));
  // Rings are alike: an all-gather stands for a reduce-scatter.
  CHECK(cost.efficiency("infiniband", Collective::reduce_scatter, use_of(4096)).extrapolated);
  CHECK(cost.efficiency("infiniband", Collective::reduce_scatter, use_of(4096)).share ==
        Approx(std::sqrt(0.12)));
  // An NVLink 6 takes the nearest generation's; the curve tells whose it is.
  CHECK(cost.efficiency("nvlink4", Collective::all_gather, use_of(4096)).stand_in == nullptr);
  CHECK(cost.efficiency("nvlink6", Collective::all_gather, use_of(4096)).stand_in->interconnect ==
        "nvlink4");
  CHECK(cost.efficiency("infiniband", Collective::reduce_scatter, use_of(4096))
            .stand_in->collective == Collective::all_gather);
  CHECK(cost.measured("nvlink4", Collective::all_gather));
  CHECK_FALSE(cost.measured("nvlink5", Collective::all_gather));
}

TEST_CASE("messages and groups beyond the measured ones are extrapolated") {
  const NetworkCost cost({toy_curve("nvlink4", Collective::all_gather)});
  const auto extrapolated = [&](std::int64_t bytes, std::int64_t members) {
    return cost.efficiency("nvlink4", Collective::all_gather, use_of(bytes, members)).extrapolated;
  };
  CHECK_FALSE(extrapolated(1024, 2));
  CHECK_FALSE(extrapolated(16384, 8));
  CHECK(extrapolated(1023, 2));
  CHECK(extrapolated(16385, 8));
  CHECK(extrapolated(4096, 9));
}

TEST_CASE("a start-up counts peers, and is zero without them") {
  const NetworkCost cost({toy_curve("nvlink4", Collective::all_to_all)});
  CHECK(cost.startup("nvlink4", Collective::all_to_all, 0).value == 0.0);
  // 2 + 7 × 0.5.
  CHECK(cost.startup("nvlink4", Collective::all_to_all, 7).value * 1e6 == Approx(5.5));
}

TEST_CASE("the calibrated efficiencies are shares, and a larger message never takes less time") {
  const NetworkCost cost = NetworkCost::load(shipped_network);
  for (const std::string& interconnect : interconnect_names())
    for (const Collective collective :
         {Collective::all_to_all, Collective::all_gather, Collective::reduce_scatter,
          Collective::all_reduce, Collective::point_to_point, Collective::dispatch,
          Collective::combine}) {
      if (interconnect == "pcie" && is_token_exchange(collective))
        continue;
      INFO(interconnect << " " << collective_name(collective));
      double previous = 0.0;
      for (std::int64_t bytes = 1; bytes <= (std::int64_t{1} << 34); bytes *= 3) {
        const double share = cost.efficiency(interconnect, collective, use_of(bytes)).share;
        CHECK(share > 0.0);
        CHECK(share <= 1.0);
        CHECK(static_cast<double>(bytes) / share >= previous * (1.0 - 1e-9));
        previous = static_cast<double>(bytes) / share;
      }
    }
}

TEST_CASE("the bytes of a collective over each tier are those of its algorithm") {
  // 16 ranks in 2 domains of 8; 1600 bytes, 100 for each rank.
  const RankGroup two{16, 2};
  const auto bytes = [&](Collective collective) {
    const TierBytes sent = collective_bytes(collective, 1600.0, two);
    return std::pair(sent.scale_up, sent.scale_out);
  };
  CHECK(bytes(Collective::all_to_all) == std::pair(700.0, 800.0));
  // A ring passes 1500 on; one eighth of it leaves at each rank of a domain.
  CHECK(bytes(Collective::all_gather) == std::pair(1312.5, 187.5));
  CHECK(bytes(Collective::all_reduce) == std::pair(2625.0, 375.0));
  // Up and down between two domains, an eighth at each rank: 2 × 1600 / 2 / 8.
  CHECK(bytes(Collective::all_reduce_tree) == std::pair(2800.0, 200.0));
  CHECK(bytes(Collective::all_reduce_in_switch) == std::pair(1800.0, 200.0));
  CHECK(collective_bytes(Collective::all_reduce_in_switch, 1600.0, {8, 1}).scale_out == 0.0);
  CHECK(outside_peers(Collective::all_to_all, two) == 8);
  CHECK(outside_peers(Collective::all_gather, {64, 8}) == 7);
  CHECK(outside_peers(Collective::all_reduce_in_switch, {64, 8}) == 3);
}

TEST_CASE("a hybrid combine takes the curve of its dispatch where it has none") {
  const NetworkCost cost({toy_curve("infiniband", Collective::hybrid_dispatch)});
  const auto combine = cost.efficiency("infiniband", Collective::hybrid_combine, use_of(4096));
  CHECK(combine.extrapolated);
  CHECK(combine.share ==
        cost.efficiency("infiniband", Collective::hybrid_dispatch, use_of(4096)).share);
}

TEST_CASE("a collective lasts its start-ups and the slower of both tiers") {
  const NetworkCost cost({toy_curve("nvlink4", Collective::all_to_all),
                          toy_curve("infiniband", Collective::all_to_all)});
  const RankLinks links{"nvlink4", gbyte_per_s(100.0), "infiniband", gbyte_per_s(10.0)};
  const RankGroup group{16, 2};
  const TierBytes bytes = collective_bytes(Collective::all_to_all, 1.6e6, group);
  // 2 + 7 × 0.5 inside, 2 + 8 × 0.5 outside, 800 kB at 0.6 of 10 GB/s.
  CHECK(collective_time(cost, Collective::all_to_all, bytes, group, links).value * 1e6 ==
        Approx(5.5 + 6.0 + 8e5 / 6e9 * 1e6));
}

TEST_CASE("malformed network tables are refused with their place") {
  const std::string one = startup_header + "nvlink4,all_to_all" + costs;
  CHECK(refusal(curve_header + "nvlink4,all_to_all,64,1.5\n", one) ==
        "network.csv:2:23: error: efficiency: 1.5 is more than 1\n"
        "  nvlink4,all_to_all,64,1.5\n"
        "                        ^");
  CHECK(refusal(curve_header + "nvlink4,all_to_al,64,1\n", one) ==
        "network.csv:2:9: error: collective: \"all_to_al\" is not known\n"
        "  nvlink4,all_to_al,64,1\n"
        "          ^\n"
        "  hint: did you mean \"all_to_all\"?");
  CHECK(refusal(curve_header + "nvlink4,all_to_all,64,0.2\nnvlink4,all_to_all,128,0.5\n", one) ==
        "network.csv:3:24: error: efficiency: a larger message must not take less time\n"
        "  nvlink4,all_to_all,128,0.5\n"
        "                         ^");
  CHECK(refusal(curve_header, startup_header + "nvlink9,all_to_all" + costs) ==
        "network_startup.csv:2:1: error: medium: \"nvlink9\" is not known\n"
        "  nvlink9,all_to_all,2,0.5,0,0,1024,16384,2,8,1,5,measured,toy\n"
        "  ^\n"
        "  hint: did you mean \"nvlink3\"?");
  CHECK_THAT(
      refusal(curve_header, startup_header + "nvlink4,all_to_all,2,0.5,0,0,1024,16384,2,8,1,"
                                             "5,guess,toy\n"),
      Catch::StartsWith("network_startup.csv:2:49: error: provenance: \"guess\" is not one"));
  CHECK(refusal(curve_header, one) == "network.csv: error: no row for all_to_all on nvlink4");
  CHECK(refusal(curve_header + "nvlink4,all_to_all,64,0.2\n", one) ==
        "network.csv: error: no row for all_gather on nvlink3 or an interconnect near it");
}
