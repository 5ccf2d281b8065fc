#include "sim/base/input_error.hpp"
#include "sim/routing/load_trace.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <vector>

using namespace moesim;

namespace {

using Layers = decltype(LoadTrace::layers);
using Files = std::map<std::string, std::string>;

/// A dense layer, then two with 2 of four experts for each token.
ModelSpec four_traced_experts() {
  ModelSpec model;
  model.experts.experts = 4;
  model.experts.experts_per_token = 2;
  model.layers.resize(3);
  model.layers[1].moe = true;
  model.layers[2].moe = true;
  return model;
}

/// The message without the folder's name before the file's; `FOLDER` for the folder alone.
std::string trace_refusal(const Files& files) {
  const TemporaryFolder folder;
  for (const auto& [name, text] : files)
    folder.write(name, text);
  try {
    read_load_trace(folder.path(), four_traced_experts());
  } catch (const InputError& error) {
    const std::string message = error.what();
    const std::size_t length = folder.path().string().size();
    return message[length] == '/' ? message.substr(length + 1) : "FOLDER" + message.substr(length);
  }
  return "no error";
}

/// One sequence of two tokens.
const std::string good = "0\t1\t2\t1\t\t0.5\t0.25\t0.5\t0\n";

} // namespace

TEST_CASE("each line of tokens is a row of counts") {
  const TemporaryFolder folder;
  // Sequences of two tokens and of one.
  folder.write("text-layer01.txt", "0\t1\t2\t1\t\t0.5\t0.25\t0.5\t0\n3\t0\t\t1\t1e-3\n");
  folder.write("text-layer02.txt", "3\t2\t2\t3\t\t1\t1\t1\t1\n1\t2\t\t1\t1"); // without an end
  folder.write("text-layer00.txt", "this layer is dense, and its file not read");
  folder.write("text-layer03.txt", "the model has no such layer");
  const LoadTrace trace = read_load_trace(folder.path(), four_traced_experts());
  CHECK(trace.rows == LoadTrace::Rows::sequences);
  CHECK(trace.layers ==
        Layers{{1, {{1, 2, 1, 0}, {1, 0, 0, 1}}}, {2, {{0, 0, 2, 2}, {0, 1, 1, 0}}}});
}

TEST_CASE("experts that do not fit the model are refused with their place") {
  CHECK(trace_refusal({{"layer1.txt", good + "0\t1\t4\t1\t\t1\t1\t1\t1\n"}}) ==
        "layer1.txt:2:5: error: the model has no expert 4\n"
        "  0\t1\t4\t1\t\t1\t1\t1\t1\n"
        "   \t \t^\n"
        "  hint: its experts are 0 to 3");
  CHECK_THAT(trace_refusal({{"layer1.txt", "0\t-1\t\t1\t1\n"}}),
             Catch::StartsWith("layer1.txt:1:3: error: the model has no expert -1\n"));
  CHECK_THAT(trace_refusal({{"layer1.txt", "0\t1.0\t\t1\t1\n"}}),
             Catch::StartsWith("layer1.txt:1:3: error: \"1.0\" is no number of an expert\n"));
  CHECK_THAT(trace_refusal({{"layer1.txt", "\t\t1\t1\n"}}),
             Catch::StartsWith("layer1.txt:1:1: error: \"\" is no number of an expert\n"));
  CHECK(trace_refusal({{"layer1.txt", good + "0\t1\t2\t\t1\t1\t1\n"}}) ==
        "layer1.txt:2:5: error: 3 experts are not a whole number of tokens\n"
        "  0\t1\t2\t\t1\t1\t1\n"
        "   \t \t^\n"
        "  hint: a token of the model takes 2");
  // The first token's 1 may come again in the second, which has 2 twice.
  CHECK(trace_refusal({{"layer1.txt", "0\t1\t2\t2\t\t1\t1\t1\t1\n"}}) ==
        "layer1.txt:1:7: error: this token names expert 2 twice\n"
        "  0\t1\t2\t2\t\t1\t1\t1\t1\n"
        "   \t \t \t^");
}

