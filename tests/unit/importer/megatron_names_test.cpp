#include "sim/importer/megatron_arguments.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <string>

using namespace moesim;

TEST_CASE("the table of arguments knows every name of Megatron-LM") {
  std::ifstream lines(MOESIM_SOURCE_DIR "/tests/unit/importer/megatron_names.txt");
  std::string unknown;
  int names = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#"))
      continue;
    std::istringstream words(line);
    for (std::string name; words >> name; ++names)
      if (!find_argument_rule(argument_name(name)))
        unknown += name + " ";
  }
  CHECK(names == 716); // 582 of the parser and 134 of the dataclasses
  CHECK(unknown.empty());
}

TEST_CASE("an argument is used, approximated, without effect or refused, with what it needs") {
  for (const std::string& name : argument_names()) {
    INFO(name);
    const ArgumentRule& rule = *find_argument_rule(name);
    if (rule.use != ArgumentUse::refused)
      CHECK((rule.use == ArgumentUse::approximated) == !rule.table.empty());
    if (rule.use == ArgumentUse::refused)
      CHECK_FALSE(rule.note.empty());
    CHECK(argument_name("--" + name) == name); // no other name hides the row
  }
  CHECK(find_argument_rule("lr")->use == ArgumentUse::without_effect);
  CHECK(find_argument_rule("num-layers")->use == ArgumentUse::used);
  CHECK(find_argument_rule("csa-window-size")->inert == std::vector<std::string>{"128"});
  CHECK(find_argument_rule("csa-window-size")->table == "model");
  CHECK(find_argument_rule("cp-comm-type")->table == "parallel");
  CHECK(find_argument_rule("num-layer") == nullptr);
}

TEST_CASE("a tokenizer is known by the first name that its path contains") {
  CHECK(vocabulary_of("deepseek-ai/DeepSeek-V3-Base") == 129'280);
  CHECK(vocabulary_of("data/Qwen3-30B-A3B") == 151'936);
  CHECK(vocabulary_of("DeepSeekV3Tokenizer") == 129'280); // as Pai-Megatron-Patch names them
  CHECK(vocabulary_of("LLama3Tokenizer") == 128'256);
  CHECK_FALSE(vocabulary_of("Qwen/Qwen3.5-35B-A3B"));
  CHECK_FALSE(vocabulary_of("data/tokenizer.model"));
}
