#include "sim/base/input_error.hpp"
#include "sim/routing/load_trace.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

using namespace moesim;

namespace {

using Layers = decltype(LoadTrace::layers);
using Files = std::map<std::string, std::string>;

/// A dense layer, then two of four experts.
ModelSpec four_experts() {
  ModelSpec model;
  model.experts.experts = 4;
  model.layers.resize(3);
  model.layers[1].moe = true;
  model.layers[2].moe = true;
  return model;
}

std::string record(int iteration, int layer, const std::string& counts) {
  return "{\"iter\": " + std::to_string(iteration) +
         ", \"block\": \"decoder\", \"layer\": " + std::to_string(layer) + ", \"tpe\": " + counts +
         "}\n";
}

LoadTrace read(const Files& files) {
  const TemporaryFolder folder;
  for (const auto& [name, text] : files)
    folder.write(name, text);
  return read_load_trace(folder.path(), four_experts());
}

/// The message without the folder's name before the file's; `FOLDER` for the folder alone.
std::string refusal(const Files& files) {
  const TemporaryFolder folder;
  for (const auto& [name, text] : files)
    folder.write(name, text);
  try {
    read_load_trace(folder.path(), four_experts());
  } catch (const InputError& error) {
    const std::string message = error.what();
    const std::size_t length = folder.path().string().size();
    return message[length] == '/' ? message.substr(length + 1) : "FOLDER" + message.substr(length);
  }
  return "no error";
}

// A record's "layer" is at byte 33, behind 12 bytes of iter and 20 of block; its "tpe" 12 further.

/// Two layers of one iteration with one micro-batch.
std::string layers(const std::string& first, const std::string& second) {
  return record(1, 1, first) + record(1, 2, second);
}

} // namespace

TEST_CASE("the ranks of an expert-parallel group make a row of each micro-batch") {
  const LoadTrace trace = read(
      {{"rank0.jsonl", record(100, 1, "[[1, 2], [3, 4]]") + record(100, 2, "[[5, 6], [7, 8]]") +
                           record(200, 1, "[[9, 9]]") + record(200, 2, "[[0, 1]]")},
       {"rank1.jsonl", record(100, 1, "[[10, 20], [30, 40]]") +
                           record(100, 2, "[[50, 60], [70, 80]]") + record(200, 1, "[[0, 0]]") +
                           record(200, 2, "[[2, 3]]")}});
  CHECK(trace.rows == LoadTrace::Rows::micro_batches);
  CHECK(trace.layers == Layers{{1, {{1, 2, 10, 20}, {3, 4, 30, 40}, {9, 9, 0, 0}}},
                               {2, {{5, 6, 50, 60}, {7, 8, 70, 80}, {0, 1, 2, 3}}}});
}

TEST_CASE("further groups of ranks are further rows of the same micro-batch") {
  Files files;
  for (int rank = 0; rank < 4; ++rank) {
    const std::string digit = std::to_string(rank + 1);
    files["rank" + std::to_string(rank) + ".jsonl"] =
        layers("[[" + digit + ", 0], [0, " + digit + "]]", "[[1, 1], [1, 2]]");
  }
  // Experts 0 and 1 are on the ranks 0 and 2, experts 2 and 3 on 1 and 3.
  CHECK(read(files).layers.at(1) ==
        std::vector<std::vector<double>>{{1, 0, 2, 0}, {3, 0, 4, 0}, {0, 1, 0, 2}, {0, 3, 0, 4}});
}

TEST_CASE("ranks are joined by number, iterations by number, whatever their order in the files") {
  Files files;
  for (int rank = 0; rank < 12; ++rank) // rank10 comes before rank2 by name
    files["rank" + std::to_string(rank) + ".jsonl"] =
        record(20, 2, "[[7]]") + record(20, 1, "[[8]]") +
        record(3, 2, "[[" + std::to_string(rank) + "]]") + record(3, 1, "[[1]]");
  CHECK(read(files).layers.at(2) ==
        std::vector<std::vector<double>>{
            {0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}, {7, 7, 7, 7}, {7, 7, 7, 7}, {7, 7, 7, 7}});
}

