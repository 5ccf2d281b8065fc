#include "sim/importer/megatron_arguments.hpp"

#include "sim/importer/shell_run.hpp"
#include "sim/input/file_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace moesim {

namespace {

namespace fs = std::filesystem;
using Words = std::vector<LocatedText>;

/// An argument of every run that names its model itself, which tells a Megatron command.
constexpr const char* telling = "--num-layers";
/// Number of arguments that tell the command of a run whose model is named elsewhere.
constexpr int telling_count = 3;

bool tells(const LocatedText& word) {
  const std::string text = word.text();
  return text == telling || text.starts_with(std::string(telling) + "=");
}

/// Number of words that are Megatron arguments with an effect.
int arguments_among(const Words& words) {
  return static_cast<int>(std::count_if(words.begin(), words.end(), [](const LocatedText& word) {
    const std::string text = word.text();
    const ArgumentRule* rule =
        text.starts_with("--") ? find_argument_rule(argument_name(text.substr(0, text.find('='))))
                               : nullptr;
    return rule && rule->use == ArgumentUse::used;
  }));
}

/// Splits a command line in one word, as after `bash -c`, at its blanks. Arguments of `eval` lose
/// their quotes too.
Words flatten(const Words& words) {
  const bool again = words.front().text() == "eval";
  Words flat;
  for (const LocatedText& word : words) {
    if (!again && (word.text().find(" --") == std::string::npos || word[0] == '{')) {
      flat.push_back(word);
      continue;
    }
    for (const LocatedText& field : word.fields()) {
      LocatedText bare;
      for (std::size_t i = 0; i < field.size(); ++i)
        if (field[i] != '"' && field[i] != '\'' && field[i] != '\\')
          bare.append(field, i);
      if (!bare.empty())
        flat.push_back(bare);
    }
  }
  return flat;
}

struct TrainingCommand {
  Words words;
  std::map<std::string, LocatedText> environment;
};

/// The commands that train: those with --num-layers, or else those with several arguments.
std::vector<TrainingCommand> find_commands(const std::vector<ShellCommand>& commands) {
  static const std::set<std::string> printing = {"echo", "printf", "cat", "log"};
  std::vector<TrainingCommand> whole;
  std::vector<TrainingCommand> parts;
  std::set<std::string> texts;
  for (const ShellCommand& command : commands) {
    if (printing.contains(command.words.front().text()))
      continue;
    Words words = flatten(command.words);
    std::string joined;
    for (const LocatedText& word : words)
      joined += word.text() + '\n';
    if (!texts.insert(joined).second)
      continue;
    if (std::any_of(words.begin(), words.end(), tells))
      whole.push_back({std::move(words), command.environment});
    else if (arguments_among(words) >= telling_count)
      parts.push_back({std::move(words), command.environment});
  }
  return whole.empty() ? parts : whole;
}

/// The arguments of a file that has variables with arguments, but no command.
Words arguments_of_variables(const ShellOutcome& outcome, std::vector<std::string>& names) {
  Words words;
  for (const auto& [name, values] : outcome.variables.all()) {
    Words fields;
    for (const LocatedText& value : *values)
      for (LocatedText& field : values->size() == 1 ? value.fields() : Words{value})
        fields.push_back(std::move(field));
    if (fields.empty() || !fields.front().text().starts_with("--") || arguments_among(fields) == 0)
      continue;
    names.push_back(name);
    words.insert(words.end(), fields.begin(), fields.end());
  }
  return words;
}

/// Reads NNODES and NPROC_PER_NODE, from which launchers take the number of GPUs.
void read_environment(const TrainingCommand& command, const ShellOutcome& outcome,
                      MegatronArguments& arguments) {
  const auto take = [&](const char* variable, const char* argument) {
    const auto prefix = command.environment.find(variable);
    const auto assigned = outcome.variables.find(variable, 0);
    const LocatedText value = prefix != command.environment.end() ? prefix->second
                              : assigned && assigned->size() == 1 ? assigned->front()
                                                                  : LocatedText();
    if (arguments.has(argument) || value.empty())
      return;
    const InputLocation where = outcome.files->locate(value.offset());
    arguments.add({argument, where, {{value.text(), where, value.gap()}}});
  };
  if (arguments.has("nproc-per-node"))
    return;
  take("NPROC_PER_NODE", "nproc-per-node");
  if (arguments.has("nproc-per-node"))
    take("NNODES", "nnodes");
}

/// The number at the end of a text such as `gpu:h100:8` or `8`; empty if there is none.
std::string trailing_number(const std::string& text) {
  const std::size_t last = text.find_last_not_of("0123456789");
  return last == std::string::npos ? text : text.substr(last + 1);
}

/// Reads `#SBATCH --nodes=4`, and the GPUs or else the tasks of a node, if the command line has no
/// number of nodes.
void read_slurm_header(const std::string& file, const std::string& text,
                       MegatronArguments& arguments) {
  std::map<std::string, ArgumentValue> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (text.compare(begin, 7, "#SBATCH") == 0 && end - begin < 200) {
      std::vector<std::string> fields;
      for (const LocatedText& field :
           LocatedText::at(0, text.substr(begin + 7, end - begin - 7)).fields())
        fields.push_back(field.text());
      const std::size_t equals = fields.empty() ? 0 : fields[0].find('=');
      if (!fields.empty() && equals != std::string::npos)
        fields = {fields[0].substr(0, equals), fields[0].substr(equals + 1)};
      if (fields.size() > 1 && !trailing_number(fields[1]).empty())
        found[fields[0] == "-N" ? "--nodes" : fields[0]] = {
            trailing_number(fields[1]), locate_offset(file, text, begin), {}};
    }
    begin = end + 1;
  }
  const auto take = [&](const std::string& name, std::initializer_list<const char*> keys) {
    for (const char* key : keys)
      if (found.contains(key) && !arguments.has(name))
        return arguments.add({name, found[key].where, {found[key]}});
  };
  if (arguments.has("nnodes") || !found.contains("--nodes"))
    return;
  take("nnodes", {"--nodes"});
  take("nproc-per-node", {"--gpus-per-node", "--gres", "--ntasks-per-node"});
}

