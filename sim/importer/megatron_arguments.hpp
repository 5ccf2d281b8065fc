#pragma once

#include "sim/base/input_error.hpp"
#include "sim/importer/shell_variables.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// How many values follow the name of an argument.
enum class ArgumentShape { flag, value, list };

/// What becomes of an argument.
enum class ArgumentUse {
  modelled, ///< it sets a key of the scenario or of the model's config
  noted,    ///< it changes a step, and no key says it: it is written down
  ignored   ///< it changes nothing that is modelled: learning rates, logging, data, checkpoints
};

struct ArgumentRule {
  ArgumentShape shape = ArgumentShape::flag;
  ArgumentUse use = ArgumentUse::ignored;
  std::string table; ///< of a noted one: the scenario's table that it belongs to
  std::string note;  ///< of a noted one: what a prediction lacks; may be empty
};
/// What is known of an argument, by its name without the dashes; nothing for an unknown one.
const ArgumentRule* find_argument_rule(const std::string& name);
/// The name under which an argument is known: dashes for underscores, and Megatron-Core's names of
/// a config for those of the command line.
std::string argument_name(std::string written);
/// Every known name.
std::vector<std::string> argument_names();

/// A value of an argument, perhaps one that the file does not tell.
struct ArgumentValue {
  std::string text;
  InputLocation where;
  LocatedText::Gap gap;
};
struct MegatronArgument {
  std::string name; ///< as `argument_name` gives it
  InputLocation where;
  std::vector<ArgumentValue> values;
};

/// The arguments of a training run, the last of a name standing for all of that name. Every reader
/// throws InputError, at the value, for one of a wrong kind and for one that the file does not
/// tell.
///
/// More than 15 methods: a reader for each type of value, and the lists of arguments that no reader
/// asks for, which the scenario's comments name.
class MegatronArguments {
public:
  /// Adds a known argument in place of an earlier one of its name; with no values, a flag.
  void add(MegatronArgument argument);
  /// Adds what was in the file and is not used.
  void add_unknown(const MegatronArgument& argument);

  /// Adds a variable that a script takes to be empty, with the reason.
  void add_unset(const std::string& reason, const InputLocation& where);

  bool has(const std::string& name) const { return arguments_.contains(name); }
  const MegatronArgument& get(const std::string& name) const;
  /// Throws InputError, at the end of the file, if it is missing.
  std::int64_t integer(const std::string& name, std::int64_t least = 1) const;
  std::int64_t integer_or(const std::string& name, std::int64_t otherwise,
                          std::int64_t least = 1) const;
  double number(const std::string& name) const;
  std::string text(const std::string& name) const;
  std::string choice(const std::string& name, const std::vector<std::string>& choices) const;
  /// The values of a list: one each, or several in one text between blanks.
  std::vector<std::string> list(const std::string& name) const;
  [[noreturn]] void fail(const std::string& name, const std::string& message,
                         const std::string& hint = "") const;

  /// "--num-layers, line 12": where a value comes from.
  std::string source_of(const std::string& name) const;
  /// "line 12", or that it was not in the file.
  std::string place_of(const MegatronArgument& argument) const;
  /// "--lr 1e-4" as it would be written.
  static std::string written(const MegatronArgument& argument);
  /// Those of a use, by name.
  std::vector<const MegatronArgument*> all_of(ArgumentUse use) const;
  const std::vector<MegatronArgument>& unknown() const { return unknown_; }
  /// "EP is not set in this file (train.sh:3)", once each.
  const std::vector<std::string>& unset() const { return unset_; }

  std::string file; ///< for what is missing

private:
  const ArgumentValue& only_value(const std::string& name) const;

  std::map<std::string, MegatronArgument> arguments_;
  std::vector<MegatronArgument> unknown_;
  std::vector<std::string> unset_;
};

/// Reads the words of a command line, launcher and program included. `file` and `text` give the
/// places. Throws InputError for a word that is no argument or that the file does not tell.
void read_argument_words(const std::vector<LocatedText>& words, const std::string& file,
                         const std::string& text, MegatronArguments& arguments);

/// Reads a Megatron command line or YAML, with the user's own `definitions`. Throws InputError for
/// what it cannot read, and where there is none or more than one.
MegatronArguments read_megatron_arguments(const std::filesystem::path& file,
                                          const ShellDefinitions& definitions);

/// Reads the arguments of a YAML file's text: a table MODEL_ARGS or ARGS, or Megatron's own config.
void read_megatron_yaml(const std::string& file, const std::string& text,
                        const ShellDefinitions& definitions, MegatronArguments& arguments);

} // namespace moesim