TEST_CASE("weights that do not fit the experts are refused with their place") {
  CHECK(trace_refusal({{"layer1.txt", "0\t1\t\t1\n"}}) ==
        "layer1.txt:1:6: error: 1 weights for 2 experts\n"
        "  0\t1\t\t1\n"
        "   \t \t\t^");
  CHECK_THAT(trace_refusal({{"layer1.txt", "0\t1\t\t1\t1\t1\n"}}),
             Catch::StartsWith("layer1.txt:1:6: error: 3 weights for 2 experts\n"));
  for (const std::string weight : {"", "x", "-1", "nan", "0.5x"})
    CHECK_THAT(trace_refusal({{"layer1.txt", "0\t1\t\t1\t" + weight + "\n"}}),
               Catch::StartsWith("layer1.txt:1:8: error: \"" + weight + "\" is no weight\n"));
  CHECK(trace_refusal({{"layer1.txt", good + "0\t1\n" + good}}) ==
        "layer1.txt:2:1: error: no two tabs part the experts of the tokens from their weights\n"
        "  0\t1\n"
        "  ^");
  CHECK(trace_refusal({{"layer1.txt", good + "\n"}}) ==
        "layer1.txt:2:1: error: no two tabs part the experts of the tokens from their weights");
  CHECK(trace_refusal({{"layer1.txt", ""}}) == "layer1.txt: error: has no sequences");
}

TEST_CASE("layers that did not record the same sequences are refused") {
  const std::string hint = "\n  hint: every layer must have recorded the same sequences";
  CHECK(trace_refusal({{"layer1.txt", good + good}, {"layer2.txt", good}}) ==
        "layer2.txt:2:1: error: has 1 sequences, layer1.txt has 2" + hint);
  CHECK(trace_refusal({{"layer1.txt", good}, {"layer2.txt", good + good + good}}) ==
        "layer2.txt:2:1: error: has 3 sequences, layer1.txt has 1" + hint);
  CHECK(trace_refusal({{"layer1.txt", good + good}, {"layer2.txt", good + "0\t1\t\t1\t1\n"}}) ==
        "layer2.txt:2:1: error: 2 experts are chosen here, 4 in the same line of layer1.txt" +
            hint);
  CHECK(trace_refusal({{"layer1.txt", good}}) ==
        "FOLDER: error: has no tokens for layer 2 of the model\n"
        "  hint: layers are counted from 0, dense ones included");
}

// 33 sequences of 8,327 tokens together, each token with 6 experts. The greatest load over the mean
// is 1.95 to 6.87 in the 26 layers of the whole recording; the counts of each layer are published
// in SGLang's layout too, drawn from the same file.
TEST_CASE("published experts of tokens are read in place, where they are") {
  const char* samples = std::getenv("MOESIM_SAMPLES");
  if (!samples)
    return;
  const std::filesystem::path source = std::filesystem::path(samples) / "moe_load";
  ModelSpec lite;
  lite.experts.experts = 64;
  lite.experts.experts_per_token = 6;
  lite.layers.resize(27);
  const TemporaryFolder folder; // there are other texts in the folder of samples
  for (const int layer : {1, 2, 14}) {
    lite.layers[static_cast<std::size_t>(layer)].moe = true;
    const std::string name =
        "esft-dsv2lite-law-layer" + std::string(layer < 10 ? "0" : "") + std::to_string(layer);
    std::filesystem::create_symlink(source / (name + ".txt"), folder.path() / (name + ".txt"));
  }
  const LoadTrace trace = read_load_trace(folder.path(), lite);
  const LoadTrace totals = read_load_trace(source / "derived-esft-law-counts.csv", lite);
  REQUIRE(trace.layers.size() == 3);
  for (const auto& [layer, rows] : trace.layers) {
    INFO(layer);
    CHECK(rows.size() == 33);
    std::vector<double> sum(64);
    for (const std::vector<double>& row : rows)
      std::transform(row.begin(), row.end(), sum.begin(), sum.begin(), std::plus<>());
    CHECK(std::accumulate(sum.begin(), sum.end(), 0.0) == 8'327.0 * 6.0);
    const double skew = *std::max_element(sum.begin(), sum.end()) / (8'327.0 * 6.0 / 64.0);
    CHECK(skew > 1.945);
    CHECK(skew < 6.875);
    CHECK(sum == totals.layers.at(layer).at(0));
  }
}
