#include "sim/routing/load_trace.hpp"

#include "sim/base/input_error.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <numeric>

using namespace moesim;

namespace {

using Layers = decltype(LoadTrace::layers);

/// A dense layer, then two of three experts.
ModelSpec three_experts() {
  ModelSpec model;
  model.experts.experts = 3;
  model.layers.resize(3);
  model.layers[1].moe = true;
  model.layers[2].moe = true;
  return model;
}

std::string refusal(const std::string& name, const std::string& text) {
  const TemporaryFolder folder;
  try {
    read_load_trace(folder.write(name, text), three_experts());
  } catch (const InputError& error) {
    const std::string message = error.what();
    return message.substr(message.find(name));
  }
  return "";
}

} // namespace

TEST_CASE("a recording of SGLang adds up its rows, and what it lacks is nothing") {
  const TemporaryFolder folder;
  const LoadTrace trace = read_load_trace(
      folder.write("t.csv", "layer_id,expert_id,count\n2,0,5\n1,2,7\n2,0,1\n2,1,4\n9,0,3\n1,1,2\n"),
      three_experts());
  CHECK(trace.layers == Layers{{1, {{0, 2, 7}}}, {2, {{6, 4, 0}}}});
}

TEST_CASE("a recording of D2-MoE has a list for each layer") {
  const TemporaryFolder folder;
  const LoadTrace trace = read_load_trace(
      folder.write("t.json", R"({"1": [1.0, 2.0, 3.0], "2": [4, 5, 6], "7": [0, 0, 1]})"),
      three_experts());
  CHECK(trace.layers == Layers{{1, {{1, 2, 3}}}, {2, {{4, 5, 6}}}});
}

TEST_CASE("a recording that does not fit the model is refused with its place") {
  const std::string header = "layer_id,expert_id,count\n";
  CHECK(refusal("t.csv", header + "1,0,5\n1,3,5\n") ==
        "t.csv:3:3: error: the model has no expert 3\n  1,3,5\n    ^\n"
        "  hint: its experts are 0 to 2");
  CHECK(refusal("t.csv", header + "1,0,-5\n") ==
        "t.csv:2:5: error: a count is below zero\n  1,0,-5\n      ^");
  CHECK(refusal("t.csv", header + "1,0,5\n") ==
        "t.csv: error: has no tokens for layer 2 of the model\n"
        "  hint: layers are counted from 0, dense ones included");
  CHECK_THAT(refusal("t.json", "{\n  \"1\": [1, 2]\n}\n"),
             Catch::Contains("t.json:2:") &&
                 Catch::Contains("layer 1 has 2 counts, the model 3 experts"));
  CHECK_THAT(refusal("t.json", R"({"1": [1, 2, "3"]})"), Catch::Contains("1 must hold numbers"));
  CHECK_THAT(refusal("t.txt", "1\t2"), Catch::Contains("\".txt\" is no recording"));
}

// Each layer of the published counts has the top 2 of 6,258,496 positions.
TEST_CASE("published counts are read in place, where they are") {
  const char* samples = std::getenv("MOESIM_SAMPLES");
  if (!samples)
    return;
  ModelSpec mixtral;
  mixtral.experts.experts = 8;
  mixtral.layers.resize(32);
  for (LayerSpec& layer : mixtral.layers)
    layer.moe = true;
  const LoadTrace trace = read_load_trace(
      std::filesystem::path(samples) / "moe_load/mixtral-8x7b-wikitext-frequencies.json", mixtral);
  REQUIRE(trace.layers.size() == 32);
  for (const auto& [layer, rows] : trace.layers)
    CHECK(std::accumulate(rows.at(0).begin(), rows.at(0).end(), 0.0) == 12'516'992.0);
}
