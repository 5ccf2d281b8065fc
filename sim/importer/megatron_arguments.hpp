#pragma once

#include "sim/base/input_error.hpp"
#include "sim/importer/shell_variables.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The number of values after the name of an argument: 0, 1 or several.
enum class ArgumentShape { flag, value, list };

/// The use of an argument by the import.
enum class ArgumentUse {
  modelled, ///< it sets a key of the scenario or of the model's config
  noted,    ///< it changes a step but has no key: a comment names it
  ignored   ///< it has no effect on the model of a step: learning rates, logging, data, checkpoints
};

struct ArgumentRule {
  ArgumentShape shape = ArgumentShape::flag;
  ArgumentUse use = ArgumentUse::ignored;
  std::string table; ///< for `noted`: the scenario's table that it belongs to
  std::string note;  ///< for `noted`: the effect that a prediction lacks; may be empty
};
/// The rule of an argument, by its name without the dashes; null for an unknown one.
const ArgumentRule* find_argument_rule(const std::string& name);
/// The name under which an argument is known: dashes for underscores, and Megatron-Core's names of
/// a config for those of the command line.
std::string argument_name(std::string written);
/// Every known name.
std::vector<std::string> argument_names();

/// A value of an argument, which may be unknown.
struct ArgumentValue {
  std::string text;
  InputLocation where;
  LocatedText::Gap gap;
};
struct MegatronArgument {
  std::string name; ///< as returned by `argument_name`
  InputLocation where;
  std::vector<ArgumentValue> values;
};

/// The arguments of a training run; the last one of a name counts. Every reader throws InputError,
/// at the value, for a value of a wrong kind and for an unknown one.
///
/// More than 15 methods: a reader for each type of value, and the lists of arguments that no reader
/// asks for, which the scenario's comments name.
class MegatronArguments {
public:
  /// Adds a known argument, which replaces an earlier one of its name. An argument without values
  /// is a flag.
  void add(MegatronArgument argument);
  /// Adds an argument of the file that is not used.
  void add_unknown(const MegatronArgument& argument);

  /// Adds a variable that a script treats as empty, with the reason.
  void add_unset(const std::string& reason, const InputLocation& where);

  bool has(const std::string& name) const { return arguments_.contains(name); }
  const MegatronArgument& get(const std::string& name) const;
  /// Throws InputError, at the end of the file, if the argument is missing.
  std::int64_t integer(const std::string& name, std::int64_t least = 1) const;
  std::int64_t integer_or(const std::string& name, std::int64_t otherwise,
                          std::int64_t least = 1) const;
  double number(const std::string& name) const;
  std::string text(const std::string& name) const;
  std::string choice(const std::string& name, const std::vector<std::string>& choices) const;
  /// The values of a list, as one text each or as one text with blanks between values.
  std::vector<std::string> list(const std::string& name) const;
  [[noreturn]] void fail(const std::string& name, const std::string& message,
                         const std::string& hint = "") const;

  /// The source of a value: "--num-layers, line 12".
  std::string source_of(const std::string& name) const;
  /// The position of an argument: "line 12", or a text for one that is not in the file.
  std::string position_of(const MegatronArgument& argument) const;
  /// An argument as text of a command line: "--lr 1e-4".
  static std::string written(const MegatronArgument& argument);
  /// The arguments of a use, by name.
  std::vector<const MegatronArgument*> all_of(ArgumentUse use) const;
  const std::vector<MegatronArgument>& unknown() const { return unknown_; }
  /// "EP is not set in this file (train.sh:3)", once each.
  const std::vector<std::string>& unset() const { return unset_; }

  std::string file; ///< for errors about missing arguments

private:
  const ArgumentValue& only_value(const std::string& name) const;

  std::map<std::string, MegatronArgument> arguments_;
  std::vector<MegatronArgument> unknown_;
  std::vector<std::string> unset_;
};

/// Reads the words of a command line, launcher and program included. `file` and `text` are for the
/// positions of errors. Throws InputError for a word that is no argument or is unknown.
void read_argument_words(const std::vector<LocatedText>& words, const std::string& file,
                         const std::string& text, MegatronArguments& arguments);

/// Reads a Megatron command line or YAML, with the user's own `definitions`. Throws InputError for
/// a file that it cannot read, and for one without a training command or with several.
MegatronArguments read_megatron_arguments(const std::filesystem::path& file,
                                          const ShellDefinitions& definitions);

/// Reads the arguments of a YAML file's text: a table MODEL_ARGS or ARGS, or Megatron's own config.
void read_megatron_yaml(const std::string& file, const std::string& text,
                        const ShellDefinitions& definitions, MegatronArguments& arguments);

} // namespace moesim
