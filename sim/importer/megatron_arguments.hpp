#pragma once

#include "sim/base/input_error.hpp"
#include "sim/importer/shell_variables.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The number of values after the name of an argument: 0, 1 or several.
enum class ArgumentShape { flag, value, list };

/// The use of an argument by the import.
enum class ArgumentUse {
  used,           ///< it sets a key of the scenario or of the model's config
  approximated,   ///< it changes a step a little but has no key: a comment names it
  without_effect, ///< no effect on time and memory: learning rates, logging, data, checkpoints
  refused         ///< it changes a step in a way that is not modelled
};

/// A row of megatron_arguments.txt, the one list of names.
struct ArgumentRule {
  ArgumentShape shape = ArgumentShape::flag;
  ArgumentUse use = ArgumentUse::without_effect;
  /// Table of the scenario that an approximated argument belongs to; of a refused one "model" if a
  /// published config stands for it.
  std::string table;
  std::string note;               ///< effect that a prediction lacks, or the reason of a refusal
  std::vector<std::string> inert; ///< values with which the argument changes nothing
};
/// The rule of an argument, by its name without the dashes; null for an unknown one.
const ArgumentRule* find_argument_rule(const std::string& name);
/// The name under which an argument is known: dashes for underscores, and Megatron-Core's names of
/// a config for those of the command line.
std::string argument_name(std::string written);
/// The flag of a command line that is on where a log or a config has `name` off; "" for others.
std::string opposite_flag(const std::string& name);
/// Every known name.
std::vector<std::string> argument_names();
/// The size of the vocabulary of a tokenizer or model whose name or path is known; see the sources
/// in megatron_names.cpp.
std::optional<std::int64_t> vocabulary_of(const std::string& tokenizer);

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

/// Whether an argument has a value with which it changes nothing.
bool is_inert(const MegatronArgument& argument);

/// A position of a script or of the options, by the offset that a LocatedText has.
using Locate = std::function<InputLocation(std::size_t)>;

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
  /// Adds a piece of the file that may hold arguments, but is not known.
  void add_gap(const InputLocation& where, const TextGap& gap) { gaps_.push_back({where, gap}); }
  /// Adds a remark on a place of the file, once.
  void add_remark(const std::string& remark, const InputLocation& where);

  /// Throws one InputError that names all missing and unknown values that the import needs, with
  /// the options that give them. `has_gpus`, `has_model`: whether an option gives these.
  void refuse_incomplete(bool has_gpus, bool has_model) const;
  /// Throws InputError for arguments that change a step in a way that is not modelled. `has_model`:
  /// whether an option gives the model, so that arguments of it have no effect.
  void refuse_unmodelled(bool has_model) const;

  bool has(const std::string& name) const { return arguments_.contains(name); }
  const MegatronArgument& get(const std::string& name) const;
  /// Throws InputError, at the end of the file, if the argument is missing.
  std::int64_t integer(const std::string& name, std::int64_t least = 1) const;
  std::int64_t integer_or(const std::string& name, std::int64_t otherwise,
                          std::int64_t least = 1) const;
  double number(const std::string& name) const;
  /// The one value, or several in brackets as Python prints a list.
  std::string text(const std::string& name) const;
  std::string choice(const std::string& name, const std::vector<std::string>& choices) const;
  /// The values of a list, as one text each or as one text with blanks between values.
  std::vector<std::string> list(const std::string& name) const;
  [[noreturn]] void fail(const std::string& name, const std::string& message,
                         const std::string& hint = "") const;

  /// The argument that names a known tokenizer, and the size of its vocabulary.
  std::optional<std::pair<std::string, std::int64_t>> known_tokenizer() const;

  /// The source of a value: "--num-layers, line 12".
  std::string source_of(const std::string& name) const;
  /// The position of an argument: "line 12", or a text for one that is not in the file.
  std::string position_of(const MegatronArgument& argument) const;
  /// An argument as text of a command line: "--lr 1e-4".
  static std::string written(const MegatronArgument& argument);
  /// The arguments of a use, by name.
  std::vector<const MegatronArgument*> all_of(ArgumentUse use) const;
  const std::vector<MegatronArgument>& unknown() const { return unknown_; }
  const std::vector<std::string>& remarks() const { return remarks_; }

  std::string file;       ///< for errors about missing arguments
  std::string model_file; ///< name of the file with the sizes of the model; empty: none is named

private:
  const ArgumentValue& only_value(const std::string& name) const;

  std::map<std::string, MegatronArgument> arguments_;
  std::vector<MegatronArgument> unknown_;
  std::vector<std::pair<InputLocation, TextGap>> gaps_;
  std::vector<std::string> remarks_;
};

/// Adds what slime gives to Megatron without an argument, with a remark. No effect on other runs.
void add_slime_defaults(MegatronArguments& arguments);

/// Reads the words of a command line, launcher and program included. Throws InputError for a word
/// that is no argument.
void read_argument_words(const std::vector<LocatedText>& words, const Locate& locate,
                         MegatronArguments& arguments);

/// Reads a Megatron command line or YAML, with the user's own `definitions`. Throws InputError for
/// a file that it cannot read, and for one without a training command or with several.
MegatronArguments read_megatron_arguments(const std::filesystem::path& file,
                                          const ShellDefinitions& definitions);

/// Reads the arguments of a YAML file's text: a table MODEL_ARGS or ARGS, or Megatron's own config.
void read_megatron_yaml(const std::string& file, const std::string& text,
                        const ShellDefinitions& definitions, MegatronArguments& arguments);

/// Reads a list of arguments without a command, as after --with: words between blanks and line
/// ends, with quotes, comments, variables and a backslash at the end of a line.
void read_argument_text(const std::string& name, const std::string& text,
                        const ShellDefinitions& definitions, MegatronArguments& arguments);

} // namespace moesim