TEST_CASE("one file is enough of a rank with all experts, and multi-token prediction is left out") {
  const TemporaryFolder folder;
  const std::string mtp =
      "{\"iter\": 1, \"block\": \"mtp\", \"mtp_idx\": 0, \"layer\": 0, \"tpe\": [[70, 80]]}\n";
  const LoadTrace trace = read_load_trace(
      folder.write("recording.jsonl", layers("[[1, 2, 3, 4]]", "[[4, 3, 2, 1]]") + mtp),
      four_experts());
  CHECK(trace.layers == Layers{{1, {{1, 2, 3, 4}}}, {2, {{4, 3, 2, 1}}}});
}

TEST_CASE("layers that are not the model's are refused, as in each stage of a pipeline") {
  const std::string hint =
      "\n  hint: the recorder counts layers from 0 in each pipeline stage and does not say which "
      "stage: record without a pipeline, and take the whole model";
  CHECK(refusal({{"rank0.jsonl", record(1, 1, "[[1, 2, 3, 4]]")}}) ==
        "rank0.jsonl: error: iteration 1 records the layers 1, the model's MoE layers are 1-2" +
            hint);
  std::string more = layers("[[1, 2, 3, 4]]", "[[1, 2, 3, 4]]");
  for (const int layer : {7, 5, 4})
    more += record(1, layer, "[[1]]");
  // The place is of the first layer that the model lacks, number 4, in line 5: its tpe is byte 45.
  CHECK(refusal({{"rank0.jsonl", more}}) ==
        "rank0.jsonl:5:45: error: iteration 1 records the layers 1-2, 4-5, 7, the model's MoE "
        "layers are 1-2\n"
        "  {\"iter\": 1, \"block\": \"decoder\", \"layer\": 4, \"tpe\": [[1]]}\n"
        "                                              ^" +
            hint);
}

TEST_CASE("ranks that do not make up the model's experts are refused") {
  const std::string two = layers("[[1, 2]]", "[[3, 4]]");
  CHECK(refusal({{"rank0.jsonl", two}, {"rank1.jsonl", two}, {"rank2.jsonl", two}}) ==
        "FOLDER: error: 3 ranks of 2 experts do not make up the model's 4\n"
        "  hint: an expert-parallel group has 2 ranks: name the folder with the files of all");
  CHECK(refusal({{"rank0.jsonl", two}, {"rank2.jsonl", two}}) ==
        "FOLDER: error: rank1.jsonl is missing\n"
        "  hint: ranks count from 0, and rank 2 is there");
  CHECK(refusal({{"rank0.jsonl", layers("[[1, 2, 3]]", "[[1, 2, 3]]")}}) ==
        "rank0.jsonl:1:45: error: 3 experts on a rank do not divide the model's 4\n"
        "  {\"iter\": 1, \"block\": \"decoder\", \"layer\": 1, \"tpe\": [[1, 2, 3]]}\n"
        "                                              ^");
  CHECK(refusal({{"rank0.jsonl", two}, {"rank00.jsonl", two}}) ==
        "rank00.jsonl: error: rank0.jsonl is of rank 0 too");
}

TEST_CASE("ranks that recorded something else than the first are refused") {
  const std::string two = layers("[[1, 2]]", "[[3, 4]]");
  const auto second = [&](const std::string& text) {
    return refusal({{"rank0.jsonl", two}, {"rank1.jsonl", text}});
  };
  CHECK(second(record(2, 1, "[[1, 2]]") + record(2, 2, "[[1, 2]]")) ==
        "rank1.jsonl: error: lacks iteration 1, which rank0.jsonl has");
  CHECK(second(two + record(2, 1, "[[1, 2]]") + record(2, 2, "[[1, 2]]")) ==
        "rank1.jsonl:3:45: error: rank0.jsonl lacks iteration 2\n"
        "  {\"iter\": 2, \"block\": \"decoder\", \"layer\": 1, \"tpe\": [[1, 2]]}\n"
        "                                              ^");
  CHECK(second(layers("[[1, 2]]", "[[3, 4], [5, 6]]")) ==
        "rank1.jsonl:2:45: error: 2 micro-batches of layer 2, 1 of layer 1 in rank0.jsonl\n"
        "  {\"iter\": 1, \"block\": \"decoder\", \"layer\": 2, \"tpe\": [[3, 4], [5, 6]]}\n"
        "                                              ^");
  CHECK(second(layers("[[1, 2]]", "[[3]]")) ==
        "rank1.jsonl:2:45: error: 1 experts, 2 at the start of rank0.jsonl\n"
        "  {\"iter\": 1, \"block\": \"decoder\", \"layer\": 2, \"tpe\": [[3]]}\n"
        "                                              ^");
}

