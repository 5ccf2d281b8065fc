#include "sim/importer/megatron_arguments.hpp"

#include "sim/importer/shell_run.hpp"
#include "sim/input/file_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>

namespace moesim {

namespace {

namespace fs = std::filesystem;
using Words = std::vector<LocatedText>;

/// An argument of every training run, which tells a Megatron command from others.
constexpr const char* telling = "--num-layers";

/// Whether a text is the name of an argument: `--name`, `-x`, but not a negative number.
bool is_name(const std::string& text) {
  return text.size() > 1 && text[0] == '-' && !std::isdigit(static_cast<unsigned char>(text[1])) &&
         text[1] != '.';
}

bool tells(const LocatedText& word) {
  const std::string text = word.text();
  return text == telling || text.starts_with(std::string(telling) + "=");
}

/// Splits a command line in one word, as after `bash -c`, at its blanks. Arguments of `eval` lose
/// their quotes too.
Words flatten(const Words& words) {
  const bool again = words.front().text() == "eval";
  Words flat;
  for (const LocatedText& word : words) {
    if (!again && (word.text().find(telling) == std::string::npos || tells(word))) {
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

class WordReader {
public:
  WordReader(const Words& words, const std::string& file, const std::string& text,
             MegatronArguments& arguments)
      : words_(words), file_(file), text_(text), arguments_(arguments) {}

  void read() {
    skip_launcher();
    while (position_ < words_.size())
      read_argument();
  }

private:
  InputLocation where(const LocatedText& word) const {
    return locate_offset(file_, text_, word.offset());
  }

  /// Skips the launcher and its arguments before the program; keeps the number of GPUs.
  void skip_launcher() {
    std::size_t begin = words_.size();
    for (std::size_t i = words_.size(); i-- > 0;)
      if (const std::string text = words_[i].text();
          text.size() < 4096 && text.ends_with(".py") && !is_name(text))
        begin = i;
    if (begin == words_.size()) {
      while (position_ < words_.size() && !is_name(words_[position_].text()))
        ++position_; // a program of another name
      return;
    }
    for (; position_ < begin; ++position_) {
      const std::string name =
          argument_name(words_[position_].text().substr(0, words_[position_].text().find('=')));
      if (is_name(words_[position_].text()) && (name == "nnodes" || name == "nproc-per-node")) {
        read_argument();
        --position_;
      }
    }
    position_ = begin + 1;
  }

  void read_argument() {
    const LocatedText& word = words_[position_];
    const std::string text = word.text();
    if (!is_name(text))
      refuse_stray(word);
    ++position_;
    const std::size_t equals = std::min(text.find('='), text.size());
    MegatronArgument argument{argument_name(text.substr(0, equals)), where(word), {}};
    const ArgumentRule* rule = find_argument_rule(argument.name);
    const bool matters = !rule || rule->use != ArgumentUse::ignored;
    const LocatedText::Gap gap = word.slice(0, equals).gap();
    if (gap && (matters || gap->may_hide_more))
      throw InputError(argument.where, gap->message, gap->hint);
    if (rule && rule->shape == ArgumentShape::flag && equals == text.size() && takes_no())
      return;
    if (equals < text.size())
      add_value(argument, word.slice(equals + 1, text.size()));
    else
      take_values(argument, rule ? rule->shape : ArgumentShape::list);
    if (!rule)
      arguments_.add_unknown(argument);
    else if (rule->shape == ArgumentShape::value && argument.values.empty())
      throw InputError(argument.where, fmt::format("--{} has no value", argument.name));
    else
      arguments_.add(std::move(argument));
  }

  /// Skips the value of a flag written as `--bf16 true`. Returns true for `false`: the flag is then
  /// not set.
  bool takes_no() {
    const std::string next = position_ < words_.size() ? words_[position_].text() : "";
    if (next == "true" || next == "false")
      ++position_;
    return next == "false";
  }

  void add_value(MegatronArgument& argument, const LocatedText& word) {
    argument.values.push_back({word.text(), where(word), word.gap()});
  }

  void take_values(MegatronArgument& argument, ArgumentShape shape) {
    const std::size_t most = shape == ArgumentShape::flag    ? 0
                             : shape == ArgumentShape::value ? 1
                                                             : words_.size();
    // The first value may be unknown. An unknown word after it may also be an argument.
    while (position_ < words_.size() && argument.values.size() < most &&
           !is_name(words_[position_].text()) &&
           (argument.values.empty() || !is_variable(words_[position_])))
      add_value(argument, words_[position_++]);
  }

  /// Whether a word is one unknown variable, as $EXTRA.
  static bool is_variable(const LocatedText& word) {
    return word.gap() != nullptr && (word[0] == '$' || word[0] == '`');
  }

  [[noreturn]] void refuse_stray(const LocatedText& word) const {
    if (const LocatedText::Gap gap = word.gap())
      throw InputError(where(word), gap->message + ", and may hold arguments", gap->hint);
    throw InputError(where(word),
                     fmt::format("\"{}\" is no argument and no value of one", word.text()));
  }

  const Words& words_;
  const std::string& file_;
  const std::string& text_;
  MegatronArguments& arguments_;
  std::size_t position_ = 0;
};

/// The words of the command that trains.
Words find_command(const std::vector<ShellCommand>& commands, const std::string& file,
                   const std::string& text) {
  static const std::set<std::string> printing = {"echo", "printf", "cat", "log"};
  std::vector<Words> found;
  std::set<std::string> texts;
  for (const ShellCommand& command : commands) {
    if (printing.contains(command.words.front().text()))
      continue;
    Words words = flatten(command.words);
    if (std::none_of(words.begin(), words.end(), tells))
      continue;
    std::string joined;
    for (const LocatedText& word : words)
      joined += word.text() + '\n';
    if (texts.insert(joined).second)
      found.push_back(std::move(words));
  }
  if (found.empty())
    throw InputError({file}, fmt::format("no command of this file has {}", telling),
                     "give a script that calls Megatron, its arguments alone, or its YAML; what "
                     "another file holds comes with --with");
  if (found.size() > 1) {
    const auto second = std::find_if(found[1].begin(), found[1].end(), tells);
    throw InputError(locate_offset(file, text, second->offset()),
                     fmt::format("this is one of {} commands with {}", found.size(), telling),
                     "keep one of them in a copy of the file");
  }
  return found.front();
}

/// Reads `#SBATCH --nodes=4`, and the GPUs or else the tasks of a node, if the command line has no
/// number of nodes.
void read_slurm_header(const std::string& file, const std::string& text,
                       MegatronArguments& arguments) {
  static const std::regex line(R"(#SBATCH\s+(?:--(nodes|gpus-per-node|ntasks-per-node|gres)|-(N)))"
                               R"([=\s]\s*([\w:]*?)(\d+)(?:\s.*)?)");
  std::map<std::string, ArgumentValue> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::smatch match;
    if (const std::string one = text.substr(begin, std::min<std::size_t>(end - begin, 200));
        one.starts_with("#SBATCH") && std::regex_match(one, match, line))
      found[match[2].matched ? "nodes" : match[1].str()] = {
          match[4], locate_offset(file, text, begin), {}};
    begin = end + 1;
  }
  const auto take = [&](const std::string& name, std::initializer_list<const char*> keys) {
    for (const char* key : keys)
      if (found.contains(key) && !arguments.has(name))
        return arguments.add({name, found[key].where, {found[key]}});
  };
  if (arguments.has("nnodes") || !found.contains("nodes"))
    return;
  take("nnodes", {"nodes"});
  take("nproc-per-node", {"gpus-per-node", "gres", "ntasks-per-node"});
}

/// Whether the first word of a text is an argument, so that the text has no command.
bool is_argument_list(const std::string& text) {
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t\r\n\\", at)) != std::string::npos && text[at] == '#')
    at = text.find('\n', at);
  return at != std::string::npos && text.compare(at, 2, "--") == 0;
}

} // namespace

void read_argument_words(const Words& words, const std::string& file, const std::string& text,
                         MegatronArguments& arguments) {
  WordReader(words, file, text, arguments).read();
}

MegatronArguments read_megatron_arguments(const fs::path& file,
                                          const ShellDefinitions& definitions) {
  const std::string name = file.string();
  const std::string text = read_file(file);
  MegatronArguments arguments;
  arguments.file = name;
  if (file.extension() == ".yaml" || file.extension() == ".yml") {
    read_megatron_yaml(name, text, definitions, arguments);
  } else if (is_argument_list(text)) {
    ShellVariables variables(name, text, definitions);
    Words words;
    for (const ShellWord& word : parse_argument_list(name, text))
      for (LocatedText& expanded : variables.expand(word.raw))
        words.push_back(std::move(expanded));
    read_argument_words(words, name, text, arguments);
  } else {
    const ShellOutcome outcome = run_shell(name, text, definitions);
    read_argument_words(find_command(outcome.commands, name, text), name, text, arguments);
    for (const LocatedText& variable : outcome.unset)
      arguments.add_unset(variable.gap()->message, locate_offset(name, text, variable.offset()));
    read_slurm_header(name, text, arguments);
  }
  return arguments;
}

} // namespace moesim
