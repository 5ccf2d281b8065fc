#include "sim/importer/megatron_layers.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>

using namespace moesim;

namespace {

/// "E3 2 2 m1 L": embedding, layers, layers of multi-token prediction, loss of each stage.
std::string stages_of(const std::string& layout) {
  std::string text;
  for (const LayoutStage& stage : parse_pipeline_layout(layout))
    text += std::string(text.empty() ? "" : " ") + (stage.embedding ? "E" : "") +
            std::to_string(stage.layers) +
            (stage.mtp_layers > 0 ? "m" + std::to_string(stage.mtp_layers) : "") +
            (stage.loss ? "L" : "");
  return text;
}

std::string layers_of(const std::string& frequency, std::int64_t layers) {
  std::string text;
  for (const bool moe : parse_moe_layers(frequency, layers))
    text += moe ? '1' : '0';
  return text;
}

template <typename Parse> std::string reason_of(Parse parse) {
  try {
    parse();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

} // namespace

TEST_CASE("a pipeline layout is written out stage by stage") {
  CHECK(stages_of("Ett|tt|ttL") == "E2 2 2L");
  CHECK(stages_of("Et*4|(t*2|)*3tmL") == "E4 2 2 2 1m1L");
  CHECK(stages_of("Et|(tt|)*2,t|m|L") == "E1 2 2 1 0m1 0L");
  CHECK(stages_of("E t*2 L") == "E2L");
}

TEST_CASE("a layout that is none is refused with the reason") {
  const auto reason = [](const std::string& layout) {
    return reason_of([&] { parse_pipeline_layout(layout); });
  };
  CHECK(reason("Ex|L") == "\"x\" is not expected at its character 2");
  CHECK(reason("E(tt|L") == "it ends too early");
  CHECK(reason("Et*|L") == "\"|\" is not expected at its character 4");
  CHECK(reason("tt|L") == "the embedding E must stand once, in the first stage");
  CHECK(reason("Et|EL") == "the embedding E must stand once, in the first stage");
  CHECK(reason("EL|t") == "the loss L must stand once, in the last stage");
  CHECK(reason("E(t*1000)*1000L") == "it has more than 100000 layers");
  CHECK(reason("Et*99999999999999999999L") == "it has more than 100000 layers");
  CHECK(reason(std::string(30, '(')) == "its brackets are nested too deep");
}

TEST_CASE("a frequency tells the layers that hold experts") {
  CHECK(layers_of("1", 4) == "1111");
  CHECK(layers_of("2", 5) == "10101"); // as Megatron: from the first layer on
  CHECK(layers_of("([0]*3+[1]*5)", 8) == "00011111");
  CHECK(layers_of("([1]*2+[0])*2", 6) == "110110");
  CHECK(layers_of("[0,1,1]", 3) == "011");
  CHECK(layers_of("[0] + [1]*2", 3) == "011");
}

TEST_CASE("a frequency that is none is refused with the reason") {
  const auto reason = [](const std::string& frequency) {
    return reason_of([&] { parse_moe_layers(frequency, 4); });
  };
  CHECK(reason("0") == "it must be a whole number or a list as ([0]*3+[1]*58)");
  CHECK(reason("two") == "it must be a whole number or a list as ([0]*3+[1]*58)");
  CHECK(reason("[0]*3") == "it has 3 entries for 4 layers");
  CHECK(reason("[2]*4") == "\"2\" is not expected at its character 2");
  CHECK(reason("([1]*4") == "it ends too early");
}