/// Whether the first word of a text is an argument, so that the text has no command.
bool is_argument_list(const std::string& text) {
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t\r\n\\", at)) != std::string::npos && text[at] == '#')
    at = text.find('\n', at);
  return at != std::string::npos && text.compare(at, 2, "--") == 0;
}

[[noreturn]] void refuse_commands(const std::vector<TrainingCommand>& commands,
                                  const ShellOutcome& outcome, const std::string& file) {
  if (commands.empty() && !outcome.notes.empty())
    throw InputError(outcome.files->locate(outcome.notes.back().offset),
                     fmt::format("no command has {}; {}", telling, outcome.notes.back().text),
                     "give the script that calls Megatron, or put that file beside it");
  if (commands.empty())
    throw InputError({file}, fmt::format("no command of this file has {}", telling),
                     "give a script that calls Megatron, its arguments alone, or its YAML; what "
                     "another file holds comes with --with");
  const Words& words = commands[1].words;
  const auto second = std::find_if(words.begin(), words.end(), tells);
  throw InputError(
      outcome.files->locate((second == words.end() ? words.front() : *second).offset()),
      fmt::format("this is one of {} commands with {}", commands.size(), telling),
      "keep one of them in a copy of the file");
}

void read_script(const std::string& name, const std::string& text,
                 const ShellDefinitions& definitions, MegatronArguments& arguments) {
  const ShellOutcome outcome = run_shell(name, text, definitions);
  const Locate locate = [&](std::size_t offset) { return outcome.files->locate(offset); };
  std::vector<TrainingCommand> commands = find_commands(outcome.commands);
  for (const ShellNote& note : outcome.notes)
    arguments.add_remark(note.text, locate(note.offset));
  std::vector<std::string> names;
  if (commands.empty())
    if (const Words words = arguments_of_variables(outcome, names); !words.empty())
      commands.push_back({words, {}});
  if (commands.size() != 1)
    refuse_commands(commands, outcome, name);
  if (!names.empty())
    arguments.add_remark(
        fmt::format("no command: the arguments of {} are taken", fmt::join(names, ", ")),
        {name, 1});
  read_argument_words(commands.front().words, locate, arguments);
  for (const LocatedText& variable : outcome.unset)
    arguments.add_remark("taken to be empty: " + variable.gap()->message,
                         locate(variable.offset()));
  read_environment(commands.front(), outcome, arguments);
  read_slurm_header(name, text, arguments);
}

} // namespace

MegatronArguments read_megatron_arguments(const fs::path& file,
                                          const ShellDefinitions& definitions) {
  const std::string name = file.string();
  const std::string text = read_file(file);
  MegatronArguments arguments;
  arguments.file = name;
  const std::string kind = file.extension().string();
  if (kind == ".yaml" || kind == ".yml")
    read_megatron_yaml(name, text, definitions, arguments);
  else if (kind == ".py")
    throw InputError({name}, "is Python, and its plan is known when it runs",
                     "import the log of such a run with moesim import megatron-log");
  else if (kind == ".toml")
    throw InputError({name},
                     "is no Megatron command: a torchtitan job holds its plan in "
                     "[parallelism] and its model in the code that `flavor` names",
                     "copy workloads/mixtral-8x7b/scenario.toml and enter the degrees there");
  else if (is_argument_list(text))
    read_argument_text(name, text, definitions, arguments);
  else
    read_script(name, text, definitions, arguments);
  return arguments;
}

} // namespace moesim
