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

TEST_CASE("a recording may have other columns, and columns by their short names") {
  const TemporaryFolder folder;
  CHECK(read_load_trace(
            folder.write("t.csv", "layer,expert,tokens,rank,note\n1,0,5,0,a\n2,2,7,0,b\n"),
            three_experts())
            .layers == Layers{{1, {{5, 0, 0}}}, {2, {{0, 0, 7}}}});
  CHECK_THROWS_WITH(
      read_load_trace(folder.write("u.csv", "layer,expert,share\n0,0,5\n"), three_experts()),
      Catch::Contains("u.csv:1:1: error: a recording needs the column count or tokens") &&
          Catch::Contains("this file has layer, expert, share"));
}

TEST_CASE("files of SGLang in a folder add up, and others beside them are left alone") {
  const TemporaryFolder folder;
  const std::string header = "layer_id,expert_id,count\n";
  folder.write("expert_distribution_rank0_timestamp17.5.csv", header + "1,0,5\n2,1,1\n");
  folder.write("expert_distribution_rank1_timestamp17.6.csv", header + "1,0,2\n1,2,3\n");
  folder.write("README.md", "of two ranks");
  folder.write("other.csv", "a,b\n");
  const LoadTrace trace = read_load_trace(folder.path(), three_experts());
  CHECK(trace.rows == LoadTrace::Rows::whole);
  CHECK(trace.layers == Layers{{1, {{7, 0, 3}}}, {2, {{0, 1, 0}}}});
}

TEST_CASE("a folder or file without a recording that is known is refused with what is") {
  const std::string hint =
      "\n  hint: known are SGLang's .csv or a folder of its expert_distribution_rank<r>_*.csv, "
      "D2-MoE's .json, Megatron-LM's folder of rank<r>.jsonl or one .jsonl, and ESFT's folder of "
      "*layer<NN>.txt";
  const TemporaryFolder folder;
  const auto refusal_of = [](const std::filesystem::path& path) -> std::string {
    try {
      read_load_trace(path, three_experts());
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  const std::string name = folder.path().string();
  CHECK(refusal_of(folder.path() / "none") ==
        name + "/none: error: there is no such file or folder");
  CHECK(refusal_of(folder.write("t.log", "1")) ==
        name + "/t.log: error: \".log\" is no recording of loads that is known" + hint);
  // Names that are near those of a format are not of it.
  for (const std::string near : {"rank0.json", "xrank0.jsonl", "layer.txt", "layer01.txt.gz",
                                 "expert_distribution_rank.csv"})
    folder.write(near, "1");
  CHECK(refusal_of(folder.path()) ==
        name + ": error: holds no recording of loads that is known" + hint);
  folder.write("rank0.jsonl", "");
  folder.write("a-layer01.txt", "");
  CHECK(refusal_of(folder.path()) ==
        name + ": error: holds recordings of more than one format" + hint);
  folder.write("b-layer1.txt", "");
  CHECK(refusal_of(folder.path()) ==
        name + "/b-layer1.txt: error: a-layer01.txt is of layer 1 too");
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
