#include "sim/importer/megatron_arguments.hpp"

#include "sim/importer/megatron_table.hpp" // megatron_arguments.txt, as the build writes it

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <stdexcept>

namespace moesim {

namespace {

using Rules = std::map<std::string, ArgumentRule>;

/// The rule of a section `[approximated flag parallel: NOTE]`.
ArgumentRule rule_of(const std::string& section) {
  static const std::map<std::string, ArgumentUse> uses = {
      {"used", ArgumentUse::used},
      {"approximated", ArgumentUse::approximated},
      {"without_effect", ArgumentUse::without_effect},
      {"refused", ArgumentUse::refused}};
  static const std::map<std::string, ArgumentShape> shapes = {{"flag", ArgumentShape::flag},
                                                              {"value", ArgumentShape::value},
                                                              {"list", ArgumentShape::list}};
  std::istringstream words(section.substr(1, section.size() - 2));
  std::string use;
  std::string shape;
  words >> use >> shape >> std::ws;
  ArgumentRule rule{shapes.at(shape), uses.at(use), "", "", {}};
  std::getline(words, rule.note);
  const std::size_t colon = rule.note.find(": ");
  if (rule.use == ArgumentUse::approximated || rule.note.starts_with("model: ")) {
    rule.table = rule.note.substr(0, colon);
    rule.note = colon == std::string::npos ? "" : rule.note.substr(colon + 2);
  }
  return rule;
}

Rules read_table() {
  Rules rules;
  ArgumentRule section;
  std::istringstream lines(megatron_table);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#"))
      continue;
    if (line.starts_with("[")) {
      section = rule_of(line);
      continue;
    }
    std::istringstream names(line);
    for (std::string name; names >> name;) {
      ArgumentRule rule = section;
      const std::size_t equals = std::min(name.find('='), name.size());
      std::istringstream values(name.substr(std::min(equals + 1, name.size())));
      for (std::string value; std::getline(values, value, ',');)
        rule.inert.push_back(value);
      if (!rules.emplace(name.substr(0, equals), std::move(rule)).second)
        throw std::logic_error("megatron_arguments.txt names an argument twice: " + name);
    }
  }
  return rules;
}

const Rules& rules() {
  static const Rules known = read_table();
  return known;
}

} // namespace

const ArgumentRule* find_argument_rule(const std::string& name) {
  const auto found = rules().find(name);
  return found == rules().end() ? nullptr : &found->second;
}

std::string argument_name(std::string written) {
  // Other names of one value: of Megatron-Core's configs, and of launchers around Megatron.
  static const std::map<std::string, std::string> others = {
      {"num-moe-experts", "num-experts"},
      {"fp8", "fp8-format"},
      {"fp4", "fp4-format"},
      {"gated-linear-unit", "swiglu"},
      {"encoder-seq-length", "seq-length"},
      {"encoder-num-layers", "num-layers"},
      {"max-length", "seq-length"},      // ms-swift
      {"sequence-length", "seq-length"}, // Megatron-Bridge
      {"num-nodes", "nnodes"},           // NeMo
      {"devices", "nproc-per-node"},
      {"qk-nope-head-dim", "qk-head-dim"},
      {"qk-rope-head-dim", "qk-pos-emb-head-dim"},
      {"virtual-pipeline-model-parallel-size", "num-virtual-stages-per-pipeline-rank"},
      {"num-layers-in-first-pipeline-stage", "decoder-first-pipeline-num-layers"},
      {"num-layers-in-last-pipeline-stage", "decoder-last-pipeline-num-layers"},
      {"actor-num-nodes", "nnodes"}, // slime
      {"actor-num-gpus-per-node", "nproc-per-node"}};
  written.erase(0, std::min(written.find_first_not_of('-'), written.size()));
  std::replace(written.begin(), written.end(), '_', '-');
  const auto other = others.find(written);
  return other == others.end() ? written : other->second;
}

std::string opposite_flag(const std::string& name) {
  static const std::map<std::string, std::string> opposites = {
      {"add-bias-linear", "disable-bias-linear"},
      {"share-embeddings-and-output-weights", "untie-embeddings-and-output-weights"},
      {"grad-reduce-in-fp32", "grad-reduce-in-bf16"},
      {"torch-fsdp2-reshard-after-forward", "torch-fsdp2-no-reshard-after-forward"}};
  const auto found = opposites.find(name);
  return found == opposites.end() ? "" : found->second;
}

std::vector<std::string> argument_names() {
  std::vector<std::string> names;
  for (const auto& [name, rule] : rules())
    names.push_back(name);
  return names;
}

std::optional<std::int64_t> vocabulary_of(const std::string& tokenizer) {
  struct Vocabulary {
    const char* name;
    std::int64_t size;
  };
  // `vocab_size` of the config.json of the models on Hugging Face: openai-community/gpt2,
  // openai/gpt-oss-120b, deepseek-ai/DeepSeek-V3 and -V2, moonshotai/Kimi-K2-Base and
  // Moonlight-16B-A3B, Qwen/Qwen3-30B-A3B, Qwen2.5-7B and Qwen1.5-MoE-A2.7B, zai-org/GLM-4.5,
  // mistralai/Mixtral-8x7B-v0.1, meta-llama/Llama-3.1-8B and Llama-2-7b-hf. The first
  // name that a path contains counts. 0: its family has other sizes than the next row.
  static const Vocabulary known[] = {
      {"gpt2", 50'257},        {"gptoss", 201'088},     {"deepseekv3", 129'280},
      {"deepseekr1", 129'280}, {"deepseekv2", 102'400}, {"kimik2", 163'840},
      {"moonlight", 163'840},  {"qwen3.5", 0},          {"qwen3", 151'936},
      {"qwen2.5", 152'064},    {"qwen2", 151'936},      {"qwen1.5", 151'936},
      {"glm4.5", 151'552},     {"mixtral", 32'000},     {"llama3", 128'256},
      {"llama2", 32'000}};
  std::string lower;
  for (const char value : tokenizer)
    if (value != '-' && value != '_')
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(value)));
  for (const Vocabulary& one : known)
    if (lower.find(one.name) != std::string::npos)
      return one.size > 0 ? std::optional(one.size) : std::nullopt;
  return std::nullopt;
}

} // namespace moesim
