#include "sim/importer/megatron_arguments.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace moesim {

namespace {

/// A value that the import needs and the file does not give.
struct Missing {
  InputLocation where;
  std::string message;  ///< of an error about this value alone
  std::string hint;     ///< likewise
  std::string name;     ///< short name, for an error about several values
  std::string define;   ///< variable for --define; may be empty
  std::string argument; ///< argument for --with; may be empty
};

/// Whether an argument counts nodes or processes; those of a node may be the topology's.
bool counts_gpus(const std::string& name) {
  return name == "nnodes" || name == "nproc-per-node" || name == "world-size";
}

/// Whether an argument only tells the size of the vocabulary, which may be known without it.
bool names_tokenizer(const std::string& name) {
  return name.starts_with("tokenizer") || name == "hf-checkpoint" || name == "patch-tokenizer-type";
}

/// The values that are missing, each once.
class MissingValues {
  static std::string short_name(const TextGap& gap) {
    const bool argument = !gap.define.empty() && gap.define[0] >= '0' && gap.define[0] <= '9';
    return argument ? "$" + gap.define : gap.define.empty() ? gap.message : gap.define;
  }

public:
  void add(Missing value) {
    const bool known = std::any_of(values_.begin(), values_.end(),
                                   [&](const Missing& other) { return other.name == value.name; });
    if (!known)
      values_.push_back(std::move(value));
  }
  void add_gap(const InputLocation& where, const TextGap& gap, const std::string& argument) {
    if (gap.define.empty() && !argument.empty())
      add({where, gap.message, fmt::format("give it with --with \"--{} VALUE\"", argument),
           "--" + argument, "", argument});
    else
      add({where, gap.message, gap.hint(), short_name(gap), gap.define, ""});
  }
  void add_gpus(const InputLocation& where, const std::string& message) {
    add({where, message, "give it with --gpus N", "the number of GPUs", "", ""});
    needs_gpus_ = true;
  }

  void refuse() const {
    if (values_.empty())
      return;
    const Missing& first = values_.front();
    if (values_.size() == 1)
      throw InputError(first.where, first.message, first.hint);
    std::vector<std::string> names;
    std::vector<std::string> defines;
    std::vector<std::string> arguments;
    std::vector<std::string> others;
    std::vector<std::string> options;
    for (const Missing& value : values_) {
      names.push_back(value.name);
      if (!value.define.empty())
        defines.push_back(value.define);
      else if (!value.argument.empty())
        arguments.push_back(fmt::format("--{} VALUE", value.argument));
      else if (value.name == "the model")
        options.push_back("--model CONFIG.json");
      else if (value.name != "the number of GPUs")
        others.push_back(value.hint);
    }
    if (!defines.empty())
      options.push_back(remedy_of(defines));
    if (needs_gpus_)
      options.push_back("--gpus N");
    if (!arguments.empty())
      options.push_back(fmt::format("--with \"{}\"", fmt::join(arguments, " ")));
    std::string hint =
        options.empty() ? "" : fmt::format("give them with {}", fmt::join(options, " "));
    for (const std::string& other : others)
      hint += (hint.empty() ? "" : "; ") + other;
    throw InputError(
        first.where,
        fmt::format("{} values are not in this file: {}", names.size(), fmt::join(names, ", ")),
        hint);
  }

private:
  std::vector<Missing> values_;
  bool needs_gpus_ = false;
};

bool knows_vocabulary(const MegatronArguments& arguments) {
  return arguments.has("vocab-size") || arguments.has("padded-vocab-size") ||
         arguments.known_tokenizer().has_value();
}

} // namespace

bool is_inert(const MegatronArgument& argument) {
  const std::vector<std::string>& inert = find_argument_rule(argument.name)->inert;
  return !argument.values.empty() &&
         std::all_of(argument.values.begin(), argument.values.end(), [&](const auto& value) {
           return std::find(inert.begin(), inert.end(), value.text) != inert.end();
         });
}

std::optional<std::pair<std::string, std::int64_t>> MegatronArguments::known_tokenizer() const {
  for (const char* name : {"tokenizer-model", "tokenizer-name-or-path", "hf-checkpoint",
                           "patch-tokenizer-type", "load", "tokenizer-type"})
    if (has(name))
      for (const ArgumentValue& value : get(name).values)
        if (const auto size = vocabulary_of(value.text))
          return {{name, *size}};
  return std::nullopt;
}

void MegatronArguments::refuse_incomplete(bool has_gpus, bool has_model) const {
  MissingValues missing;
  for (const auto& [where, gap] : gaps_)
    missing.add_gap(where, gap, "");
  std::vector<const MegatronArgument*> used = all_of(ArgumentUse::used);
  std::stable_sort(used.begin(), used.end(), [](const auto* a, const auto* b) {
    return std::pair(a->where.line, a->where.column) < std::pair(b->where.line, b->where.column);
  });
  for (const MegatronArgument* argument : used)
    for (const ArgumentValue& value : argument->values)
      if (!value.gap || names_tokenizer(argument->name))
        continue;
      else if (!counts_gpus(argument->name))
        missing.add_gap(value.where, *value.gap, argument->name);
      else if (!has_gpus && argument->name != "nproc-per-node")
        missing.add_gpus(value.where, fmt::format("the number of GPUs is not in this file: {}",
                                                  value.gap->message));
  if (!has_gpus && !has("nnodes") && !has("nproc-per-node") && !has("world-size"))
    missing.add_gpus({file}, "the number of GPUs is not in the file");
  std::vector<const char*> needed = {"seq-length", "micro-batch-size"};
  const bool sizes = has("num-layers") || has("hidden-size") || has("num-attention-heads");
  const bool pattern = has("hybrid-layer-pattern") || has("hybrid-override-pattern");
  if (!has_model && sizes && !pattern)
    needed.insert(needed.begin(), "num-layers");
  if (!has_model && sizes)
    needed.insert(needed.end() - 2, {"hidden-size", "num-attention-heads"});
  else if (!has_model)
    missing.add({{file},
                 "the sizes of the model are not in the file" +
                     (model_file.empty() ? "" : ", but in " + model_file),
                 "give its config.json with --model CONFIG.json",
                 "the model",
                 "",
                 ""});
  for (const char* name : needed)
    if (!has(name))
      missing.add({{file},
                   fmt::format("--{} is missing", name),
                   fmt::format("add it to the file, or give it with --with \"--{} VALUE\"", name),
                   fmt::format("--{}", name),
                   "",
                   name});
  if (!has_model && sizes && !knows_vocabulary(*this))
    missing.add({{file},
                 "the size of the vocabulary is not in the file: the tokenizer has it",
                 "give it with --with \"--vocab-size N\"",
                 "the vocabulary",
                 "",
                 "vocab-size"});
  missing.refuse();
}

void MegatronArguments::refuse_unmodelled(bool has_model) const {
  std::vector<std::string> others;
  const MegatronArgument* first = nullptr;
  for (const MegatronArgument* argument : all_of(ArgumentUse::refused)) {
    const std::string& table = find_argument_rule(argument->name)->table;
    if (is_inert(*argument) || (has_model && table == "model"))
      continue;
    if (first)
      others.push_back("--" + argument->name);
    else
      first = argument;
  }
  if (!first)
    return;
  const std::string also = others.empty() ? "" : fmt::format("; nor {}", fmt::join(others, ", "));
  throw InputError(first->where,
                   fmt::format("{} is not modelled: {}{}", written(*first),
                               find_argument_rule(first->name)->note, also),
                   "a plan without it can be imported from a copy of the file");
}

} // namespace moesim
