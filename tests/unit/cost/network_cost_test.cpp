#include "sim/cost/network_cost.hpp"

#include "sim/base/input_error.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <string>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const fs::path calibration = fs::path(MOESIM_SOURCE_DIR) / "calibration";
const std::string header = "tier,collective,message_bytes,efficiency,provenance,tables\n";

/// All ten curves, from 1 KiB at 0.2 to 16 KiB at 0.6.
std::string all_curves() {
  std::string text = header;
  for (const std::string tier : {"scale_up", "scale_out"})
    for (const std::string collective :
         {"all_to_all", "all_gather", "reduce_scatter", "all_reduce", "point_to_point"}) {
      text += tier + "," + collective + ",1024,0.2,measured,toy\n";
      text += tier + "," + collective + ",16384,0.6,measured,toy\n";
    }
  return text;
}

fs::path toy_calibration(const std::string& name, const std::string& network_csv) {
  const fs::path folder = fs::temp_directory_path() / ("moesim_network_cost_" + name);
  fs::remove_all(folder);
  fs::create_directories(folder);
  std::ofstream(folder / "network.csv") << network_csv;
  fs::copy_file(calibration / "network_startup.csv", folder / "network_startup.csv");
  return folder;
}

std::string message_of(const fs::path& folder) {
  try {
    NetworkCost::load(folder);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

} // namespace

TEST_CASE("the efficiency is interpolated in the logarithm of the message size and clamped") {
  // 4 KiB lies half way between 1 KiB and 16 KiB in log2: (0.2 + 0.6) / 2.
  const NetworkCost cost = NetworkCost::load(toy_calibration("between", all_curves()));
  const auto at = [&](std::int64_t bytes) {
    return cost.efficiency(Tier::scale_out, Collective::all_to_all, Bytes{bytes});
  };
  CHECK(at(1024) == Approx(0.2).epsilon(1e-12));
  CHECK(at(4096) == Approx(0.4).epsilon(1e-12));
  CHECK(at(16384) == Approx(0.6).epsilon(1e-12));
  CHECK(at(0) == Approx(0.2).epsilon(1e-12));
  CHECK(at(1 << 30) == Approx(0.6).epsilon(1e-12));
}

TEST_CASE("the calibrated efficiencies are shares that never fall with the message size") {
  const NetworkCost cost = NetworkCost::load(calibration);
  for (const Tier tier : {Tier::scale_up, Tier::scale_out})
    for (const Collective collective :
         {Collective::all_to_all, Collective::all_gather, Collective::reduce_scatter,
          Collective::all_reduce, Collective::point_to_point}) {
      double previous = 0.0;
      for (std::int64_t bytes = 1; bytes <= (std::int64_t{1} << 34); bytes *= 3) {
        const double share = cost.efficiency(tier, collective, Bytes{bytes});
        CHECK(share > 0.0);
        CHECK(share >= previous);
        CHECK(share <= 1.0);
        previous = share;
      }
    }
}

TEST_CASE("a start-up counts peers inside and outside, and is zero without peers") {
  const NetworkCost cost = NetworkCost::load(calibration);
  const auto start = [&](std::int64_t inside, std::int64_t outside) {
    return cost.startup(Collective::all_to_all, inside, outside).value * 1e6;
  };
  CHECK(start(0, 0) == 0.0);
  // The row all_to_all: 8.46 + 0.179 a peer inside; 15.69 + 0.961 a peer outside.
  CHECK(start(7, 0) == Approx(8.46 + 7 * 0.179).epsilon(1e-9));
  CHECK(start(7, 56) == Approx(8.46 + 7 * 0.179 + 15.69 + 56 * 0.961).epsilon(1e-9));
}

TEST_CASE("malformed network tables are refused with their place") {
  const fs::path above =
      toy_calibration("above", header + "scale_up,all_to_all,64,1.5,measured,t\n");
  CHECK(message_of(above) == (above / "network.csv").string() +
                                 ":2:24: error: efficiency: 1.5 is more than 1\n"
                                 "  scale_up,all_to_all,64,1.5,measured,t\n"
                                 "                         ^");
  const fs::path name = toy_calibration("name", header + "scale_up,all_to_al,64,1,measured,t\n");
  CHECK(message_of(name) == (name / "network.csv").string() +
                                ":2:10: error: collective: \"all_to_al\" is not known\n"
                                "  scale_up,all_to_al,64,1,measured,t\n"
                                "           ^\n"
                                "  hint: did you mean \"all_to_all\"?");
  const fs::path falls =
      toy_calibration("falls", header + "scale_up,all_to_all,64,0.5,measured,t\n"
                                        "scale_up,all_to_all,128,0.4,measured,t\n");
  CHECK(message_of(falls) == (falls / "network.csv").string() +
                                 ":3:25: error: efficiency: must not fall with the message size\n"
                                 "  scale_up,all_to_all,128,0.4,measured,t\n"
                                 "                          ^");
}
