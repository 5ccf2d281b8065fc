#include "sim/study/config_plan.hpp"

#include "sim/base/input_error.hpp"
#include "sim/study/break_even_contour.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

const std::filesystem::path shipped = std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies";

ConfigPlan two_clusters() {
  return {.config = "/models/a \"b\"/config.json",
          .clusters = {"hgx-h100-ndr400", "gb200-nvl72"},
          .gpus = {64, 128},
          .prices_per_gpu_hour = {2.0, 4.5},
          .tokens = 1e12,
          .deadline_days = 60.0};
}

std::string config_error(const ConfigPlan& plan) {
  try {
    config_plan_text(plan, shipped);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("a plan of a config names its model, its tokens and each cluster with its price") {
  const std::string text = config_plan_text(two_clusters(), shipped);
  CHECK_THAT(text, Contains("config = \"/models/a \\\"b\\\"/config.json\"\n"));
  CHECK_THAT(text, Contains("tokens = 1e+12\ndeadline_days = 60\nsequence_length = 4096\n"));
  CHECK_THAT(text, Contains("/topologies/hgx-h100-ndr400.toml\"\ngpus = [64, 128]\n"
                            "price_per_gpu_hour = 2\n"));
  CHECK_THAT(text, Contains("/topologies/gb200-nvl72.toml\"\ngpus = [64, 128]\n"
                            "price_per_gpu_hour = 4.5\n"));
}

TEST_CASE("a plan of a config names the nearest cluster, and prices that do not fit") {
  ConfigPlan plan = two_clusters();
  plan.clusters[1] = "gb200-nvl27";
  CHECK_THAT(config_error(plan), Contains("did you mean \"gb200-nvl72\"?"));
  plan = two_clusters();
  plan.prices_per_gpu_hour = {1.0, 2.0, 3.0};
  CHECK_THAT(config_error(plan), Contains("3 prices for 2 clusters"));
}

TEST_CASE("a contour asks at values evenly spaced by their ratio, each once") {
  // 32 to 512 is four doublings; 2 to 4 holds three whole numbers.
  CHECK(contour_values({.key = "a", .from = 32, .to = 512, .whole = true}) ==
        std::vector<double>{32, 64, 128, 256, 512});
  CHECK(contour_values({.key = "a", .from = 2, .to = 4, .whole = true}) ==
        std::vector<double>{2, 3, 4});
  CHECK(contour_values({.key = "a", .from = 0, .to = 2}) == std::vector<double>{0, 0.5, 1, 1.5, 2});
}
