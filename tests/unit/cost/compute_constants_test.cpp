#include "sim/cost/compute_constants.hpp"

#include "sim/base/input_error.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

const fs::path shipped = fs::path(MOESIM_SOURCE_DIR) / "calibration" / "compute_constants.csv";

std::string shipped_text() {
  std::ostringstream text;
  text << std::ifstream(shipped).rdbuf();
  return text.str();
}

/// The message for the shipped file with `from` replaced by `to`, from the file's name on.
std::string message_of(const std::string& from, const std::string& to) {
  std::string text = shipped_text();
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  const TemporaryFolder folder;
  try {
    ComputeConstants::read(folder.write("constants.csv", text));
  } catch (const InputError& error) {
    const std::string message = error.what();
    return message.substr(message.find("constants.csv"));
  }
  return "no error";
}

} // namespace

TEST_CASE("no communication kernel holds more SMs than the smallest GPU of its generation has") {
  const ComputeConstants constants = ComputeConstants::read(shipped);
  // A100 has 108 SMs, H100 132, B200 148, L40S 142.
  for (const auto& [kernels, gpu] :
       {std::pair{constants.sms_pcie, 142.0}, std::pair{constants.sms_nvlink3, 108.0},
        std::pair{constants.sms_nvlink4, 132.0}, std::pair{constants.sms_nvlink5, 148.0}}) {
    CHECK(kernels.ring >= 1.0);
    CHECK(kernels.send_receive >= 1.0);
    CHECK(kernels.ring + kernels.in_switch + kernels.send_receive < gpu);
  }
}

TEST_CASE("an NVLink generation without counts of SMs takes those of NVLink 5") {
  const ComputeConstants constants = ComputeConstants::read(shipped);
  for (const char* own : {"pcie", "nvlink3", "nvlink4", "nvlink5"})
    CHECK(constants.sms_on(own).first == own);
  CHECK(constants.sms_on("nvlink4").second.ring == 16.0);
  CHECK(constants.sms_on("nvlink6").first == "nvlink5");
  CHECK(constants.sms_on("nvlink6").second.ring == 32.0);
}

TEST_CASE("each count of SMs is read into its own place") {
  const ComputeConstants constants = ComputeConstants::read(shipped);
  CHECK(constants.sms_nvlink4.ring == 16.0);
  CHECK(constants.sms_nvlink5.ring == 32.0);
  CHECK(constants.sms_nvlink5.in_switch == 24.0);
  CHECK(constants.sms_nvlink5.send_receive == 32.0);
  CHECK(constants.expert_kernel_sms == 20.0);
  CHECK(constants.hybrid_kernel_sms == 32.0);
}

TEST_CASE("a scale-up medium whose switches do not add has no SMs for it") {
  const ComputeConstants constants = ComputeConstants::read(shipped);
  CHECK(constants.sms_pcie.in_switch == 0.0);
  CHECK(constants.sms_nvlink3.in_switch == 0.0);
}

TEST_CASE("compute constants that are unknown, missing or of another unit are refused") {
  CHECK(message_of("ring_sms_nvlink3", "ring_sms_nvlink9").find("is not known") !=
        std::string::npos);
  CHECK(message_of("ring_sms_nvlink3", "# ring_sms_nvlink3") ==
        "constants.csv: error: constant \"ring_sms_nvlink3\" is missing");
  CHECK(message_of("ring_sms_nvlink3,16,sms", "ring_sms_nvlink3,16,us")
            .find("unit: \"us\" is not \"sms\", the unit of ring_sms_nvlink3") !=
        std::string::npos);
  CHECK(message_of("ring_sms_nvlink3,16", "ring_sms_nvlink4,16").find("is given twice") !=
        std::string::npos);
}
