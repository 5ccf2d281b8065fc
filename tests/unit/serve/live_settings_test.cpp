#include "sim/serve/live_settings.hpp"

#include "sim/base/input_error.hpp"
#include "sim/serve/web_pages.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace moesim;
namespace fs = std::filesystem;

const fs::path mixtral = fs::path(MOESIM_SOURCE_DIR) / "workloads/mixtral-8x7b/scenario.toml";

std::string refusal_of(const std::multimap<std::string, std::string>& query) {
  try {
    live_settings(query);
  } catch (const InputError& error) {
    return error.message();
  }
  return "";
}

Scenario under(const std::vector<TomlSetting>& settings) {
  return resolve_scenario(parse_scenario_with(mixtral, settings));
}

} // namespace

TEST_CASE("the query of an address sets keys as --set does") {
  const Scenario scenario =
      under(live_settings({{"cluster.gpus", "256"}, {"parallel.schedule", "1f1b"}}));
  CHECK(scenario.workload.plan.gpus == 256);
  CHECK(scenario.workload.plan.pipeline == 4); // the file's own
}

TEST_CASE("a query sets no key that names a file, and each key once") {
  CHECK(refusal_of({{"model.config", "/etc/passwd"}}) == "\"model.config\" cannot be set here");
  CHECK(refusal_of({{"cluster.topology", "x"}}) == "\"cluster.topology\" cannot be set here");
  CHECK(refusal_of({{"routing.trace", "x"}}) == "\"routing.trace\" cannot be set here");
  CHECK(refusal_of({{"cluster.gpus", "8"}, {"cluster.gpus", "16"}}) ==
        "\"cluster.gpus\" is given twice");
}

TEST_CASE("the controls of the live page hold the values of the scenario") {
  using Controls = std::vector<std::pair<std::string, double>>;
  CHECK(live_controls(under({})) == Controls{{"cluster.gpus", 128},
                                             {"cluster.nic_gbit_per_s", 400},
                                             {"model.experts", 8},
                                             {"model.experts_per_token", 2},
                                             {"parallel.tensor", 1},
                                             {"parallel.pipeline", 4},
                                             {"parallel.expert", 8},
                                             {"training.micro_batch", 1}});
}

TEST_CASE("the best plan is searched over all keys of a plan that the file fixes") {
  const Scenario scenario = under(with_best_plan(live_settings({{"parallel.tensor", "2"}})));
  REQUIRE(scenario.search);
  CHECK(scenario.search->tensor.empty());
  CHECK(scenario.search->pipeline.empty());
  CHECK(scenario.search->micro_batch.empty());
}

TEST_CASE("a saved scenario stands for itself") {
  const std::string text = scenario_text(mixtral, live_settings({{"cluster.gpus", "256"}}));
  CHECK(text.find("gpus = 256\n") != std::string::npos);
  CHECK(text.find("config = \"" + (mixtral.parent_path() / "config.json").string() + "\"\n") !=
        std::string::npos);
  CHECK(text.find("../") == std::string::npos);
}

TEST_CASE("only scripts that open on a line of their own get the nonce of a report") {
  CHECK(with_nonce("a\n<script>\nb <script> c\n<script>\n", "7") ==
        "a\n<script nonce=\"7\">\nb <script> c\n<script nonce=\"7\">\n");
}