TEST_CASE("layers of one rank with different numbers of micro-batches are refused") {
  CHECK(refusal({{"rank0.jsonl", layers("[[1, 2, 3, 4]]", "[[1, 1, 1, 1], [1, 1, 1, 1]]")}}) ==
        "rank0.jsonl:2:45: error: 2 micro-batches of layer 2, 1 of layer 1 in rank0.jsonl\n"
        "  {\"iter\": 1, \"block\": \"decoder\", \"layer\": 2, \"tpe\": [[1, 1, 1, 1], [1, 1, 1, "
        "1]]}\n"
        "                                              ^");
}

TEST_CASE("a line that is no record is refused with its place") {
  const std::string good = layers("[[1, 2, 3, 4]]", "[[1, 2, 3, 4]]");
  const auto third = [&](const std::string& text) {
    return refusal({{"rank0.jsonl", good + text}});
  };
  CHECK(third("{\"iter\": 1, \"block\": \"encoder\"}\n") ==
        "rank0.jsonl:3:13: error: the block \"encoder\" is not known\n"
        "  {\"iter\": 1, \"block\": \"encoder\"}\n"
        "              ^\n"
        "  hint: the recorder writes decoder and mtp");
  CHECK(third(record(1, 2, "[[1]]")) ==
        "rank0.jsonl:3:33: error: layer 2 of iteration 1 is there a second time\n"
        "  {\"iter\": 1, \"block\": \"decoder\", \"layer\": 2, \"tpe\": [[1]]}\n"
        "                                  ^\n"
        "  hint: a run that started again appends to the file: keep one of the two");
  CHECK(third(record(2, 1, "[[1, -2, 3, 4]]")) ==
        "rank0.jsonl:3:45: error: a count is below zero\n"
        "  {\"iter\": 2, \"block\": \"decoder\", \"layer\": 1, \"tpe\": [[1, -2, 3, 4]]}\n"
        "                                              ^");
  for (const std::string none : {"[]", "[[]]"})
    CHECK_THAT(third(record(2, 1, none)),
               Catch::StartsWith("rank0.jsonl:3:45: error: tpe holds no counts"));
  CHECK_THAT(third(record(2, 1, "[1]")),
             Catch::StartsWith("rank0.jsonl:3:45: error: tpe must hold lists of numbers"));
  CHECK_THAT(third("{\"iter\": 1,\n"), Catch::StartsWith("rank0.jsonl:3:12: error: not JSON"));
  CHECK(refusal({{"rank0.jsonl", "\n"}}) == "rank0.jsonl: error: records no layer of the decoder");
}

TEST_CASE("a micro-batch without tokens is refused, though one rank may have none") {
  CHECK(refusal({{"rank0.jsonl", layers("[[1, 2], [0, 0]]", "[[1, 2], [0, 0]]")},
                 {"rank1.jsonl", layers("[[0, 0], [1, 2]]", "[[0, 0], [0, 0]]")}}) ==
        "rank0.jsonl:2:45: error: micro-batch 1 (from 0) has no tokens\n"
        "  {\"iter\": 1, \"block\": \"decoder\", \"layer\": 2, \"tpe\": [[1, 2], [0, 0]]}\n"
        "                                              ^");
}
